"""Write prompts as HTML: escaped, unseen characters made visible, the places of issues marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from re import escape as escape_pattern
from typing import TypeAlias

import clipcond.lazy_re as re
from clipcond.prompt import Issue

Span: TypeAlias = tuple[int, int, int]  # start, stop, and the number of the issue

# Characters around a place in a prompt.
BEFORE, AFTER = 40, 60
MOST_WORDS = 20  # of one issue that are looked for in the prompt
MOST_SOUGHT = 200  # characters of each
# What a browser drops, cannot show, or lets change the order of the text around: control
# characters but tab and newline, soft hyphens, marks of direction, spaces without width, tags.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_WORD = re.compile(r"(?s)\w+|.")
_QUOTED = re.compile(r"(?s)\A'(.+?)' ")


def visible(text: str) -> str:
    """Write a text as HTML: `&lt;` for `<`, and the number of each character that is not seen.

    `data-code` of the `span` around such a number is the character in hexadecimal digits, so the
    text can be read back.
    """
    return _UNSEEN.sub(_number, escape(text))


def _number(found: re.Match[str]) -> str:
    code = f"{ord(found[0]):04x}"
    return f'<span class="cc-unseen" data-code="{code}">U+{code.upper()}</span>'


def marked(source: str, spans: Iterable[Span], start: int = 0, stop: int | None = None) -> str:
    """Write a part of a prompt with the places of issues marked, and their numbers.

    Args:
        spans: of the issues, positions in the prompt; those outside of the part are left out.
        start, stop: the part; by default the whole prompt.
    """
    stop = len(source) if stop is None else stop
    inside = [
        (max(first, start), min(last, stop), number)
        for first, last, number in spans
        if first <= stop and last >= start
    ]
    cuts = sorted({start, stop, *(cut for first, last, _ in inside for cut in (first, last))})
    notes: dict[int, list[int]] = {}
    opened: dict[int, int] = {}
    for first, last, number in inside:
        notes.setdefault(first, []).append(number)
        opened[first] = opened.get(first, 0) + 1
        opened[last] = opened.get(last, 0) - 1
    written, depth = [], 0
    for cut, following in zip(cuts, [*cuts[1:], stop], strict=True):
        depth += opened.get(cut, 0)
        text = visible(source[cut:following])
        numbers = "".join(f"<sup>{number}</sup>" for number in notes.get(cut, ()))
        is_marked = numbers or depth
        written.append(f"<mark>{numbers}{text if depth else ''}</mark>" if is_marked else text)
        written.append(text if numbers and not depth else "")
    return "".join(written)


def excerpt_of(source: str, spans: Sequence[Span]) -> str:
    """Write what is around the first of some places, which is marked."""
    start, stop, _ = spans[0]
    first, last = max(0, start - BEFORE), start + AFTER + min(stop - start, AFTER)
    dots = ("…" if first else "", "…" if last < len(source) else "")
    return f"{dots[0]}{marked(source, spans, first, min(last, len(source)))}{dots[1]}"


def spans_of(issue: Issue, source: str, number: int) -> list[Span]:
    """Find what an issue is about in its prompt: its words, what it quotes, or the next word."""
    start = max(0, min(issue.position, len(source)))
    rest = source[start:]
    after = len(source) - len(rest.lstrip())
    found: list[Span] = []
    for words in issue.words[:MOST_WORDS] or _QUOTED.findall(issue.message)[:1]:
        at = _find(words, source, after) if found else after
        if not words or at < 0 or source[at : at + len(words)].casefold() != words.casefold():
            break
        after = at + len(words)
        found.append((at, after, number))
    if found:
        return found
    if _lasts(issue, rest):
        return [(start, len(source), number)]
    word = _WORD.match(source, start)
    return [(start, word.end() if word else start, number)]


def _find(words: str, source: str, start: int) -> int:
    """Find whole words from a position on; -1 if there are none, or very many are sought."""
    if len(words) > MOST_SOUGHT:
        return -1
    pattern = re.compile(rf"(?<!\w){escape_pattern(words)}(?!\w)", re.IGNORECASE)
    place = pattern.search(source, start)
    return -1 if place is None else place.start()


def _lasts(issue: Issue, rest: str) -> bool:
    """Whether an issue is about all of the rest of the prompt: tokens that were cut off it.

    Its words are the first of those tokens, so they have to be what the rest begins with.
    """
    if issue.code != "prompt-cut" or not issue.words:
        return False
    lost = "".join(issue.words[0].removesuffix("...").split()).lower()
    start = "".join(rest[: 4 * len(issue.words[0])].split()).lower()
    return bool(lost) and start.startswith(lost)
