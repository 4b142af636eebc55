"""AltCLIP's text tower: XLM-RoBERTa, and a transformation into the width of CLIP's text states."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.tokenizers.sentence_piece import SentencePieceTokenizer, special_tokens
from clipcond.towers.modules import TowerModules, choose_context_length
from clipcond.towers.text_encoder import TextEncoderTower

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TRAINED_LENGTH = 77  # of 512 positions. Source: FlagAI, which cuts AltCLIP's texts there


class AltClipTower(TextEncoderTower):
    """A transformers `AltCLIPModel`, `AltCLIPTextModel` or a `TextEncoder` of the former.

    A bidirectional XLM-RoBERTa: every token attends to every other except padding, which is masked
    and has no position. A hidden state is a block's output after `pre_LN` and `transformation`,
    each token by itself, so it is 768 wide where the blocks are 1024. Clip skip n is that of the
    n-th hidden state from the end, and clip skip 1 the `last_hidden_state` of transformers.
    `pre_LN` is the final norm. `HiddenLayer(final_norm=False)` leaves it out and keeps the
    transformation, and so the width; with depth 1 that is what the UNet of the first AltDiffusion
    reads (`projection_state` in diffusers' RobertaSeries model). The pooled output is the last
    layer's first hidden state through the text projection, if the model has one.

    It reads Chinese and English. Its Chinese users type full-width punctuation, which counts as
    syntax therefore, as with every Chinese tower (`fullwidth`).

    Args:
        model: the model, in eval mode.
        tokenizer: its transformers XLMRobertaTokenizer.
        name: its name in reports and messages; the checkpoint's name by default.
        context_length: the length of chunks, at most the model's positions (512). By default 77, on
            which the published model was trained.
    Raises:
        TowerError: the model is of another kind or has too few positions, or the tokenizer is not
            XLM-RoBERTa's, or that of another model.
    """

    fullwidth = True  # Chinese input methods type it: see prompt/scanner.py
    parts: ClassVar[tuple[str, ...]] = ("roberta", "pre_LN", "transformation")
    expected = (
        "AltCLIP text model: it has no roberta with a pre_LN and a transformation. AltClipTower "
        "takes an AltCLIPModel or AltCLIPTextModel."
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
        embeddings = self._parts().roberta.embeddings
        pad = embeddings.padding_idx
        # the first position is padding + 1; those before it are not used
        n_positions = len(embeddings.position_embeddings.weight) - pad - 1
        length = choose_context_length(context_length, TRAINED_LENGTH, n_positions, self.name)
        self.special = special_tokens(tokenizer, length)
        if self.special.pad != pad:
            raise TowerError(
                f"{type(tokenizer).__name__} pads with id {self.special.pad}, but {self.name!r} "
                f"takes id {pad} for padding: this tokenizer belongs to another model"
            )
        self.tokenizer = SentencePieceTokenizer(tokenizer)

    @property
    def width(self) -> int:
        """D, the width of hidden states: behind `transformation`."""
        width: int = self._parts().transformation.out_features
        return width

    def _modules(self) -> TowerModules:
        text = self._parts()
        encoder = text.roberta.encoder
        blocks = getattr(encoder, "layers", None) or encoder.layer
        return TowerModules(blocks, text.roberta.embeddings.word_embeddings, text.pre_LN)

    def _hidden(self, output: Tensor, final_norm: bool) -> Tensor:
        hidden: Tensor = self._parts().transformation(super()._hidden(output, final_norm))
        return hidden

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return self._through_projection(self._hidden(last, True)[:, 0])
