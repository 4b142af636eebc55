"""SigLIP's text tower, run by transformers; SigLIP 2's is the same with another vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from clipcond.tokenizers.siglip import SiglipTokenizer, special_tokens
from clipcond.towers.base import project_each
from clipcond.towers.modules import TowerModules, choose_context_length
from clipcond.towers.text_encoder import TextEncoderTower

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class SiglipTower(TextEncoderTower):
    """A transformers `SiglipModel`, `SiglipTextModel`, or those of SigLIP 2.

    Every token attends to every other, padding too: the model was trained so. A chunk has no
    beginning token; it ends with EOS and is always filled up. The pooled output is the last
    position's state of the last layer, normed, through the model's `head`.

    Args:
        model: the model, in eval mode.
        tokenizer: its transformers tokenizer.
        name: its name in reports and messages; the checkpoint's name by default.
        context_length: the length of chunks, by default all of the model's positions (64): with
            another one, the state that is pooled is one that training never pooled.
    Raises:
        TowerError: the model is of another kind or has too few positions, or the tokenizer has no
            EOS and padding.
    """

    parts = ("embeddings.token_embedding", "encoder.layers", "final_layer_norm", "head")
    expected = (
        "SigLIP text model: it has no encoder.layers with a final_layer_norm and a head. "
        "SiglipTower takes a SiglipModel or SiglipTextModel."
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
        self.tokenizer = SiglipTokenizer(tokenizer)

    def _modules(self) -> TowerModules:
        text = self._parts()
        return TowerModules(
            text.encoder.layers, text.embeddings.token_embedding, text.final_layer_norm
        )

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return project_each(self._parts().head, self._hidden(last, True)[:, -1])
