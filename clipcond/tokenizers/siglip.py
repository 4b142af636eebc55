"""SigLIP's and SigLIP 2's tokenizers behind the Tokenizer protocol."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clipcond.errors import TowerError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.folders import open_tokenizer
from clipcond.tokenizers.sentence_piece import SentencePieceTokenizer, entries_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SENTENCE_PIECE = "spiece.model"


class SiglipTokenizer(SentencePieceTokenizer):
    """A transformers tokenizer of SigLIP; texts become lower case, as in training.

    transformers' Gemma tokenizer, which SigLIP 2's folders name, leaves capitals.
    Source: google-research/big_vision, pp/ops_text.py, `lower`.
    """

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode several texts in one call."""
        return super().encode_batch([text.lower() for text in texts])


def special_tokens(tokenizer: PreTrainedTokenizerBase, context_length: int) -> SpecialTokens:
    """Read the special tokens of SigLIP's tokenizer: no beginning, EOS, padding that is seen.

    Raises:
        TowerError: it has no EOS or no padding.
    """
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    if not isinstance(eos, int) or not isinstance(pad, int):
        raise TowerError(
            f"{type(tokenizer).__name__} has no EOS or no padding, so it is no tokenizer of SigLIP"
        )
    commas = entries_of(tokenizer, ",")
    return SpecialTokens(None, eos, pad, context_length, commas=commas)


def tokenizer_in(folder: Path) -> PreTrainedTokenizerBase:
    """Open the tokenizer of a SigLIP model's folder.

    Raises:
        CheckpointError: there is none, it is broken, or it needs the package sentencepiece.
    """
    return open_tokenizer(folder, ("tokenizer.json", SENTENCE_PIECE), _read_tokenizer)


def _read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import PreTrainedTokenizerFast

    if (folder / SENTENCE_PIECE).is_file() and find_spec("sentencepiece") is not None:
        from transformers import SiglipTokenizer as Slow

        slow: PreTrainedTokenizerBase = Slow.from_pretrained(str(folder), local_files_only=True)
        return slow
    if not (folder / "tokenizer.json").is_file():
        raise ValueError(f"{SENTENCE_PIECE} needs a package: pip install sentencepiece")
    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(
        str(folder), local_files_only=True
    )
    return tokenizer
