"""open_clip's own tokenizer: CLIP's vocabulary, other cleaning than transformers does.

It repairs text with ftfy, resolves HTML entities, and knows `<start_of_text>` and `<end_of_text>`
where transformers knows `<|startoftext|>` and `<|endoftext|>`. Chunks are padded with id 0, `!`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from clipcond.errors import ClipcondWarning, excerpt, warn
from clipcond.towers.clip_bpe import ClipBpeTokenizer, byte_symbols

__all__ = ["VOCABULARY", "OpenClipTokenizer", "shipped"]

VOCABULARY = 49_408  # entries of CLIP's BPE, bos and eos included
# What one word is. Source: open_clip 3.3, tokenizer.py, SimpleTokenizer, after OpenAI's CLIP.
WORDS = (
    r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
# Text that ftfy leaves as it is: printable ASCII without entities, ideographs, kana, emoji.
# test_what_needs_no_ftfy looks at every one of these characters.
PLAIN = re.compile(
    r"(?:[\t\n\r !-%'-~\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff"
    r"\U0001f300-\U0001f64f]|&(?![#\w]))*"
)


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
        if repair is not None:
            text = repair(text)
        else:
            self._warn_unrepaired(text)
            text = unicodedata.normalize("NFC", text)
        text = html.unescape(html.unescape(text))
        return " ".join(text.split()).lower()

    def _warn_unrepaired(self, text: str) -> None:
        if self._has_warned or PLAIN.fullmatch(text):
            return
        self._has_warned = True
        warn(
            ClipcondWarning(
                f"open_clip repairs text with ftfy, which is not installed: "
                f"{excerpt(repr(text))} may get other tokens than there. `pip install ftfy` makes "
                f"them the same."
            )
        )


def shipped(n_positions: int, encode: Callable[[str], list[int]] | None = None) -> Any:
    """The tokenizer of a model with so many positions, from the vocabulary within this package."""
    from transformers import CLIPTokenizer

    folder = Path(str(files("clipcond"))) / "embedded" / "model" / "tokenizer"
    source = CLIPTokenizer.from_pretrained(
        str(folder), local_files_only=True, pad_token="!", model_max_length=n_positions
    )
    return OpenClipTokenizer(source, encode)


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
