"""Say what of a prompt is cut, and where that begins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

import clipcond.lazy_re as re
from clipcond.chunking import Token, TokenChunk, inner_ids
from clipcond.errors import PromptWarning, counted, excerpt, warn
from clipcond.prompt import Break
from clipcond.prompt.notations import CJK
from clipcond.tokenizers.base import Tokenizer
from clipcond.towers.protocol import ReadsTexts

_BYTES = re.compile(r"\\x[\da-f]{2}|\ufffd")
_WORD = re.compile(rf"[{CJK}]|(?:(?![{CJK}])\w)+|[^\w\s]")


def warn_cut(tokens: Sequence[Token | Break], tower: ReadsTexts, prompt: str) -> None:
    """Warn of a textual inversion that is cut because no chunk can hold it."""
    inner = inner_ids((token for token in tokens if isinstance(token, Token)), tower.special)
    n_vectors, room = 0, tower.special.room
    for token in tokens if inner else ():
        n_vectors = n_vectors + 1 if isinstance(token, Token) and token.id in inner else 1
        if n_vectors == room + 1:
            message = f"a textual inversion has more vectors than the {room} tokens of a chunk of "
            message += f"{tower.name!r}: it is cut"
            code, position = "inversion-cut", token.start
            warn(PromptWarning(message, position=position, code=code, prompt=prompt))
            break


def warn_dropped(
    chunks: Sequence[TokenChunk], n_kept: int, tower: ReadsTexts, limit: str, at: tuple[str, int]
) -> None:
    """Warn of what is lost of a prompt that has more chunks than are taken.

    Args:
        limit: what limits it: "dialect '...'", or a conditioner's "max_chunks".
        at: the prompt, and where the first loss is.
    """
    ids = [chunk.input_ids[place] for chunk in chunks[n_kept:] for place in chunk.places]
    n_empty = len(chunks) - n_kept
    lost = excerpt(" ".join(tower.tokenizer.pieces(ids[:60])))
    if _BYTES.search(lost):  # of characters that the tower has no words for
        lost = excerpt(at[0][at[1] :].strip()) or lost
    is_own = limit == "max_chunks"
    warn(
        PromptWarning(
            f"the prompt needs {len(chunks)} chunks of {tower.special.room} tokens; {limit} "
            f"takes {n_kept}; dropped: {repr(lost) if ids else counted(n_empty, 'empty chunk')}",
            position=at[1],
            remedy="Shorten the prompt, or give the Conditioner a higher max_chunks=."
            if is_own
            else "Shorten the prompt, or take dialect 'a1111', which takes any length.",
            code="prompt-cut",
            words=(lost,) if ids else (),
            prompt=at[0],
        )
    )


def first_lost_word(
    lost: TokenChunk,
    kept: Sequence[TokenChunk],
    tokens: Sequence[Token | Break],
    prompt: str,
    tokenizer: Tokenizer,
) -> int:
    """Find where the first word is that is not kept; if text was escaped, its segment."""
    first = lost.segments[lost.places.start]
    own = [t for t in tokens if isinstance(t, Token) and t.segment == first]
    start, stop = (own[0].start, own[0].stop) if own else (0, 0)
    n_before = sum(chunk.segments.count(first) for chunk in kept)
    if not n_before or len(tokenizer.encode(prompt[start:stop])) != len(own):
        return start
    words = [*islice(_WORD.finditer(prompt, start, stop), n_before + 1)]
    ends = [word.end() for word in words]
    index = bisect_right(ends, n_before, key=lambda end: len(tokenizer.encode(prompt[start:end])))
    return words[min(index, len(words) - 1)].start()
