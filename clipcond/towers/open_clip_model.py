"""A tower that runs a model of open_clip's own classes, whichever of two text models it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer
from clipcond.tokenizers.open_clip import wrap_tokenizer
from clipcond.towers.base import ModelTower, hooked, project_each
from clipcond.towers.modules import TowerModules


class OpenClipModelTower(ModelTower, ABC):
    """A tower around a model of open_clip's classes.

    Args:
        model: the whole model or its text part, in eval mode.
        tokenizer: open_clip's for this model (`open_clip.get_tokenizer`); by default CLIP's BPE
            with open_clip's cleaning.
        name: its name in reports and messages.
    Raises:
        TowerError: the model has no such text model, or needs a tokenizer of its own.
    """

    def __init__(self, model: nn.Module, tokenizer: object = None, name: str | None = None) -> None:
        super().__init__(model, name)
        text = self._text()
        self.tokenizer, self.special = wrap_tokenizer(
            tokenizer,
            context_length=text.context_length,
            n_entries=len(text.modules.embedding.weight),
            mask_padding=text.mask_padding,
            name=self.name,
        )

    @abstractmethod
    def _text(self) -> ResblocksText | HuggingFaceText:
        """Look up the text model."""

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the blocks' matrices; open_clip keeps norms in float32 where it is half."""
        return next(p for p in self._blocks().parameters() if p.dim() > 1).dtype

    def unread(self, texts: Sequence[str]) -> str:
        """Describe characters that reach a BPE model as mere bytes; "" if there are none."""
        if not isinstance(self.tokenizer, ClipBpeTokenizer):
            return ""
        return self.tokenizer.unread_characters(self.name, texts)

    def unread_words(self, texts: Sequence[str]) -> list[str]:
        """List what `unread` describes: each character once."""
        if not isinstance(self.tokenizer, ClipBpeTokenizer):
            return []
        return list(dict.fromkeys(self.tokenizer.bytes_only(texts)))

    def _modules(self) -> TowerModules:
        return self._text().modules

    def _hidden(self, output: Tensor, final_norm: bool) -> Tensor:
        return self._text().hidden(output, final_norm)

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return self._text().pool(last, input_ids.to(last.device))

    def _forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        self._text().forward(input_ids, attention_mask)


class ResblocksText:
    """A text transformer with `transformer.resblocks`: open_clip's, OpenAI's, EVA-CLIP's.

    A whole CLIP is run by `encode_text`, so accelerate's hooks on the whole model have no effect;
    those on its parts do.
    """

    def __init__(self, module: nn.Module) -> None:
        text: Any = module
        self.text = text
        has_blocks = hasattr(getattr(text, "transformer", None), "resblocks")
        if not has_blocks or isinstance(text, torch.jit.ScriptModule):
            kind = type(text).__name__
            raise TowerError(
                f"{kind} has no text transformer that can be run block by block",
                "Give an open_clip model (not a TorchScript one), its `.text`, or its state dict "
                "to open_state_dict.",
            )
        self.modules = TowerModules(text.transformer.resblocks, text.token_embedding, text.ln_final)
        # CoCa hides padding itself, as published one place too late, which must stay so
        self.mask_padding = bool(getattr(text, "use_pad_mask", False))

    @property
    def _has_class_token(self) -> bool:
        return getattr(self.text, "cls_emb", None) is not None

    @property
    def context_length(self) -> int:
        """L, the length of chunks."""
        return len(self.text.positional_embedding) - self._has_class_token

    def hidden(self, output: Tensor, final_norm: bool) -> Tensor:
        """Make states [n L D] of a block's output: [L n D] in older models, CoCa's token last."""
        is_batch_first = getattr(self.text.transformer, "batch_first", False)
        states = output if is_batch_first else output.transpose(0, 1)
        states = states[:, :-1] if self._has_class_token else states
        hidden: Tensor = self.text.ln_final(states) if final_norm else states
        return hidden

    def pool(self, output: Tensor, input_ids: Tensor) -> Tensor:
        """Pool as the model does after its blocks. Source: open_clip, `text_global_pool`."""
        if self._has_class_token:
            pooled: Tensor = self.text.ln_final(output[:, -1])
        else:
            row = torch.arange(len(input_ids), device=input_ids.device)
            pooled = self.hidden(output, True)[row, self._pooled_at(input_ids)]
        projection = self.text.text_projection
        if projection is None:
            return pooled
        if isinstance(projection, nn.Module):
            return project_each(projection, pooled)
        return project_each(lambda row: row @ projection, pooled)

    def _pooled_at(self, input_ids: Tensor) -> Tensor | int:
        text = self.text
        kind = getattr(text, "text_pool_type", getattr(text, "pool_type", "argmax"))
        if kind == "argmax":
            return input_ids.argmax(dim=-1)
        if kind == "eos":
            eos: int = getattr(text, "text_eos_id", getattr(text, "eos_id", -1))
            return torch.eq(input_ids, eos).to(torch.int8).argmax(dim=-1)
        if kind not in ("first", "last"):
            raise TowerError(f"a model with pool_type {kind!r} has no pooled output")
        return 0 if kind == "first" else -1

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        """Call the model.

        Raises:
            TowerError: chunks of another length than its context, or a mask it cannot take.
        """
        if input_ids.shape[1] != self.context_length:
            raise TowerError(
                f"open_clip's text models take {self.context_length} ids at a time, "
                f"not {input_ids.shape[1]}"
            )
        with self._hiding(attention_mask):
            getattr(self.text, "encode_text", self.text)(input_ids)

    @contextmanager
    def _hiding(self, attention_mask: Tensor | None) -> Iterator[None]:
        """Hide positions with 0 in `attention_mask` [n L] from attention.

        The model has no argument for it, but its transformer has one for an additive mask.
        """
        if attention_mask is None or bool(attention_mask.all()):
            yield
            return
        attention: Any = self.modules.blocks[0].attn
        if getattr(attention, "xattn", False):
            raise TowerError("xformers' attention, which this model uses, takes no mask")
        hidden = additive(attention_mask, self._has_class_token)

        def hide(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
            n, n_heads, n_keys = len(hidden), attention.num_heads, hidden.shape[-1]
            mask = hidden.expand(n, n_heads, n_keys, n_keys).flatten(0, 1)
            own = kwargs.get("attn_mask")
            return args, {**kwargs, "attn_mask": mask if own is None else mask + own}

        with hooked(self.text.transformer.register_forward_pre_hook, hide, with_kwargs=True):
            yield


class HuggingFaceText:
    """open_clip's HFTextEncoder: a BERT-like model of transformers, a pooler, a projection."""

    mask_padding = True
    context_length = None  # that of its tokenizer

    def __init__(self, module: nn.Module) -> None:
        text: Any = module
        self.text, transformer = text, text.transformer
        encoder: Any = getattr(transformer, "encoder", None)
        if not hasattr(encoder, "layer"):
            raise TowerError(
                f"open_clip's text model is a {type(transformer).__name__}, whose blocks "
                f"are not in encoder.layer; roberta, xlm-roberta and bert can be used"
            )
        embedding = transformer.get_input_embeddings()
        self.modules = TowerModules(encoder.layer, embedding, transformer.embeddings.LayerNorm)

    def hidden(self, output: Tensor, final_norm: bool) -> Tensor:
        """Return a block's output [n L D] as it is."""
        return output  # each block ends with a norm; there is no other

    def pool(self, output: Tensor, input_ids: Tensor) -> Tensor:
        """Apply the model's own pooler and projection; padding does not count."""
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        own = getattr(self.text.transformer, "pooler", None)
        states = BaseModelOutputWithPooling(
            last_hidden_state=output, pooler_output=None if own is None else own(output)
        )
        seen = (input_ids != self.text.config.pad_token_id).long()
        return project_each(self.text.proj, self.text.pooler(states, seen))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        """Call the model, which hides the padding itself.

        Raises:
            TowerError: it is in training mode, where dropout makes every call different.
        """
        if self.text.training:
            raise TowerError("the model is in training mode: call model.eval() first")

        def hide(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
            if attention_mask is None:
                return None
            own = kwargs["attention_mask"]
            return args, {**kwargs, "attention_mask": own * attention_mask.to(own.dtype)}

        with hooked(self.text.transformer.register_forward_pre_hook, hide, with_kwargs=True):
            self.text(input_ids)


def additive(attention_mask: Tensor, has_class_token: bool) -> Tensor:
    """Turn a mask [n L], 1 = visible, into one to be added to attention scores, [n 1 1 L].

    It is one position longer for a class token, which is visible to all.
    """
    if has_class_token:
        attention_mask = nn.functional.pad(attention_mask, (0, 1), value=1)
    zeros = torch.zeros_like(attention_mask, dtype=torch.float32)
    hidden = zeros.masked_fill(attention_mask == 0, torch.finfo(torch.float32).min)
    return hidden[:, None, None, :]


def text_module(model: nn.Module) -> nn.Module:
    """Find the text model: `.text` of a CustomTextCLIP; any other model is called itself."""
    plain: nn.Module = getattr(model, "_orig_mod", model)  # compiled
    inner = getattr(plain, "text", None)
    return inner if isinstance(inner, nn.Module) else plain
