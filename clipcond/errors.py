"""Every exception and warning of clipcond, and the caret that shows a place in a prompt.

    ClipcondError
    ├── PromptError (ValueError)             a prompt that cannot be used; shows where
    │   ├── PromptSyntaxError                its syntax is wrong
    │   └── WeightingError                   its weights cannot act
    ├── PromptTypeError (TypeError)          a prompt that is no string or list of strings
    ├── UnknownNameError (ValueError)        no syntax, rule, dialect... of that name
    ├── TowerError (ValueError)              a tower asked for what it cannot do
    ├── CheckpointError (OSError)            a file or folder that cannot be opened as a tower
    ├── PairsError (ValueError)              a file of pairs that cannot be trained on
    ├── TrainingError (RuntimeError)         a training that cannot start or go on
    └── PipelineError (TypeError)            a pipeline that cannot be conditioned
    ClipcondWarning (UserWarning)
    └── PromptWarning                        something in a prompt was not done as written

An error says what was wrong, where, and how to mend it; it keeps these parts as attributes and
pickles.
"""

from __future__ import annotations

import os
import sys
import unicodedata
import warnings
from collections.abc import Iterable
from contextvars import ContextVar
from difflib import get_close_matches
from types import FrameType

# Columns of the source shown before and after the caret; with the indent this fits 80 columns.
BEFORE, AFTER = 40, 30
_PACKAGE = os.path.dirname(__file__)


class ClipcondError(Exception):
    """Root of all errors raised by clipcond: a message and, where there is one, a remedy."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.remedy) if part)


class PromptError(ClipcondError, ValueError):
    """A prompt that cannot be used; str() draws a caret under `position` of `source`."""

    def __init__(self, message: str, source: str = "", position: int = 0, remedy: str = "") -> None:
        Exception.__init__(self, message, source, position, remedy)
        self.message = message
        self.source = source
        self.position = position
        self.remedy = remedy

    def __str__(self) -> str:
        return _told(self.message, self.source, self.position, self.remedy)


class PromptSyntaxError(PromptError):
    """The syntax of a prompt is wrong at `position`."""


class WeightingError(PromptError):
    """Weights that a rule cannot apply, or that lead beyond what numbers can hold."""


class PromptTypeError(ClipcondError, TypeError):
    """A prompt is neither a string nor a list of strings."""


class UnknownNameError(ClipcondError, ValueError):
    """There is no `kind` called `name`; the message offers the nearest of `known`."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        Exception.__init__(self, kind, name, self.known)
        self.message, self.remedy = self._message(), ""

    def _message(self) -> str:
        near = get_close_matches(str(self.name)[:100].lower(), self.known, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        return f"no {self.kind} {excerpt(repr(self.name))}.{guess} Known: {', '.join(self.known)}."


class TowerError(ClipcondError, ValueError):
    """A text tower was asked for something it does not have or cannot do."""


class CheckpointError(ClipcondError, OSError):
    """A file or folder cannot be opened as what it should be; `path` names it."""

    def __init__(self, message: str, path: str | os.PathLike[str] = "", remedy: str = "") -> None:
        Exception.__init__(self, message, path, remedy)
        self.message = message
        self.path = path
        self.remedy = remedy


class PipelineError(ClipcondError, TypeError):
    """A pipeline is of a kind, or in a state, that cannot be conditioned."""


class PairsError(ClipcondError, ValueError):
    """A file of pairs cannot be trained on: unreadable, or too much in it is."""


class TrainingError(ClipcondError, RuntimeError):
    """A training cannot start, go on where it stopped, or reach anything."""


class ClipcondWarning(UserWarning):
    """Root of all warnings given by clipcond."""


class PromptWarning(ClipcondWarning):
    """Something in a prompt is not done as written; str() draws a caret if given the source."""

    def __init__(self, message: str, source: str = "", position: int = 0, remedy: str = "") -> None:
        super().__init__(message, source, position, remedy)
        self.message = message
        self.source = source
        self.position = position
        self.remedy = remedy

    def __str__(self) -> str:
        return _told(self.message, self.source, self.position, self.remedy)


def _told(message: str, source: str, position: int, remedy: str) -> str:
    shown = caret(source, position) if source else ""
    return "\n".join(part for part in (message, shown, remedy) if part)


# The prompt now worked on, and a place in it: a warning that names no prompt points there.
SUBJECT: ContextVar[tuple[str, int] | None] = ContextVar("subject", default=None)


def warn(warning: ClipcondWarning) -> None:
    """Warn, pointing at the line outside this package that led here."""
    subject = SUBJECT.get()
    if subject and isinstance(warning, PromptWarning) and not warning.source:
        warning = PromptWarning(warning.message, *subject, warning.remedy)
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and _is_ours(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package; `pipelines` may lie in a folder of its own."""
    name = frame.f_globals.get("__name__", "")
    return frame.f_code.co_filename.startswith(_PACKAGE) or name.startswith("clipcond.")


def excerpt(text: str, most: int = 60) -> str:
    """The text, or its beginning and an ellipsis, for use in a message."""
    return text if len(text) <= most else text[: most - 3] + "..."


def printable(text: str) -> str:
    """The text without what would steer a terminal, or cannot be written to it."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def caret(source: str, position: int) -> str:
    """Draw the line of the source that holds a position, and a caret under it.

    Long lines are cut to a window around the caret, a source of several lines gets its line number,
    and wide characters (Chinese, emoji) count as the two columns they take on a terminal.

    Args:
        source: the whole prompt.
        position: index of a character of it; its length means just behind the end.
    Returns:
        two lines, both indented by two spaces.
    """
    position = max(0, min(position, len(source)))
    start = source.rfind("\n", 0, position) + 1
    end = source.find("\n", position)
    end = len(source) if end < 0 else end
    label = f"line {source.count(chr(10), 0, start) + 1}: " if "\n" in source else ""
    first = _fit(reversed(source[max(start, position - BEFORE) : position]), BEFORE)
    last = _fit(iter(source[position : min(end, position + AFTER)]), AFTER)
    before = _shown(source[position - first : position])
    after = _shown(source[position : position + last])
    if position - first > start:
        before = "..." + before
    if position + last < end:
        after += "..."
    indent = 2 + _width(label) + _width(before)
    return f"  {label}{before}{after}\n{' ' * indent}^"


def _fit(characters: Iterable[str], columns: int) -> int:
    """How many of the characters fit into so many columns."""
    count = 0
    for character in characters:
        columns -= _width(character)
        if columns < 0:
            break
        count += 1
    return count


def _shown(text: str) -> str:
    """Text without what would move the caret off its character: tabs, escapes, joiners."""
    kinds = map(unicodedata.category, text)
    return "".join(
        " " if kind in {"Cc", "Cs", "Zl", "Zp"} else character
        for character, kind in zip(text, kinds, strict=True)
        if kind != "Cf"
    )


def _width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
