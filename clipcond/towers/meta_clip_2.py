"""MetaCLIP 2's text tower, run by transformers: CLIP's over XLM-V's vocabulary of 300 languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from clipcond.tokenizers.sentence_piece import SentencePieceTokenizer, special_tokens
from clipcond.towers.base import project_each
from clipcond.towers.modules import TowerModules, choose_context_length, first_eos
from clipcond.towers.text_encoder import TextEncoderTower

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class MetaClip2Tower(TextEncoderTower):
    """A transformers `MetaClip2Model`, `MetaClip2TextModel` or a `TextEncoder` of the former.

    No token sees one behind it. The pooled output is the state at the first EOS of the last layer,
    normed, through the text projection, if the model has one. It reads Chinese as well, so
    full-width punctuation counts as syntax.

    Args:
        model: the model, in eval mode.
        tokenizer: its transformers XLMRobertaTokenizer.
        name: its name in reports and messages; the checkpoint's name by default.
        context_length: the length of chunks, by default all of the model's positions (77).
    Raises:
        TowerError: the model is of another kind or has too few positions, or the tokenizer is not
            XLM-RoBERTa's.
    """

    fullwidth = True  # Chinese input methods type it: see prompt/scanner.py
    parts = ("embeddings.token_embedding", "encoder.layers", "final_layer_norm")
    expected = (
        "MetaCLIP 2 text model: it has no encoder.layers with a final_layer_norm. MetaClip2Tower "
        "takes a MetaClip2Model or MetaClip2TextModel."
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
        n_positions = len(self._parts().embeddings.position_embedding.weight)
        length = choose_context_length(context_length, n_positions, n_positions, self.name)
        self.special = special_tokens(tokenizer, length)
        self.tokenizer = SentencePieceTokenizer(tokenizer)

    def _modules(self) -> TowerModules:
        text = self._parts()
        return TowerModules(
            text.encoder.layers, text.embeddings.token_embedding, text.final_layer_norm
        )

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        ends = first_eos(input_ids, self.special.eos).to(last.device)
        states = self._hidden(last, True)[torch.arange(len(last), device=last.device), ends]
        return project_each(self._through_projection, states)
