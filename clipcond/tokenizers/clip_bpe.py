"""CLIP's byte-level BPE tokenizer behind the Tokenizer protocol."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.wrapped import (
    LookedUp,
    WrappedTokenizer,
    added_inversions,
    is_sign,
    listed,
    n_characters,
    single_token_id,
    single_token_ids,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

END_OF_WORD = "</w>"
STOCK_LENGTH = 77  # of every CLIP tokenizer, even of one for a model with more positions


class ClipBpeTokenizer(WrappedTokenizer):
    """A transformers CLIP tokenizer: text to ids without special tokens, ids to readable pieces."""

    reads_bytes = True

    def readable(self, token: str) -> str:
        """Write an entry as text; bytes that are no whole character as `\\xe7`."""
        text = token.removesuffix(END_OF_WORD)
        try:
            raw = bytes(map(_byte_symbols().index, text))
        except ValueError:  # an added token is plain text, not byte symbols
            return text
        return raw.decode("utf-8", errors="backslashreplace")

    def is_word(self, token: str) -> bool:
        return token.endswith(END_OF_WORD) and self.readable(token).isalpha()

    def has_whole(self, character: str) -> bool:
        """Whether some entry of the vocabulary is exactly this character."""
        symbols = byte_symbols(character.lower())
        return any(
            self.source.convert_tokens_to_ids(entry) not in (None, self.source.unk_token_id)
            for entry in (symbols, symbols + END_OF_WORD)
        )

    def unread_characters(self, tower: str, texts: Sequence[str]) -> str:
        """Describe the characters that no entry of the vocabulary holds whole.

        They reach the tower as bytes: most Chinese characters, many emoji.

        Returns:
            a message, or "" if there are none.
        """
        lost = self.bytes_only(texts)
        if not lost:
            return ""
        n_all = n_characters(texts)
        return (
            f"{tower!r} reads {n_all - len(lost)} of the {n_all} characters here; the others reach "
            f"it as bytes it never learned: {listed(list(dict.fromkeys(lost)))}"
        )

    def bytes_only(self, texts: Sequence[str]) -> list[str]:
        """List the characters that no entry of the vocabulary holds whole, as often as there."""
        found = [c for text in texts if not text.isascii() for c in text]
        whole = {c: self.has_whole(c) for c in set(found) if c.isalpha() or is_sign(c)}
        return [c for c in found if not whole.get(c, True)]


def special_tokens(
    tokenizer: PreTrainedTokenizerBase, context_length: int, inversions: Container[int] = ()
) -> SpecialTokens:
    """Read the special tokens of a transformers CLIP tokenizer.

    The pad token is the tokenizer's own: EOS for SD1 and SDXL's first tower, `!` (id 0) for SD2
    and SDXL's second. A model's config is not used: SD1's published one has a wrong EOS id.
    """
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    return SpecialTokens(
        bos=bos,
        eos=eos,
        pad=eos if pad is None else pad,
        context_length=context_length,
        commas=single_token_ids(tokenizer, ","),
        ends=(
            single_token_ids(tokenizer, "."),
            single_token_ids(tokenizer, ".,;:"),
            LookedUp(partial(_ends_word, tokenizer)),
        ),
        # ADV_CLIP_emb's masking token, 266: its author calls it a comma, which is 267
        stand_in=single_token_id(tokenizer, "+"),
        inner=FurtherVectors(tokenizer, tokenizer.vocab_size, inversions),
    )


def shipped_clip(**settings: Any) -> PreTrainedTokenizerBase:
    """Open OpenAI's vocabulary, which comes with the embedded model, as a transformers tokenizer.

    Args:
        settings: of the tokenizer, in place of those in its folder: `pad_token` and the like.
    """
    from transformers import CLIPTokenizer

    folder = files("clipcond") / "embedded" / "model" / "tokenizer"
    tokenizer: PreTrainedTokenizerBase = CLIPTokenizer.from_pretrained(
        str(folder), local_files_only=True, **settings
    )
    return tokenizer


def default_context_length(tokenizer: PreTrainedTokenizerBase, n_positions: int) -> int:
    """Choose the length of chunks: the tokenizer's, where it says one; else all positions.

    It says none if it has the stock length but the model more positions (LongCLIP's 248), or if it
    has no limit, which transformers writes as 1e30.
    """
    length = tokenizer.model_max_length  # may be a float, even an infinite one
    return n_positions if length == STOCK_LENGTH else int(min(length, n_positions))


@dataclass(frozen=True, slots=True)
class FurtherVectors:
    """The ids of the vectors of inversions, but for the first of each.

    Args:
        n_ordinary: how many ids are those of the vocabulary.
        inversions: the tower's own; others are those added to the tokenizer.
    """

    tokenizer: PreTrainedTokenizerBase
    n_ordinary: int
    inversions: Container[int]

    def __contains__(self, token_id: object) -> bool:
        return isinstance(token_id, int) and token_id in self.among([token_id])

    def among(self, ids: Iterable[int]) -> set[int]:
        """Choose those of some ids; the tokenizer's inversions are looked up once."""
        others = [token_id for token_id in ids if token_id >= self.n_ordinary]
        if not others:
            return set()
        vectors = added_inversions(self.tokenizer).values()
        further = {token_id for row in vectors for token_id in row[1:]}
        return {each for each in others if each in self.inversions or each in further}


def _ends_word(tokenizer: PreTrainedTokenizerBase, token_id: int) -> bool:
    return str(tokenizer.convert_ids_to_tokens(token_id)).endswith(END_OF_WORD)


@lru_cache(maxsize=1)
def _byte_symbols() -> str:
    """List the printable symbol of each byte. Source: GPT-2's byte-level BPE, as CLIP uses it."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return "".join(chr(byte if byte in printable else next(others)) for byte in range(0x100))


def byte_symbols(text: str) -> str:
    """Write a text as the vocabulary does: a printable symbol for every byte of its UTF-8."""
    return "".join(_byte_symbols()[byte] for byte in text.encode("utf-8"))
