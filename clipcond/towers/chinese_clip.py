"""ChineseCLIP's text tower, run by transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from clipcond.tokenizers.word_piece import TRAINED_LENGTH, WordPieceTokenizer, special_tokens
from clipcond.towers.modules import TowerModules, choose_context_length
from clipcond.towers.text_encoder import TextEncoder, TextEncoderTower

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ChineseTextEncoder(TextEncoder):
    """The text encoder of a ChineseCLIPModel: a ChineseCLIPTextModel and a projection."""


class ChineseClipTower(TextEncoderTower):
    """A transformers `ChineseCLIPModel`, `ChineseCLIPTextModel` or a `ChineseTextEncoder`.

    A bidirectional BERT: every token attends to every other except padding, which is masked. Each
    block ends with its own norm and there is no final one: `HiddenLayer.final_norm` changes
    nothing, and clip skip n is the n-th hidden state from the end as it is. The pooled output is
    [CLS] of the last layer through the text projection, if the model has one; never the tanh pooler
    of a bare `ChineseCLIPTextModel`, whose weights no published checkpoint holds.

    Args:
        model: the model, in eval mode.
        tokenizer: its transformers BertTokenizer.
        name: its name in reports and messages; the checkpoint's name by default.
        context_length: the length of chunks, at most the model's positions (512). By default 52, on
            which the published models were trained.
    Raises:
        TowerError: the model is of another kind or has too few positions, or the tokenizer is not
            BERT's.
    """

    fullwidth = True  # Chinese input methods type it: see prompt/scanner.py
    parts = ("embeddings.word_embeddings", "encoder.layer")
    expected = (
        "ChineseCLIP text model: it has no encoder.layer with embeddings.word_embeddings. "
        "ChineseClipTower takes a ChineseCLIPModel or ChineseCLIPTextModel."
    )

    def __init__(
        self,
        model: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        name: str | None = None,
        *,
        context_length: int | None = None,
    ) -> None:
        super().__init__(model, name)
        n_positions = len(self._parts().embeddings.position_embeddings.weight)
        length = choose_context_length(context_length, TRAINED_LENGTH, n_positions, self.name)
        self.special = special_tokens(tokenizer, length)
        self.tokenizer = WordPieceTokenizer(tokenizer)

    def _modules(self) -> TowerModules:
        text = self._parts()
        embeddings = text.embeddings
        return TowerModules(text.encoder.layer, embeddings.word_embeddings, embeddings.LayerNorm)

    def _hidden(self, output: Tensor, final_norm: bool) -> Tensor:
        return output

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return self._through_projection(last[:, 0])
