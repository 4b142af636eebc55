"""AltCLIP's text tower: XLM-RoBERTa, and a transformation into the width of CLIP's text states."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.tokenizers.sentence_piece import SentencePieceTokenizer, special_tokens
from clipcond.towers.base import check_context
from clipcond.towers.dual_model_text import HalfTower

__all__ = ["AltClipTower"]

TRAINED_LENGTH = 77  # of 512 positions. Source: FlagAI, which cuts AltCLIP's texts there


class AltClipTower(HalfTower):
    """A transformers `AltCLIPModel`, `AltCLIPTextModel` or a `TextHalf` of the former.

    A bidirectional XLM-RoBERTa: every token sees every other, padding apart, which is masked. Its
    positions are counted over what is no padding. What `pre_LN` and `transformation` make of a
    block's output are its hidden states, each token by itself, so that they are 768 wide where the
    blocks are 1024: clip skip n is that of the n-th hidden state from the end, and clip skip 1 the
    `last_hidden_state` of transformers. `pre_LN` is the final norm. `HiddenLayer(final_norm=False)`
    leaves it out and keeps the transformation, and with it the width; of depth 1 that is what the
    UNet of the first AltDiffusion reads (`projection_state` in diffusers' RobertaSeries model). The
    pooled output is the first token's of the last layer, normed and transformed, through the text
    projection where the model has one.

    It reads Chinese and English, and those who write Chinese for it type full-width punctuation,
    so that this counts as syntax, as with every Chinese tower (`fullwidth`).

    Args:
        model: the model, in eval mode; of an AltCLIPModel only the text half runs.
        tokenizer: its transformers XLMRobertaTokenizer.
        name: how reports and messages call it; the checkpoint's name by default.
        context_length: how long chunks are, at most the model's positions (512). By default 77, on
            which the published model was trained.
    Raises:
        TowerError: the model is of another kind or has too few positions, or the tokenizer is not
            XLM-RoBERTa's, or that of another model.
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
        embeddings = self._parts().roberta.embeddings
        pad = embeddings.padding_idx
        # the first position is that of padding + 1; those before have no use
        n_positions = len(embeddings.position_embeddings.weight) - pad - 1
        length = min(TRAINED_LENGTH, n_positions) if context_length is None else context_length
        self.special = special_tokens(tokenizer, check_context(length, n_positions, self.name))
        if self.special.pad != pad:
            raise TowerError(
                f"{type(tokenizer).__name__} pads with id {self.special.pad}, but {self.name!r} "
                f"takes id {pad} for padding: this tokenizer belongs to another model"
            )
        self.tokenizer = SentencePieceTokenizer(tokenizer)

    @property
    def width(self) -> int:
        width: int = self._parts().transformation.out_features
        return width

    def _blocks(self) -> nn.ModuleList:
        encoder = self._parts().roberta.encoder
        blocks: nn.ModuleList = getattr(encoder, "layers", None) or encoder.layer
        return blocks

    def _table(self) -> Tensor:
        table: Tensor = self._parts().roberta.embeddings.word_embeddings.weight
        return table

    def _norm(self) -> nn.Module:
        norm: nn.Module = self._parts().pre_LN
        return norm

    def _normed(self, hidden: Tensor) -> Tensor:
        normed: Tensor = self._norm()(hidden)
        return normed

    def _projected(self, hidden: Tensor) -> Tensor:
        projected: Tensor = self._parts().transformation(hidden)
        return projected

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return self._through_projection(self._projected(self._normed(last))[:, 0])

    def _parts(self) -> Any:
        """The text model: it has `roberta`, `pre_LN` and `transformation`."""
        for candidate in (getattr(self.model, "text_model", None), self.model):
            if all(hasattr(candidate, part) for part in ("roberta", "pre_LN", "transformation")):
                return candidate
        raise TowerError(
            f"{type(self.model).__name__} is no AltCLIP text model: it has no roberta with a "
            f"pre_LN and a transformation. AltClipTower takes an AltCLIPModel or AltCLIPTextModel."
        )
