"""Find the words of a prompt, and the rows of embeds that each is in.

What was encoded decides, not the prompt: the tokens are those of the plan. To know which characters
a token stands for, pieces of a segment's text are tokenized again, and count as words only where
that gives exactly the tokens that the plan has there.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from clipcond.chunking import Token, tokenize_each
from clipcond.conditioning.plan import Cutter
from clipcond.conditioning.token_rows import EncodedPrompt, EncodedText, PlacedToken
from clipcond.prompt import ParsedPrompt, Segment
from clipcond.prompt.notations import CJK
from clipcond.prompt.remainder import Remainder
from clipcond.towers.protocol import ReadsTexts

_UNIT = re.compile(rf"[{CJK}]|(?:(?![{CJK}])\w)+|[^\w\s]")
_IS_CJK = re.compile(f"[{CJK}]+")
# words that show nothing by themselves
_SMALL = frozenset(
    "a an the this that these those its his her their my your of on in at to into onto and or with "
    "without by for from as is are be it he she they there which who very two one".split()
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was encoded: one character or several, one token or several.

    Args:
        text: as it is written.
        prompt, start: the prompt that it is in, and where.
        rows: of the embeds, that hold its tokens; none if they were dropped.
        tower: which reads it.
    """

    text: str
    prompt: str
    start: int
    rows: tuple[int, ...]
    tower: ReadsTexts


Runs: TypeAlias = list[list[Word]]  # of one text: for each tower and member of a mixture, in order


def units_of(text: str) -> list[str]:
    """Split a text into words, Chinese characters and signs, in the form that is compared."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [match.group() for match in _UNIT.finditer(folded)]


def main_words(words: Sequence[Word]) -> list[str]:
    """List the words that say what is shown, each once: no articles, prepositions and the like.

    Chinese characters next to each other are one word. Words that were dropped, or that their tower
    cannot read, are left out.

    Args:
        words: of one run, in order.
    """
    joined: list[str] = []
    end = -1
    for word in (w for w in words if w.rows and not cannot_read(w)):
        if word.start == end and _IS_CJK.fullmatch(joined[-1][-1] + word.text):
            joined[-1] += word.text
        else:
            joined.append(word.text)
        end = word.start + len(word.text)
    named = {word.casefold(): word for word in reversed(joined) if any(map(str.isalnum, word))}
    order = dict.fromkeys(word.casefold() for word in joined)
    return [named[each] for each in order if each in named and each not in _SMALL]


def cannot_read(word: Word) -> bool:
    """Whether a word means nothing to the tower that has encoded it."""
    unread = getattr(word.tower, "unread_words", None)
    return unread is not None and bool(unread([word.text]))


def runs_of_words(prompt: EncodedPrompt) -> Runs:
    """List the words of what was encoded."""
    return [
        [*_words(text, parsed, tokens)]
        for text in prompt.towers
        for parsed, tokens in zip(text.plan.parsed.members, text.members, strict=True)
    ]


def _words(
    text: EncodedText, parsed: ParsedPrompt, tokens: Sequence[PlacedToken]
) -> Iterator[Word]:
    cutter, prompt = text.plan.cutter, text.text.prompt
    remainder = text.text.remainder or Remainder.whole(prompt)
    for index, part in enumerate(parsed.parts):
        own = [token for token in tokens if token.segment == index]
        if not own or not isinstance(part, Segment):
            continue
        cursor = bisect_left(range(len(remainder.text)), part.start, key=remainder.at)
        for start, stop, first, last in _spans(part, parsed, [each.id for each in own], cutter):
            rows = tuple(sorted({row for token in own[first:last] for row in token.rows}))
            word = part.text[start:stop]
            # between two words there may be brackets, escapes, or what another step draws
            cursor = max(cursor, remainder.text.find(word, cursor))
            yield Word(word, prompt, remainder.at(cursor), rows, cutter.tower)
            cursor += len(word)


def _spans(
    segment: Segment, parsed: ParsedPrompt, ids: list[int], cutter: Cutter
) -> Iterator[tuple[int, int, int, int]]:
    """Yield the words of a segment: start and stop in its text, first and last of its tokens.

    Args:
        ids: its tokens; those at its end may have been dropped.
    """

    def encode(texts: Sequence[str]) -> list[list[int]]:
        pieces = [replace(segment, text=each) for each in texts]
        prompts = [replace(parsed, parts=(piece,), mixture=None) for piece in pieces]
        tokens = tokenize_each(prompts, cutter.tokenizer)
        return [[each.id for each in row if isinstance(each, Token)] for row in tokens]

    coarse = [] if segment.is_name else [*re.finditer(r"\S+", segment.text)]
    rows = encode([match.group() for match in coarse])
    if [i for row in rows for i in row][: len(ids)] != ids:
        yield 0, len(segment.text), 0, len(ids)  # it cannot be taken apart
        return
    first = 0
    for match, row in zip(coarse, rows, strict=True):
        word, start = match.group(), match.start()
        ends = [unit.end() for unit in _UNIT.finditer(word)][:-1]
        begin = taken = 0
        heads, tails = encode([word[:end] for end in ends]), encode([word[end:] for end in ends])
        for end, head, tail in zip(ends, heads, tails, strict=True):
            if [*head, *tail] == row and len(head) > taken:
                yield start + begin, start + end, first + taken, first + len(head)
                begin, taken = end, len(head)
        if taken < len(row):
            yield start + begin, match.end(), first + taken, first + len(row)
        first += len(row)
