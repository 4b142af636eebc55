"""ChineseCLIP's text tower, run by transformers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.tokenizers.word_piece import WordPieceTokenizer, special_tokens
from clipcond.towers.base import check_context
from clipcond.towers.dual_model_text import HalfTower, TextHalf

__all__ = ["ChineseClipTower", "ChineseTextHalf"]

TRAINED_LENGTH = 52  # of 512 positions; those beyond were not trained. Source: cn_clip, tokenize


class ChineseTextHalf(TextHalf):
    """A ChineseCLIPModel without its vision half: a ChineseCLIPTextModel and a projection."""


class ChineseClipTower(HalfTower):
    """A transformers `ChineseCLIPModel`, `ChineseCLIPTextModel` or a `ChineseTextHalf`.

    A bidirectional BERT: every token sees every other, padding apart, which is masked. There is no
    final norm, for each block ends with its own: `HiddenLayer.final_norm` changes nothing, and clip
    skip n is the n-th hidden state from the end as it is. The pooled output is [CLS] of the last
    layer through the text projection where the model has one; never the tanh pooler that a bare
    `ChineseCLIPTextModel` makes up, for no published checkpoint holds its weights.

    Args:
        model: the model, in eval mode; of a ChineseCLIPModel only the text half runs.
        tokenizer: its transformers BertTokenizer.
        name: how reports and messages call it; the checkpoint's name by default.
        context_length: how long chunks are, at most the model's positions (512). By default 52, on
            which the published models were trained.
    Raises:
        TowerError: the model is of another kind or has too few positions, or the tokenizer is not
            BERT's.
    """

    fullwidth = True  # Chinese input methods type it: see prompt/fullwidth.py

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        name: str | None = None,
        *,
        context_length: int | None = None,
    ) -> None:
        super().__init__(model, name)
        n_positions = len(self._parts().embeddings.position_embeddings.weight)
        length = min(TRAINED_LENGTH, n_positions) if context_length is None else context_length
        self.special = special_tokens(tokenizer, check_context(length, n_positions, self.name))
        self.tokenizer = WordPieceTokenizer(tokenizer)

    def _blocks(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self._parts().encoder.layer
        return blocks

    def _table(self) -> Tensor:
        table: Tensor = self._parts().embeddings.word_embeddings.weight
        return table

    def _norm(self) -> nn.Module:
        norm: nn.Module = self._parts().embeddings.LayerNorm
        return norm

    def _normed(self, hidden: Tensor) -> Tensor:
        return hidden

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return self._through_projection(last[:, 0])

    def _parts(self) -> Any:
        """The text model: it has `embeddings.word_embeddings` and `encoder.layer`."""
        for candidate in (getattr(self.model, "text_model", None), self.model):
            embeddings = getattr(candidate, "embeddings", None)
            encoder = getattr(candidate, "encoder", None)
            if hasattr(embeddings, "word_embeddings") and hasattr(encoder, "layer"):
                return candidate
        raise TowerError(
            f"{type(self.model).__name__} is no ChineseCLIP text model: it has no encoder.layer "
            f"with embeddings.word_embeddings. ChineseClipTower takes a ChineseCLIPModel or "
            f"ChineseCLIPTextModel."
        )
