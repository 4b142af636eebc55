"""OpenAI's CLIP text encoder as transformers has it: SD1, SD2, both towers of SDXL, LongCLIP."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer, context_of, special_tokens
from clipcond.tokenizers.inversions import Inversions
from clipcond.tokenizers.unread_words import KnownWords, blank_ids, tell_bytes, tell_unknown
from clipcond.towers.base import check_context, first_eos
from clipcond.towers.model_tower import ModelTower

__all__ = ["OpenAIClipTower"]


class OpenAIClipTower(ModelTower):
    """A transformers `CLIPTextModel` or `CLIPTextModelWithProjection` with its tokenizer.

    Parts are found by what they are, for transformers 5.6 dropped `CLIPTextModel.text_model` and
    kept it elsewhere. The pooled output is that of the last layer, normed, at the first EOS;
    through the text projection where the model has one.

    Args:
        model: the text model, in eval mode; it may be shared with a pipeline.
        tokenizer: its transformers tokenizer, whose pad token says how chunks are padded; or a
            `ClipBpeTokenizer` around one.
        name: how reports and messages call it; the checkpoint's name by default.
        context_length: how long chunks are, at most the model's positions: 77, LongCLIP's 248. By
            default as the tokenizer and the model say. A longer tower that is to be paired with a
            shorter one is told the shorter length.
    Raises:
        TowerError: the model has no encoder layers and final layer norm where CLIP has them, or too
            few positions.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        name: str | None = None,
        *,
        context_length: int | None = None,
    ) -> None:
        super().__init__(model, name)
        n_positions = len(self._parts().embeddings.position_embedding.weight)
        is_ours = isinstance(tokenizer, ClipBpeTokenizer)
        bpe = tokenizer if is_ours else ClipBpeTokenizer(tokenizer)
        self.inversions = Inversions(self.width, self.name)
        self.tokenizer = bpe.knowing(self.inversions)
        source = self.tokenizer.source
        length = context_of(source, n_positions) if context_length is None else context_length
        self.special = special_tokens(
            source, check_context(length, n_positions, self.name), self.inversions
        )
        self._known = KnownWords()

    def fingerprint(self) -> Hashable:
        """Changes with weights, LoRA, dtype, device (see `state_key`) and textual inversions."""
        return super().fingerprint(), self.inversions.fingerprint()

    def unread(self, texts: Sequence[str]) -> str:
        """What to tell a caller about words and characters that mean nothing to this tower.

        A tower trained on few words has all-zero embeddings for the others. To any CLIP BPE tower,
        characters that are no whole token (most Chinese ones, many emoji) are mere bytes.

        Returns:
            a message, or "" where everything can be read.
        """
        texts = [self.tokenizer.without_names(text) for text in texts]
        table = self._table()
        n_known = self._known.of(table, self.tokenizer)
        if n_known is None:
            return tell_bytes(self.name, texts, self.tokenizer)
        return tell_unknown(self.name, texts, self.tokenizer, partial(blank_ids, table), n_known)

    def _known_ids(self, input_ids: Tensor) -> AbstractContextManager[Tensor]:
        embedding = self._parts().embeddings.token_embedding
        return self.inversions.standing_in(embedding, input_ids)

    def _blocks(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self._parts().encoder.layers
        return blocks

    def _table(self) -> Tensor:
        table: Tensor = self._parts().embeddings.token_embedding.weight
        return table

    def _norm(self) -> nn.Module:
        norm: nn.Module = self._parts().final_layer_norm
        return norm

    def _normed(self, hidden: Tensor) -> Tensor:
        normed: Tensor = self._norm()(hidden)
        return normed

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        ends = first_eos(input_ids, self.special.eos).to(last.device)
        pooled = self._normed(last)[torch.arange(len(last), device=last.device), ends]
        projection = getattr(self.model, "text_projection", None)
        return pooled if projection is None else projection(pooled)

    def _parts(self) -> Any:
        """The module with `embeddings`, `encoder.layers` and `final_layer_norm`."""
        for candidate in (getattr(self.model, "text_model", None), self.model):
            encoder = getattr(candidate, "encoder", None)
            if hasattr(encoder, "layers") and hasattr(candidate, "final_layer_norm"):
                return candidate
        raise TowerError(
            f"{type(self.model).__name__} is no CLIP text model: it has no encoder.layers with a "
            f"final_layer_norm. OpenAIClipTower takes a CLIPTextModel or "
            f"CLIPTextModelWithProjection."
        )
