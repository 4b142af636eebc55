"""open_clip's own tokenizer: CLIP's vocabulary, and other cleaning than in transformers.

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
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from clipcond.errors import TowerError, excerpt, warn
from clipcond.tokenizers.base import SpecialTokens, Tokenizer
from clipcond.tokenizers.clip_bpe import (
    STOCK_LENGTH,
    ClipBpeTokenizer,
    byte_symbols,
    shipped_clip,
    special_tokens,
)
from clipcond.tokenizers.wrapped import WrappedTokenizer

if TYPE_CHECKING:
    import regex
    from transformers import PreTrainedTokenizerBase

EncodeText: TypeAlias = Callable[[str], list[int]]

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
    """CLIP's BPE with the ids of open_clip's SimpleTokenizer, without open_clip.

    Exact if ftfy is installed, which open_clip requires. Without it, text that ftfy might have
    changed (accents, curly quotes, full-width letters, mojibake, entities) is only brought to NFC,
    and a warning says so, once.

    Args:
        source: a transformers CLIP tokenizer with CLIP's vocabulary, padding with `!`; textual
            inversions may be added to it.
        encode: text -> ids, of open_clip's own tokenizer; used instead of ours if given.
    """

    def __init__(self, source: PreTrainedTokenizerBase, encode: EncodeText | None = None) -> None:
        super().__init__(source)
        self.own = encode
        self._has_warned = False

    def _encode_few(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(self._ids(text)) for text in texts]

    _encode_many = _encode_few

    def _ids(self, text: str) -> Iterator[int]:
        """Encode one text; open_clip's way applies between the names of textual inversions."""
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
        if self.own is not None:
            yield from self.own(text)
            return
        for word in _words().findall(self._clean(text)):
            if word in ("<start_of_text>", "<end_of_text>"):
                is_bos = word == "<start_of_text>"
                yield self.source.bos_token_id if is_bos else self.source.eos_token_id
            else:
                tokens = self.source.backend_tokenizer.model.tokenize(byte_symbols(word))
                yield from (token.id for token in tokens)

    def _clean(self, text: str) -> str:
        """Repair text, resolve entities, join spaces, lower case. Source: `_clean_lower` there."""
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
            f"open_clip repairs text with ftfy, which is not installed: {excerpt(repr(text))} may "
            "get other tokens than there. `pip install ftfy` makes them the same."
        )


def shipped(n_positions: int, encode: EncodeText | None = None) -> OpenClipTokenizer:
    """Build the tokenizer of a model with so many positions from this package's vocabulary."""
    return OpenClipTokenizer(shipped_clip(pad_token="!", model_max_length=n_positions), encode)


_TWINS: WeakKeyDictionary[Tokenizer, ClipBpeTokenizer] = WeakKeyDictionary()


def with_open_clip_cleaning(tokenizer: Tokenizer) -> Tokenizer:
    """Clean text as open_clip does where this is transformers' CLIP tokenizer; else return it."""
    if type(tokenizer) is not ClipBpeTokenizer or tokenizer.source.vocab_size != VOCABULARY:
        return tokenizer
    return _twin(tokenizer, OpenClipTokenizer)


def with_transformers_cleaning(tokenizer: Tokenizer) -> Tokenizer:
    """Return the twin that cleans as transformers does, if this is our open_clip tokenizer.

    Any other tokenizer is returned itself, and so is one that was given open_clip's own tokenizer:
    it has no twin.
    """
    if not isinstance(tokenizer, OpenClipTokenizer) or tokenizer.own is not None:
        return tokenizer
    return _twin(tokenizer, ClipBpeTokenizer)


def _twin(tokenizer: ClipBpeTokenizer, kind: type[ClipBpeTokenizer]) -> ClipBpeTokenizer:
    """Make the other tokenizer with this vocabulary and inversions; once, so that it warns once."""
    if tokenizer not in _TWINS:
        _TWINS[tokenizer] = kind(tokenizer.source).with_inversions(tokenizer.inversions)
    return _TWINS[tokenizer]


class HuggingFaceTokenizer(WrappedTokenizer):
    """A transformers tokenizer of any kind that open_clip's cleaning precedes."""

    def __init__(self, source: PreTrainedTokenizerBase, clean: Callable[[str], str]) -> None:
        super().__init__(source)
        self.clean = clean

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return super().encode_batch([self.clean(text) for text in texts]) if texts else []

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [str(self.source.decode([i])) for i in ids]


def wrap_tokenizer(
    tokenizer: object, *, context_length: int | None, n_entries: int, mask_padding: bool, name: str
) -> tuple[WrappedTokenizer, SpecialTokens]:
    """Wrap a tokenizer of `open_clip.get_tokenizer`, and read its special tokens.

    Args:
        tokenizer: a SimpleTokenizer, HFTokenizer, transformers tokenizer or `ClipBpeTokenizer`;
            None = CLIP's BPE.
        context_length: the model's, if it has one of its own.
        n_entries: the size of the model's vocabulary.
    Raises:
        TowerError: none is given and CLIP's does not fit, or it does not put one id before a text
            and one after it.
    """
    length: int = context_length or getattr(tokenizer, "context_length", None) or STOCK_LENGTH
    bpe = _bpe_or_none(tokenizer, length, n_entries, name)
    if bpe is not None:
        return bpe, replace(special_tokens(bpe.source, length), mask_padding=mask_padding)
    source: Any = getattr(tokenizer, "tokenizer", tokenizer)
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
    ends = frozenset(commas if len(commas) == 1 else ())
    return ours, SpecialTokens(bos, eos, source.pad_token_id, length, mask_padding, ends)


def _bpe_or_none(tokenizer: Any, length: int, n_entries: int, name: str) -> ClipBpeTokenizer | None:
    """Wrap a tokenizer that is CLIP's BPE; None if it is another."""
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
def _words() -> regex.Pattern[str]:
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
