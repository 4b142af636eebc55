"""CLIP's byte-level BPE tokenizer behind the Tokenizer protocol."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import lru_cache
from itertools import chain, count, takewhile
from typing import Any

from clipcond.tokens import SpecialTokens
from clipcond.towers.inversion import Inversions

__all__ = ["END_OF_WORD", "ClipBpeTokenizer", "readable", "special_tokens"]

END_OF_WORD = "</w>"
FEW = 5_000  # characters; more are worth the tokenizer's threads


class ClipBpeTokenizer:
    """A transformers CLIP tokenizer: text to ids without special tokens, ids to readable pieces.

    Textual inversions are those added to the tokenizer, as diffusers does it, and the tower's own.
    """

    def __init__(self, tokenizer: Any, inversions: Inversions | None = None) -> None:
        self.source = tokenizer
        self.inversions = Inversions(0, "") if inversions is None else inversions

    def encode(self, text: str) -> list[int]:
        """The ids of one text, bos and eos apart, of any length."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of several texts in one call."""
        rows = self._encode_few(texts) if sum(map(len, texts)) < FEW else None
        if rows is None:
            rows = self._encode_many(texts)
        vectors = _added(self.source)
        if not vectors:
            return rows
        return [[i for first in ids for i in vectors.get(first, (first,))] for ids in rows]

    def _encode_few(self, texts: Sequence[str]) -> list[list[int]] | None:
        """One by one: for a prompt's fragments a thread pool costs more than it saves."""
        backend = getattr(self.source, "backend_tokenizer", None)
        if backend is None or backend.truncation is not None or backend.padding is not None:
            return None  # as a pipeline's last call has left it; the call below resets that
        return [backend.encode(text, add_special_tokens=False).ids for text in texts]

    def _encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        # verbose=False: a text longer than one chunk is our daily bread, not worth a warning
        encoded = self.source(
            list(texts),
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            verbose=False,
        )
        return [list(ids) for ids in encoded["input_ids"]]

    def named(self, name: str) -> tuple[int, ...]:
        """The ids of a textual inversion; none if there is none of that name."""
        ours = self.inversions.ids(name)
        added = self.source.added_tokens_encoder
        if ours or name not in added or name in self.source.all_special_tokens:
            return ours
        return tuple(_added(self.source).get(added[name], (added[name],)))

    def has_added(self, name: str) -> bool:
        """Whether the tokenizer itself was given such a token, as it was its bos and eos."""
        return name in self.source.added_tokens_encoder

    def split_at_names(self, text: str) -> list[str | tuple[int, ...]]:
        """The text between the names of the tower's own inversions, and in their places ids."""
        return self.inversions.split(text)

    def without_names(self, text: str) -> str:
        """The text without the names of inversions."""
        pieces = self.inversions.split(text)
        text = " ".join(piece for piece in pieces if isinstance(piece, str))
        special = self.source.all_special_tokens
        for name in self.source.added_tokens_encoder:
            text = text if name in special else text.replace(name, " ")
        return text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as readable text; bytes that are no whole character as `\\xe7`."""
        names = [self.inversions.piece(i) for i in ids]
        known = [i for i, name in zip(ids, names, strict=True) if name is None]
        tokens = iter(self.source.convert_ids_to_tokens(known))
        special = set(self.source.all_special_tokens)
        texts = (token if token in special else readable(token) for token in tokens)
        return [next(texts) if name is None else name for name in names]

    def has_whole(self, character: str) -> bool:
        """Whether some entry of the vocabulary is exactly this character."""
        symbols = "".join(_byte_symbols()[byte] for byte in character.lower().encode("utf-8"))
        return any(
            self.source.convert_tokens_to_ids(entry) not in (None, self.source.unk_token_id)
            for entry in (symbols, symbols + END_OF_WORD)
        )


def special_tokens(
    tokenizer: Any, n_positions: int, inversions: Container[int] = ()
) -> SpecialTokens:
    """What a transformers tokenizer says of its tokens; context length as the model allows.

    The pad token is the tokenizer's own: EOS for SD1 and SDXL's first tower, `!` (id 0) for SD2
    and SDXL's second. A model's config is not asked: SD1's published one names a wrong EOS id.
    """
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    return SpecialTokens(
        bos=bos,
        eos=eos,
        pad=eos if pad is None else pad,
        # a tokenizer without a stated limit says 1e30
        context_length=int(min(tokenizer.model_max_length, n_positions)),
        comma=_single(tokenizer, ","),
        ends=(_singles(tokenizer, "."), _singles(tokenizer, ".,;:"), _WordEnds(tokenizer)),
        # ADV_CLIP_emb's masking token, 266: its author calls it a comma, which is 267
        stand_in=_single(tokenizer, "+"),
        inner=_FurtherVectors(tokenizer, inversions),
    )


def _added(tokenizer: Any) -> dict[int, list[int]]:
    """Textual inversions of several vectors, by the id of the first: <foo>, <foo>_1, <foo>_2.

    Looked up at every call, for they are added to a tokenizer in use. Source: diffusers,
    loaders/textual_inversion.py, which names them so.
    """
    added = tokenizer.added_tokens_encoder
    vectors: dict[int, list[int]] = {}
    for token in added:
        names = takewhile(added.__contains__, (f"{token}_{n}" for n in count(1)))
        further = [added[name] for name in names]
        if further:
            vectors[added[token]] = [added[token], *further]
    return vectors


class _FurtherVectors:
    """The ids of all but the first vector of an inversion: looked up, for they come and go."""

    def __init__(self, tokenizer: Any, inversions: Container[int]) -> None:
        self.source = tokenizer
        self.inversions = inversions
        self.n_ordinary = tokenizer.vocab_size

    def __contains__(self, token_id: object) -> bool:
        if not isinstance(token_id, int) or token_id < self.n_ordinary:
            return False
        further = chain.from_iterable(ids[1:] for ids in _added(self.source).values())
        return token_id in self.inversions or token_id in further


def _single(tokenizer: Any, text: str) -> int | None:
    """The id of a text that is one token, else None."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return int(ids[0]) if len(ids) == 1 else None


def _singles(tokenizer: Any, characters: str) -> frozenset[int]:
    """The ids of those characters that are one token each."""
    ids = (_single(tokenizer, character) for character in characters)
    return frozenset(i for i in ids if i is not None)


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
