"""CLIP's byte-level BPE tokenizer behind the Tokenizer protocol."""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache
from itertools import chain
from typing import Any

from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.wrapped import WrappedTokenizer, added_inversions, single, singles

__all__ = ["STOCK_LENGTH", "ClipBpeTokenizer", "byte_symbols", "context_of", "special_tokens"]

END_OF_WORD = "</w>"
STOCK_LENGTH = 77  # what every CLIP tokenizer says, also beside a model with more positions


class ClipBpeTokenizer(WrappedTokenizer):
    """A transformers CLIP tokenizer: text to ids without special tokens, ids to readable pieces."""

    def readable(self, token: str) -> str:
        """An entry as text; bytes that are no whole character as `\\xe7`."""
        return readable(token)

    def is_word(self, token: str) -> bool:
        """Whether an entry is a whole word."""
        return token.endswith(END_OF_WORD) and readable(token).isalpha()

    def has_whole(self, character: str) -> bool:
        """Whether some entry of the vocabulary is exactly this character."""
        symbols = byte_symbols(character.lower())
        return any(
            self.source.convert_tokens_to_ids(entry) not in (None, self.source.unk_token_id)
            for entry in (symbols, symbols + END_OF_WORD)
        )


def special_tokens(
    tokenizer: Any, context_length: int, inversions: Container[int] = ()
) -> SpecialTokens:
    """What a transformers tokenizer says of its tokens.

    The pad token is the tokenizer's own: EOS for SD1 and SDXL's first tower, `!` (id 0) for SD2
    and SDXL's second. A model's config is not asked: SD1's published one names a wrong EOS id.
    """
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    return SpecialTokens(
        bos=bos,
        eos=eos,
        pad=eos if pad is None else pad,
        context_length=context_length,
        commas=singles(tokenizer, ","),
        ends=(singles(tokenizer, "."), singles(tokenizer, ".,;:"), _WordEnds(tokenizer)),
        # ADV_CLIP_emb's masking token, 266: its author calls it a comma, which is 267
        stand_in=single(tokenizer, "+"),
        inner=_FurtherVectors(tokenizer, inversions),
    )


def context_of(tokenizer: Any, n_positions: int) -> int:
    """How long chunks are by default: as the tokenizer says, where that says anything.

    It does not where it names the stock length beside more positions (LongCLIP's 248), and where
    it states no limit, which reads as 1e30.
    """
    stated = int(tokenizer.model_max_length)
    return n_positions if stated == STOCK_LENGTH else min(stated, n_positions)


class _FurtherVectors:
    """The ids of all but the first vector of an inversion: looked up, for they come and go."""

    def __init__(self, tokenizer: Any, inversions: Container[int]) -> None:
        self.source = tokenizer
        self.inversions = inversions
        self.n_ordinary = tokenizer.vocab_size

    def __contains__(self, token_id: object) -> bool:
        if not isinstance(token_id, int) or token_id < self.n_ordinary:
            return False
        further = chain.from_iterable(ids[1:] for ids in added_inversions(self.source).values())
        return token_id in self.inversions or token_id in further


class _WordEnds:
    """The ids that end a word, half of a vocabulary: looked up, not listed."""

    def __init__(self, tokenizer: Any) -> None:
        self.source = tokenizer

    def __contains__(self, token_id: object) -> bool:
        return str(self.source.convert_ids_to_tokens(token_id)).endswith(END_OF_WORD)


@lru_cache(maxsize=1)
def _byte_symbols() -> tuple[str, ...]:
    """The printable stand-in of each byte. Source: GPT-2's byte-level BPE, as CLIP uses it."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(0x100))


def byte_symbols(text: str) -> str:
    """The text as the vocabulary writes it: a printable symbol for every byte of its UTF-8."""
    return "".join(_byte_symbols()[byte] for byte in text.encode("utf-8"))


@lru_cache(maxsize=1)
def _symbol_bytes() -> dict[str, int]:
    return {symbol: byte for byte, symbol in enumerate(_byte_symbols())}


def readable(token: str) -> str:
    """An entry of the vocabulary as the text it stands for."""
    text = token.removesuffix(END_OF_WORD)
    try:
        raw = bytes(_symbol_bytes()[symbol] for symbol in text)
    except KeyError:  # an added token is plain text, not byte symbols
        return text
    return raw.decode("utf-8", errors="backslashreplace")
