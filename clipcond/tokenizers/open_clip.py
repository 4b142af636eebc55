"""open_clip's own tokenizer: CLIP's vocabulary, other cleaning than transformers does.

It repairs text with ftfy, resolves HTML entities, and knows `<start_of_text>` and `<end_of_text>`
where transformers knows `<|startoftext|>` and `<|endoftext|>`. Chunks are padded with id 0, `!`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from clipcond.errors import ClipcondWarning, TowerError, excerpt, warn
from clipcond.tokenizers.base import SpecialTokens, Tokenizer
from clipcond.tokenizers.clip_bpe import (
    STOCK_LENGTH,
    ClipBpeTokenizer,
    byte_symbols,
    special_tokens,
)
from clipcond.tokenizers.wrapped import WrappedTokenizer

__all__ = [
    "VOCABULARY",
    "OpenClipTokenizer",
    "as_open_clip",
    "as_transformers",
    "shipped",
    "tokens_of",
]

VOCABULARY = 49_408  # entries of CLIP's BPE, bos and eos included
# What one word is. Source: open_clip 3.3, tokenizer.py, SimpleTokenizer, after OpenAI's CLIP.
WORDS = r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# Characters that ftfy leaves alone: printable ASCII, ideographs, kana, hangul, most emoji; and the
# small accented letters of western Europe, one at a time: two together may look like broken UTF-8.
PLAIN = re.compile(
    "(?:[\t\n\r -~\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\U0001f300-\U0001faff]|(?<![^\0-\x7f])[\xdf-\xf6\xf8-\xff](?![^\0-\x7f]))*"
)
ENTITY = re.compile(r"&#?\w+;")  # ftfy resolves some that html does not, such as &EACUTE;


class OpenClipTokenizer(ClipBpeTokenizer):
    """Text to ids exactly as open_clip's SimpleTokenizer gives them, without open_clip.

    Exact where ftfy is installed, which open_clip requires. Without it, text that ftfy might have
    changed (accents, curly quotes, full-width letters, mojibake, entities) is only brought to NFC,
    and a warning says so, once.

    Args:
        source: a transformers CLIP tokenizer with CLIP's vocabulary, padding with `!`; textual
            inversions may be added to it.
        encode: open_clip's own tokenizer's, if it is to be used instead: text -> ids.
    """

    def __init__(self, source: Any, encode: Callable[[str], list[int]] | None = None) -> None:
        super().__init__(source)
        self._own = encode
        self._has_warned = False

    def _encode_few(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(self._ids(text)) for text in texts]

    def _encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        return self._encode_few(texts)

    def _ids(self, text: str) -> Iterator[int]:
        """The ids of one text; between the names of textual inversions as open_clip has it."""
        added = {n: i for n, i in self.source.added_tokens_encoder.items() if i >= VOCABULARY}
        if not added:
            yield from self._ids_of_plain(text)
            return
        longest_first = sorted(added, key=len, reverse=True)
        for part in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
            if part in added:
                yield added[part]
            else:
                yield from self._ids_of_plain(part)

    def _ids_of_plain(self, text: str) -> Iterator[int]:
        if self._own is not None:
            yield from self._own(text)
            return
        for word in _words().findall(self._clean(text)):
            if word in ("<start_of_text>", "<end_of_text>"):
                is_bos = word == "<start_of_text>"
                yield self.source.bos_token_id if is_bos else self.source.eos_token_id
            else:
                yield from self._ids_of_word(word)

    def _ids_of_word(self, word: str) -> Iterator[int]:
        for token in self.source.backend_tokenizer.model.tokenize(byte_symbols(word)):
            yield token.id

    def _clean(self, text: str) -> str:
        """Repair, resolve entities, single spaces, small letters. Source: `_clean_lower` there."""
        repair = _fix_text()
        repaired = unicodedata.normalize("NFC", text) if repair is None else repair(text)
        resolved = html.unescape(html.unescape(repaired))
        if repair is None:
            self._warn_unrepaired(text, resolved)
        return " ".join(resolved.split()).lower()

    def _warn_unrepaired(self, text: str, resolved: str) -> None:
        is_plain = PLAIN.fullmatch(text) and PLAIN.fullmatch(resolved)
        is_final = html.unescape(resolved) == resolved and not ENTITY.search(resolved)
        if self._has_warned or (is_plain and is_final):
            return
        self._has_warned = True
        warn(
            ClipcondWarning(
                f"open_clip repairs text with ftfy, which is not installed: "
                f"{excerpt(repr(text))} may get other tokens than there. `pip install ftfy` makes "
                f"them the same."
            )
        )


def shipped(
    n_positions: int, encode: Callable[[str], list[int]] | None = None
) -> OpenClipTokenizer:
    """The tokenizer of a model with so many positions, from the vocabulary within this package."""
    from transformers import CLIPTokenizer

    folder = Path(str(files("clipcond"))) / "embedded" / "model" / "tokenizer"
    source = CLIPTokenizer.from_pretrained(
        str(folder), local_files_only=True, pad_token="!", model_max_length=n_positions
    )
    return OpenClipTokenizer(source, encode)


_TWINS: WeakKeyDictionary[Tokenizer, ClipBpeTokenizer] = WeakKeyDictionary()


def as_open_clip(tokenizer: Tokenizer) -> Tokenizer:
    """The same vocabulary and inversions with open_clip's cleaning, if this is CLIP's BPE."""
    if type(tokenizer) is not ClipBpeTokenizer or tokenizer.source.vocab_size != VOCABULARY:
        return tokenizer
    return _twin(tokenizer, OpenClipTokenizer)


def as_transformers(tokenizer: Tokenizer) -> Tokenizer:
    """The same vocabulary and inversions with transformers' cleaning, if this is open_clip's.

    A tokenizer of open_clip's own that was handed in stays what it is.
    """
    if not isinstance(tokenizer, OpenClipTokenizer) or tokenizer._own is not None:
        return tokenizer
    return _twin(tokenizer, ClipBpeTokenizer)


def _twin(tokenizer: ClipBpeTokenizer, kind: type[ClipBpeTokenizer]) -> ClipBpeTokenizer:
    """Made once for each tokenizer, so that it also warns once."""
    if tokenizer not in _TWINS:
        _TWINS[tokenizer] = kind(tokenizer.source).knowing(tokenizer.inversions)
    return _TWINS[tokenizer]


class HuggingFaceTokenizer(WrappedTokenizer):
    """A transformers tokenizer of any kind, with open_clip's cleaning before it."""

    def __init__(self, source: Any, clean: Callable[[str], str]) -> None:
        super().__init__(source)
        self.clean = clean

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return super().encode_batch([self.clean(text) for text in texts]) if texts else []

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [self.source.decode([i]) for i in ids]


def tokens_of(
    tokenizer: Any, *, context_length: int | None, n_entries: int, mask_padding: bool, name: str
) -> tuple[Tokenizer, SpecialTokens]:
    """A tokenizer as `open_clip.get_tokenizer` gives it, and the special tokens it works with.

    Args:
        tokenizer: a SimpleTokenizer, HFTokenizer, transformers tokenizer or `ClipBpeTokenizer`;
            None = CLIP's BPE.
        context_length: the model's, if it has one of its own.
        n_entries: of the model's vocabulary.
    Raises:
        TowerError: none given where CLIP's does not fit; one that frames text as no chunk can be.
    """
    length: int = context_length or getattr(tokenizer, "context_length", None) or STOCK_LENGTH
    bpe = _as_bpe(tokenizer, length, n_entries, name)
    if bpe is not None:
        special = special_tokens(bpe.source, length)
        return bpe, replace(special, context_length=length, mask_padding=mask_padding)
    source = getattr(tokenizer, "tokenizer", tokenizer)
    framed = list(source("", verbose=False)["input_ids"])
    has_mode = bool(getattr(tokenizer, "tokenizer_mode", ""))
    if len(framed) != 2 or source.pad_token_id is None or has_mode:
        raise TowerError(
            f"the tokenizer of {name!r} makes {framed} of an empty text; a chunk has one id before "
            f"its text, one after it, and padding"
        )
    bos, eos = framed
    if getattr(tokenizer, "strip_sep_token", False):
        eos = 0
    ours = HuggingFaceTokenizer(source, getattr(tokenizer, "clean_fn", str))
    commas = ours.encode("a,")[len(ours.encode("a")) :]
    return ours, SpecialTokens(
        bos=bos,
        eos=eos,
        pad=source.pad_token_id,
        context_length=length,
        mask_padding=mask_padding,
        commas=frozenset(commas if len(commas) == 1 else ()),
    )


def _as_bpe(tokenizer: Any, length: int, n_entries: int, name: str) -> ClipBpeTokenizer | None:
    """CLIP's BPE behind one of its tokenizers; None = it is something else."""
    if isinstance(tokenizer, ClipBpeTokenizer):
        return tokenizer
    is_simple = hasattr(tokenizer, "sot_token_id") and hasattr(tokenizer, "bpe_ranks")
    if tokenizer is not None and not is_simple:
        return None
    size = tokenizer.vocab_size if is_simple else n_entries
    if size != VOCABULARY:
        raise TowerError(
            f"{name!r} has a vocabulary of {size} entries, not CLIP's {VOCABULARY}: its own "
            f"tokenizer is needed",
            "Give open_clip.get_tokenizer(...) of this model as tokenizer=.",
        )
    return shipped(length, tokenizer.encode if is_simple else None)


@lru_cache(maxsize=1)
def _words() -> Any:
    import regex  # transformers needs it too: \p{L} is beyond the standard library

    return regex.compile(WORDS, regex.IGNORECASE)


@lru_cache(maxsize=1)
def _fix_text() -> Callable[[str], str] | None:
    try:
        from ftfy import fix_text
    except ImportError:
        return None
    repair: Callable[[str], str] = fix_text
    return repair
