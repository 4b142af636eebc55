"""Define every exception and warning of clipcond, and draw carets under prompts.

An error says what was wrong, where, and how to mend it. It keeps these parts as attributes, and can
be pickled.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable
from contextvars import ContextVar
from difflib import get_close_matches
from itertools import accumulate
from types import FrameType

# Columns of the source shown before and after the caret; with the indent this fits 80 columns.
BEFORE, AFTER = 40, 30
_PACKAGE = os.path.join(os.path.dirname(__file__), "")
# What is between a user's line and this package: diffusers calls `encode_prompt`, torch decorates
# it, and a custom pipeline's file is a module of the last.
_LIBRARIES = frozenset({"diffusers", "torch", "transformers", "accelerate", "diffusers_modules"})


class ClipcondError(Exception):
    """Root of all errors raised by clipcond: a message and, where there is one, a remedy."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.remedy) if part)


class _AtPosition(Exception):
    """A message about `position` of `source`, with a remedy; str() draws a caret under it."""

    def __init__(self, message: str, source: str = "", position: int = 0, remedy: str = "") -> None:
        Exception.__init__(self, message, source, position, remedy)
        self.message = message
        self.source = source
        self.position = position
        self.remedy = remedy

    def __str__(self) -> str:
        shown = caret(self.source, self.position) if self.source else ""
        return "\n".join(part for part in (self.message, shown, self.remedy) if part)


class PromptError(_AtPosition, ClipcondError, ValueError):
    """A prompt that cannot be used; str() draws a caret under `position` of `source`."""


class PromptSyntaxError(PromptError):
    """The syntax of a prompt is wrong at `position`."""


class WeightingError(PromptError):
    """A rule cannot apply the weights, or they lead beyond what numbers can hold."""


class PromptTypeError(ClipcondError, TypeError):
    """A prompt is neither a string nor a list of strings."""


class ArgumentError(ClipcondError, TypeError, ValueError):
    """An argument is not of the kind that it has to be."""


class LimitError(ArgumentError, PromptError):
    """A limit, such as `max_chunks`, is no number that it can be."""


# What other tools call some of our names.
_OTHERS_CALL = {
    **dict.fromkeys(("gpu", "nvidia", "rocm", "hip", "amd"), ("cuda",)),
    **dict.fromkeys(("metal", "apple", "m1"), ("mps",)),
    **dict.fromkeys(("half", "fp16", "float16"), ("float16", "fp16")),
    **dict.fromkeys(("float", "single", "full", "fp32", "float64", "fp64"), ("float32", "no")),
    **dict.fromkeys(("float32", "none"), ("no",)),
    **dict.fromkeys(("bf16", "bfloat16"), ("bfloat16", "bf16")),
}


class UnknownNameError(ClipcondError, ValueError):
    """There is no `kind` of that name; the message offers the nearest of `known`."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        Exception.__init__(self, kind, name, self.known)
        typed = str(name)[:100].lower()
        meant = _OTHERS_CALL.get(typed.removeprefix("torch."), ())
        near = [each for each in meant if each in self.known]
        near = near or get_close_matches(typed, self.known, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        self.message = f"no {kind} {excerpt(repr(name))}.{guess} Known: {', '.join(self.known)}."
        self.remedy = ""


class TowerError(ClipcondError, ValueError):
    """A text tower was asked for something it does not have or cannot do."""


class _AtPath(Exception):
    def __init__(self, message: str, path: str | os.PathLike[str] = "", remedy: str = "") -> None:
        Exception.__init__(self, message, path, remedy)
        self.message = message
        self.path = path
        self.remedy = remedy


class CheckpointError(_AtPath, ClipcondError, OSError):
    """The file or folder at `path` cannot be opened as what it should be."""


class PictureError(_AtPath, ClipcondError, OSError):
    """A picture cannot be read, or is none; `path` is its file, or "" for one in memory."""


class ReadingError(ClipcondError, ValueError):
    """Pictures and texts cannot be compared as asked: labels, templates, embeddings."""


class PipelineError(ClipcondError, TypeError):
    """A pipeline cannot be conditioned: its kind is unknown, or something is missing in it."""


class PairingError(PipelineError, ValueError):
    """The prompts, second prompts or negative prompts of a call are not equally many."""


class PairsError(ClipcondError, ValueError):
    """A file of pairs cannot be trained on, because it or too many of its rows are unreadable."""


class BulkError(ClipcondError, ValueError):
    """Captions cannot be encoded into a folder, or what a folder holds cannot be read."""


class BadLine(ClipcondError, ValueError):
    """A line of a file of prompts that no picture can be made of."""


class TrainingError(ClipcondError, RuntimeError):
    """A training cannot start, cannot go on where it stopped, or learns nothing."""


class ClipcondWarning(UserWarning):
    """Root of all warnings given by clipcond."""


class PromptWarning(_AtPosition, ClipcondWarning):
    """Something in a prompt is not done as written; str() draws a caret if given the source.

    Args:
        code, words: as an `Issue` has them.
        prompt: the prompt that the position is in, where no caret is wanted; else the source.
    """

    def __init__(
        self,
        message: str,
        source: str = "",
        position: int = 0,
        remedy: str = "",
        *,
        code: str = "",
        words: tuple[str, ...] = (),
        prompt: str = "",
    ) -> None:
        super().__init__(message, source, position, remedy)
        self.code = code
        self.words = words
        self.prompt = prompt or source


# The prompt at work, and a position in it: for warnings from functions that do not know the prompt.
SUBJECT: ContextVar[tuple[str, int] | None] = ContextVar("subject", default=None)
# Lists in which this thread's warnings are collected, the first of them by the innermost collection
# alone, and whether they are given as well.
COLLECTED: ContextVar[tuple[tuple[list[ClipcondWarning], ...], bool] | None] = ContextVar(
    "collected", default=None
)


def warn(warning: ClipcondWarning | str, *, shown: bool = True, collected: bool = True) -> None:
    """Warn, pointing at the line that called this package, or the pipeline that did.

    Args:
        warning: the warning, or the message of a ClipcondWarning.
        shown, collected: False = it is only collected, or only given.
    """
    warning = ClipcondWarning(warning) if isinstance(warning, str) else warning
    subject, collection = SUBJECT.get(), COLLECTED.get()
    if subject and isinstance(warning, PromptWarning) and not warning.source:
        code, words = warning.code, warning.words
        warning = PromptWarning(warning.message, *subject, warning.remedy, code=code, words=words)
    if collection is not None:
        for each in collection[0] if collected else ():
            each.append(warning)
        shown = shown and collection[1]
    if shown:
        warnings.warn(warning, stacklevel=_level_of_the_user())


def _level_of_the_user() -> int:
    """Count the frames from `warn` to the first that is not in a library."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_library(frame):
        level, frame = level + 1, frame.f_back
    return level


def _is_library(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package in _LIBRARIES or frame.f_code.co_filename.startswith(_PACKAGE)


def excerpt(text: str, most: int = 60) -> str:
    """Shorten a text for a message: its beginning and an ellipsis if it is longer than `most`."""
    return text if len(text) <= most else text[: most - 3] + "..."


def first_line(error: BaseException) -> str:
    """Shorten another library's error to its first line, without what it says of stack traces."""
    text = re.sub(r"[^.\n]*\bstack ?traces?\b[^.\n]*\.?", "", str(error)).strip()
    return text.splitlines()[0].strip() if text else type(error).__name__


def counted(n: int, noun: str) -> str:
    """Write a number and what it counts: "1 tensor", "2 tensors"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def printable(text: str) -> str:
    """Replace characters that would steer a terminal, or that it cannot show."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def caret(source: str, position: int) -> str:
    """Draw the line of the source that holds a position, and a caret under it.

    Long lines are cut to a window around the caret, a source of several lines gets its line number,
    and wide characters (Chinese, emoji) count as the two columns they take on a terminal.

    Args:
        source: the whole prompt.
        position: index of a character of it; its length means just after the end.
    Returns:
        two lines, both indented by two spaces.
    """
    position = max(0, min(position, len(source)))
    start = source.rfind("\n", 0, position) + 1
    end = source.find("\n", position)
    end = len(source) if end < 0 else end
    label = f"line {source.count(chr(10), 0, start) + 1}: " if "\n" in source else ""
    first = _n_that_fit(reversed(source[max(start, position - BEFORE) : position]), BEFORE)
    last = _n_that_fit(iter(source[position : min(end, position + AFTER)]), AFTER)
    before = _without_controls(source[position - first : position])
    after = _without_controls(source[position : position + last])
    if position - first > start:
        before = "..." + before
    if position + last < end:
        after += "..."
    indent = 2 + text_width(label) + text_width(before)
    return f"  {label}{before}{after}\n{' ' * indent}^"


def _n_that_fit(characters: Iterable[str], columns: int) -> int:
    """Count the characters that fit into so many columns."""
    return sum(taken <= columns for taken in accumulate(map(text_width, characters)))


def _without_controls(text: str) -> str:
    """Remove what would move the caret off its character: tabs, escapes, joiners."""
    kinds = map(unicodedata.category, text)
    return "".join(
        " " if kind in {"Cc", "Cs", "Zl", "Zp"} else character
        for character, kind in zip(text, kinds, strict=True)
        if kind != "Cf"
    )


def text_width(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return sum(
        0
        if unicodedata.category(character) in {"Mn", "Me", "Cf"}
        else 1 + (unicodedata.east_asian_width(character) in {"W", "F"})
        for character in text
    )
