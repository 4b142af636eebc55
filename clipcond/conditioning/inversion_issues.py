"""Make the issues of loaded textual inversions whose names a prompt has, but does not refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from clipcond.prompt import Issue, ParsedPrompt
from clipcond.prompt.notations import BRACKETS
from clipcond.prompt.segments import MOST_ISSUES, in_order

_ENDING = r"\.(?:safetensors|ckpt|pth|pt|bin)(?!\w)"
_PREFIX = "embedding:"
_BRACKET = re.compile(r"[()\[\]]")
_ROUND = re.compile(r"[()]")
_RENAME = "Load it with a token= of letters, digits and '_'."
_MISSING = "there is no embedding "


def with_inversion_issues(parsed: ParsedPrompt, names: Sequence[str]) -> ParsedPrompt:
    """Add an issue for each textual inversion that is only words in the dialect as it is typed.

    Args:
        names: of those that are loaded.
    """
    issues = _files(parsed, tuple(names)) if parsed.bare_names else ()
    found = [*_words(parsed, tuple(names)), *issues]
    if not found:
        return parsed
    return replace(parsed, issues=in_order([*parsed.issues, *found[:MOST_ISSUES]]))


def with_known_names(parsed: ParsedPrompt, names: Sequence[str]) -> ParsedPrompt:
    """Say of each embedding that is missing which of those that are loaded was meant."""
    if not any(issue.message.startswith(_MISSING) for issue in parsed.issues):
        return parsed
    issues = [
        replace(issue, remedy=_meant(parsed.source, issue, names) or issue.remedy)
        if issue.message.startswith(_MISSING)
        else issue
        for issue in parsed.issues
    ]
    return replace(parsed, issues=tuple(issues))


def _words(parsed: ParsedPrompt, names: tuple[str, ...]) -> Iterator[Issue]:
    """Make an issue of each name that is words here: without `embedding:`, or cut by brackets."""
    pattern, own = _any_name(names)
    references = [(s.start, s.stop) for s in parsed.segments if s.is_name]
    for found in pattern.finditer(parsed.source):
        start, stop = found.span()
        name = own[" ".join(found[0].casefold().split())]
        if any(begin <= start < end for begin, end in references):
            continue
        if parsed.bare_names and (not _BRACKET.search(name) or _is_read(parsed, start, name)):
            continue
        message = f"{found[0]!r} is a loaded textual inversion, but only words here"
        remedy = _how_to_write(parsed, name, parsed.source[stop : stop + 12])
        yield Issue(message, start, remedy, "inversion", (found[0],))


def _files(parsed: ParsedPrompt, names: tuple[str, ...]) -> Iterator[Issue]:
    """Make an issue of each name with the ending of its file, which stays as text."""
    for found in _any_file(names).finditer(parsed.source):
        message = f"{found[0]!r} is a loaded textual inversion, but its ending is text here"
        yield Issue(message, found.start(), f"Write {found[1]}.", "inversion", (found[0],))


def _how_to_write(parsed: ParsedPrompt, name: str, behind: str) -> str:
    if parsed.bare_names:
        is_escaped = parsed.syntax in BRACKETS or (parsed.syntax == "compel" and "[" not in name)
        return f"Write {_escaped(name, _BRACKET)}." if is_escaped else _RENAME
    if re.search(r"\s", name):
        return _RENAME
    is_ended = not behind or behind[0] in " \n,()" or re.match(_ENDING, behind)
    space = "" if is_ended or re.match(r"\s?:\s?[\d.]+\s?\)", behind) else " and a space"
    return f"Write {_PREFIX}{_escaped(name, _ROUND)}{space} in this dialect."


def _escaped(name: str, brackets: re.Pattern[str]) -> str:
    return brackets.sub(r"\\\g<0>", name)


def _is_read(parsed: ParsedPrompt, start: int, name: str) -> bool:
    """Whether a segment holds a name that begins in it."""
    at = next((s for s in parsed.segments if s.start <= start < s.stop), None)
    return at is not None and name.casefold() in at.text.casefold()


def _meant(source: str, issue: Issue, names: Sequence[str]) -> str:
    """Say how to refer to the inversion that was meant; "" if none is loaded."""
    typed = source[issue.position :].removeprefix(_PREFIX).casefold()
    longest = sorted(names, key=len, reverse=True)
    name = next((each for each in longest if typed.startswith(each.casefold())), "")
    if not name:
        return ""
    if re.search(r"\s", name):
        return f"A name ends at a space. {_RENAME}"
    if _ROUND.search(name):
        return f"Write {_PREFIX}{_escaped(name, _ROUND)} in this dialect."
    behind = typed[len(name) :][:1]
    if not behind or behind.isalnum() or behind in "_-":
        return ""
    return f"A name ends at a space: write {_PREFIX}{name} and a space."


@lru_cache(16)
def _any_name(names: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """Make a pattern of the names, and list them by what it finds."""
    written = sorted(names, key=len, reverse=True)
    any_name = "|".join(r"\s+".join(map(re.escape, name.split())) for name in written)
    pattern = re.compile(rf"(?<![\w\-])(?<!{_PREFIX})(?:{any_name})(?![\w\-])", re.IGNORECASE)
    return pattern, {" ".join(name.casefold().split()): name for name in names}


@lru_cache(16)
def _any_file(names: tuple[str, ...]) -> re.Pattern[str]:
    """Make a pattern of the names with the ending of a file, of those that have none."""
    written = [name for name in names if not re.search(_ENDING, name)] or ["\0"]
    any_name = "|".join(map(re.escape, sorted(written, key=len, reverse=True)))
    return re.compile(rf"(?<![\w\-])(?<!{_PREFIX})({any_name}){_ENDING}", re.IGNORECASE)
