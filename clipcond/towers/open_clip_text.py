"""A model of open_clip's own classes as a tower: its text transformer, run as it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer
from clipcond.tokenizers.open_clip import tokens_of
from clipcond.tokenizers.unread_words import tell_bytes
from clipcond.towers.model_tower import ModelTower

__all__ = ["Anatomy", "LiveTower", "Resblocks", "text_module"]


class Anatomy(Protocol):
    """Where a text model keeps what a tower needs, and how it is called."""

    text: Any
    mask_padding: bool

    @property
    def context_length(self) -> int | None:
        """L; None = as long as its tokenizer says."""

    def blocks(self) -> nn.ModuleList: ...
    def table(self) -> Tensor: ...
    def states(self, output: Tensor) -> Tensor: ...
    def normed(self, hidden: Tensor) -> Tensor: ...
    def pool(self, output: Tensor, input_ids: Tensor) -> Tensor: ...
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None: ...


class LiveTower(ModelTower, ABC):
    """A tower around a model of open_clip's classes.

    Args:
        model: the whole model or its text half, in eval mode.
        tokenizer: open_clip's for this model (`open_clip.get_tokenizer`); by default CLIP's BPE
            with open_clip's cleaning.
        name: how reports and messages call it.
    Raises:
        TowerError: no such text model in it; no tokenizer where it needs its own.
    """

    def __init__(self, model: nn.Module, tokenizer: Any = None, name: str | None = None) -> None:
        super().__init__(model, name)
        anatomy = self._anatomy()
        self.tokenizer, self.special = tokens_of(
            tokenizer,
            context_length=anatomy.context_length,
            n_entries=len(anatomy.table()),
            mask_padding=anatomy.mask_padding,
            name=self.name,
        )

    @abstractmethod
    def _anatomy(self) -> Anatomy:
        """The parts of the model, as they are now."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the blocks' matrices; open_clip keeps norms in float32 beside half precision."""
        return next(p for p in self._blocks().parameters() if p.dim() > 1).dtype

    def unread(self, texts: Sequence[str]) -> str:
        """Which characters reach a BPE model as mere bytes; "" where there are none."""
        if not isinstance(self.tokenizer, ClipBpeTokenizer):
            return ""
        return tell_bytes(self.name, texts, self.tokenizer)

    def _blocks(self) -> nn.ModuleList:
        return self._anatomy().blocks()

    def _table(self) -> Tensor:
        return self._anatomy().table()

    def _norm(self) -> nn.Module:
        raise AssertionError("neither dtype nor _normed of this class asks for it")

    def _states(self, output: Tensor) -> Tensor:
        return self._anatomy().states(output)

    def _normed(self, hidden: Tensor) -> Tensor:
        return self._anatomy().normed(hidden)

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return self._anatomy().pool(last, input_ids.to(last.device))

    def _forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        self._anatomy().forward(input_ids, attention_mask)


class Resblocks:
    """A text transformer with `transformer.resblocks`: open_clip's, OpenAI's, EVA-CLIP's.

    It is called by `encode_text` where it is a whole CLIP, so accelerate's hooks on that whole
    model do not act; those on its parts do.
    """

    def __init__(self, text: nn.Module) -> None:
        self.text: Any = text
        is_ours = hasattr(getattr(text, "transformer", None), "resblocks")
        if not is_ours or isinstance(text, torch.jit.ScriptModule):
            kind = type(text).__name__
            raise TowerError(
                f"{kind} has no text transformer that can be run block by block",
                "Give an open_clip model (not a TorchScript one), its `.text`, or its state dict "
                "to open_state_dict.",
            )
        # CoCa hides pads itself, and as published one place further on, which we must not mend
        self.mask_padding = bool(getattr(text, "use_pad_mask", False))

    @property
    def _has_class_token(self) -> bool:
        return getattr(self.text, "cls_emb", None) is not None

    @property
    def context_length(self) -> int:
        return len(self.text.positional_embedding) - self._has_class_token

    def blocks(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self.text.transformer.resblocks
        return blocks

    def table(self) -> Tensor:
        table: Tensor = self.text.token_embedding.weight
        return table

    def states(self, output: Tensor) -> Tensor:
        """[n L D] from what blocks pass on: positions first in older ones, CoCa's token last."""
        is_batch_first = getattr(self.text.transformer, "batch_first", False)
        hidden = output if is_batch_first else output.transpose(0, 1)
        return hidden[:, :-1] if self._has_class_token else hidden

    def normed(self, hidden: Tensor) -> Tensor:
        normed: Tensor = self.text.ln_final(hidden)
        return normed

    def pool(self, output: Tensor, input_ids: Tensor) -> Tensor:
        """As the model does it, whatever comes after its blocks. Source: `text_global_pool`."""
        text = self.text
        if self._has_class_token:
            pooled = self.normed(output[:, -1])
        else:
            row = torch.arange(len(input_ids), device=input_ids.device)
            pooled = self.normed(self.states(output))[row, self._pooled_at(input_ids)]
        projection = text.text_projection
        if projection is None:
            return pooled
        is_linear = isinstance(projection, nn.Module)
        projected: Tensor = projection(pooled) if is_linear else pooled @ projection
        return projected

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
        """Let no position see those with 0 in `attention_mask` [n L], in forwards of this thread.

        The model has no argument for it; its transformer takes an additive mask of any kind.
        """
        if attention_mask is None or bool(attention_mask.all()):
            yield
            return
        attention: Any = self.blocks()[0].attn
        thread = get_ident()
        if getattr(attention, "xattn", False):
            raise TowerError("xformers' attention, which this model uses, takes no mask")
        hidden = additive(attention_mask, self._has_class_token)

        def hide(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if get_ident() != thread:
                return None
            n, n_heads, n_keys = len(hidden), attention.num_heads, hidden.shape[-1]
            mask = hidden.expand(n, n_heads, n_keys, n_keys).flatten(0, 1)
            own = kwargs.get("attn_mask")
            return args, {**kwargs, "attn_mask": mask if own is None else mask + own}

        handle = self.text.transformer.register_forward_pre_hook(hide, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def additive(attention_mask: Tensor, has_class_token: bool) -> Tensor:
    """[n L], 1 = seen, to [n 1 1 L], 0 = seen; one longer for a class token, which all see."""
    if has_class_token:
        attention_mask = nn.functional.pad(attention_mask, (0, 1), value=1)
    zeros = torch.zeros_like(attention_mask, dtype=torch.float32)
    hidden = zeros.masked_fill(attention_mask == 0, torch.finfo(torch.float32).min)
    return hidden[:, None, None, :]


def text_module(model: nn.Module) -> nn.Module:
    """The text half of a CustomTextCLIP; any other model is, or is called as, its own text half."""
    plain: nn.Module = getattr(model, "_orig_mod", model)  # compiled
    inner = getattr(plain, "text", None)
    return inner if isinstance(inner, nn.Module) else plain
