"""OpenCLIP: a model of open_clip's own, or its weights in transformers' CLIP without open_clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.activation import MORE_POSITIONS, of_open_clip
from clipcond.checkpoints.long_clip import joined_positions
from clipcond.checkpoints.open_clip_layout import Half, text_half, text_prefix
from clipcond.checkpoints.open_clip_mapping import head_count, tower_of
from clipcond.errors import CheckpointError, ClipcondWarning, TowerError, warn
from clipcond.towers.base import TextTower
from clipcond.towers.open_clip_text import Anatomy, LiveTower, Resblocks, text_module

__all__ = ["OpenClipTower", "from_open_clip", "guess_activation", "looks_open_clip"]

# Parts of a text config that a CLIPTextModel has no place for, and what leaves them out.
# Source: open_clip 3.3, model.py, CLIPTextCfg.
PLAIN_CONFIG: Mapping[str, Any] = {
    "hf_model_name": None,
    "hf_tokenizer_name": None,
    "tokenizer_kwargs": None,
    "no_causal_mask": False,
    "embed_cls": False,
    "pool_type": "argmax",
    "proj_bias": False,
    "ls_init_value": None,
    "act_kwargs": None,
    "norm_kwargs": None,
    "final_ln_after_pool": False,
    "qk_norm": False,
    "scaled_cosine_attn": False,
    "scale_heads": False,
    "scale_attn_inner": False,
    "scale_attn": False,
    "scale_fc": False,
}


class OpenClipTower(LiveTower):
    """A model of open_clip's: `CLIP`, `CustomTextCLIP`, `CoCa`, or the text half of one.

    Runs the model's own modules. Text transformers of Hugging Face within open_clip (roberta,
    xlm-roberta, bert) have no final norm; `HiddenLayer.final_norm` changes nothing there.
    """

    def _anatomy(self) -> Anatomy:
        text = text_module(self.model)
        is_hugging_face = hasattr(text, "pooler") and hasattr(text, "proj")
        return HuggingFaceText(text) if is_hugging_face else Resblocks(text)


class HuggingFaceText:
    """open_clip's HFTextEncoder: a BERT-like model of transformers, a pooler, a projection."""

    mask_padding = True
    context_length = None  # its tokenizer's

    def __init__(self, text: nn.Module) -> None:
        self.text: Any = text
        encoder = getattr(self.text.transformer, "encoder", None)
        if not hasattr(encoder, "layer"):
            raise TowerError(
                f"open_clip's text model is a {type(self.text.transformer).__name__}, whose blocks "
                f"do not stand in encoder.layer; roberta, xlm-roberta and bert can be used"
            )

    def blocks(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self.text.transformer.encoder.layer
        return blocks

    def table(self) -> Tensor:
        table: Tensor = self.text.transformer.get_input_embeddings().weight
        return table

    def states(self, output: Tensor) -> Tensor:
        return output

    def normed(self, hidden: Tensor) -> Tensor:
        """Every block ends with a norm; there is no other."""
        return hidden

    def pool(self, output: Tensor, input_ids: Tensor) -> Tensor:
        """Through the model's own pooler and projection, over all but the padding."""
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        own = getattr(self.text.transformer, "pooler", None)
        states = BaseModelOutputWithPooling(
            last_hidden_state=output, pooler_output=None if own is None else own(output)
        )
        seen = (input_ids != self.text.config.pad_token_id).long()
        pooled: Tensor = self.text.proj(self.text.pooler(states, seen))
        return pooled

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        """Call the model, which hides the padding itself.

        Raises:
            TowerError: it is in training mode, where its dropout makes every call another.
        """
        if self.text.training:
            raise TowerError("the model is in training mode: call model.eval() first")
        with self._hiding(attention_mask):
            self.text(input_ids)

    @contextmanager
    def _hiding(self, attention_mask: Tensor | None) -> Iterator[None]:
        """Hide further positions, in forwards of this thread."""
        thread = get_ident()

        def hide(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if attention_mask is None or get_ident() != thread:
                return None
            own = kwargs["attention_mask"]
            return args, {**kwargs, "attention_mask": own * attention_mask.to(own.dtype)}

        handle = self.text.transformer.register_forward_pre_hook(hide, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def looks_open_clip(weights: Mapping[str, Any]) -> bool:
    """Whether names are those of a text model in open_clip's layout, whatever stands before them.

    `text_prefix` says what does: "", "text.", "cond_stage_model.model."...
    """
    return text_prefix(weights) is not None


def from_open_clip(
    weights: Mapping[str, Tensor],
    *,
    name: str,
    quick_gelu: bool | None = None,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> TextTower:
    """A tower from a state dict in open_clip's layout, run by transformers.

    Args:
        weights: flat or with `text.`; a vision half and other towers in it are ignored. OpenAI's,
            LongCLIP's, and the parts of SD2 and SDXL files are laid out so too.
        name: for messages and reports; also looked at for the activation.
        quick_gelu: the activation, which no file states; None = from `config`, else a guess.
        config: `model_cfg` of an open_clip_config.json.
    Raises:
        CheckpointError: no such layout, a tensor missing or misshapen, another vocabulary than
            CLIP's, or something that a CLIPTextModel cannot do.
    """
    text_config = dict((config or {}).get("text_cfg") or {})
    _refuse_special(text_config, name)
    is_long = any(key.endswith(MORE_POSITIONS) for key in weights)
    half = text_half(joined_positions(weights) if is_long else weights, name)
    if quick_gelu is None and config is not None:
        quick_gelu = bool(config.get("quick_gelu", False))
    if quick_gelu is None:
        quick_gelu = _guess(weights, half, name)
    heads = head_count(half, text_config.get("heads"), name)
    act = "quick_gelu" if quick_gelu else "gelu"
    return tower_of(half, heads=heads, act=act, name=name, dtype=dtype, device=device)


def guess_activation(
    keys: Mapping[str, Any], *, name: str, width: int, depth: int
) -> tuple[str, str, bool]:
    """The activation of a model in open_clip's layout, why, and whether that is certain.

    Files do not state it, and the same shapes exist with both. A wrong one is hard to see: results
    still resemble the right ones.
    """
    is_half = str(text_prefix(keys)).endswith("text.")
    guess = of_open_clip(keys, name=name, width=width, depth=depth, is_half=is_half)
    return guess.name, guess.why, guess.is_sure


def _guess(weights: Mapping[str, Tensor], half: Half, name: str) -> bool:
    act, why, is_certain = guess_activation(weights, name=name, width=half.width, depth=half.depth)
    if not is_certain:
        warn(
            ClipcondWarning(
                f"{name!r} does not say its activation, and models of its size have gelu or "
                f"quick_gelu; {act} is used, as {why}. Say quick_gelu=True or False."
            )
        )
    return act == "quick_gelu"


def _refuse_special(text_config: Mapping[str, Any], name: str) -> None:
    for key, plain in PLAIN_CONFIG.items():
        value = text_config.get(key, plain)
        if value != plain:
            raise CheckpointError(
                f"the config of {name!r} says {key}={value!r}, which a CLIPTextModel of "
                f"transformers cannot do",
                name,
                "Open it with open_clip, and give the model to OpenClipTower.",
            )
