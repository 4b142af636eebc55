"""OpenCLIP's text towers, run by the modules of an open_clip model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.towers.open_clip_text import Anatomy, LiveTower, Resblocks, text_module

__all__ = ["OpenClipTower"]


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
