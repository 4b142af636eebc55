"""Write waiting, warnings and errors to standard error, in any encoding."""

from __future__ import annotations

import codecs
import errno
import os
import re
import sys
import traceback
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from clipcond.cli.messages import hint, in_locale, speaks_chinese, with_options
from clipcond.errors import ClipcondWarning

_OF_A_STREAM = {errno.ENOSPC, errno.EPIPE, errno.EBADF, errno.EIO, errno.EFBIG, errno.EINVAL}
# What typography adds to ASCII, and what help is drawn with.
_PLAIN = str.maketrans(
    {"—": "-", "–": "-", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "×": "x", "•": "*",
     "─": "-", "│": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "→": "->"}
)  # fmt: skip


# Of torch on a GPU and on the CPU, and of the system.
_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|not enough memory", re.IGNORECASE
)


def _degrade(error: UnicodeError) -> tuple[str, int]:
    """Write what a stream cannot encode as ASCII or as an escape: a handler for codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    plain = lost.translate(_PLAIN)
    return plain.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error("clipcond", _degrade)


def check_streams() -> str:
    """Let both streams degrade what they cannot encode; return why there is no output, or ""."""
    if sys.stderr is None:  # print would write to standard output instead
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="clipcond")
    return "it is closed" if sys.stdout is None else ""


def output_failure(error: BaseException | None = None) -> str:
    """Say why standard output cannot be written, or "" if it can; it is not used afterwards.

    Args:
        error: what ended a command. Errors of files are CheckpointErrors or name their file.
    """
    reason = ""
    if isinstance(error, OSError) and error.filename is None and error.errno in _OF_A_STREAM:
        reason = str(error.strerror)
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as failure:
        reason = reason or getattr(failure, "strerror", None) or str(failure)
    if reason:
        with suppress(OSError, ValueError):  # what is left in the buffer would fail at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return reason


def describe(error: BaseException) -> str:
    """Describe an error that is none of clipcond's own, with its traceback where asked for."""
    text = str(error).strip()
    if isinstance(error, MemoryError) or _NO_MEMORY.search(text):
        return f"out of memory: {text.splitlines()[0] if text else 'the picture is too large'}"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{str(error.filename)!r}: {error.strerror}"
    more = "Set CLIPCOND_TRACEBACK=1 to see where it comes from."
    if os.environ.get("CLIPCOND_TRACEBACK"):
        more = "".join(traceback.format_exception(error))
    return f"unexpected {type(error).__name__}: {text}\n{more}"


@dataclass
class Console:
    """What a command says on standard error, worded for it.

    Attributes:
        options: those of the command, such as "--clip-skip".
        prompts: what its messages may be about.
        place: written before each message, such as "line 3: ".
    """

    options: Collection[str] = ()
    prompts: Collection[str] = ()
    place: str = ""
    _said: set[tuple[str, str]] = field(default_factory=set)

    def start(self, options: Collection[str], prompts: Collection[str]) -> None:
        """Forget the command before, and speak for another."""
        self.options, self.prompts, self.place = options, prompts, ""
        self._said.clear()

    def say(self, message: str) -> None:
        """Print a message of one or several lines."""
        self._print(in_locale(with_options(message, self.options)))

    def say_of(self, place: str, message: str) -> None:
        """Print a message about another place than the one at work."""
        kept, self.place = self.place, place
        self.say(message)
        self.place = kept

    def warn(self, message: Warning | str, *_: object, **__: object) -> None:
        """Print a warning as one line, once for each place: a replacement of showwarning."""
        if (str(message), self.place) in self._said:
            return
        self._said.add((str(message), self.place))
        said = getattr(message, "message", None) or str(message).splitlines()[0]
        remedy = getattr(message, "remedy", "")
        lines = self.reword(f"{said}\n{remedy}" if remedy else said).split("\n")
        kind, end = ("警告：", "。") if speaks_chinese() else ("warning: ", ". ")
        self._print(kind + end.join(line.rstrip(".。") for line in lines))

    def reword(self, text: str) -> str:
        """Word what is said of a prompt, its remedy in further lines, for the command."""
        return in_locale(hint(with_options(text, self.options), self.prompts, self.options))

    def _print(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a full log is no reason to lose a picture
            print(f"clipcond: {in_locale(self.place)}{text}", file=sys.stderr, flush=True)


console = Console()


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Show a spinner with this label, on a terminal only."""
    from rich.console import Console as RichConsole

    terminal = RichConsole(stderr=True)
    if not terminal.is_terminal:
        yield
        return
    with terminal.status(f"{label} ..."):
        yield


@contextmanager
def short_warnings() -> Iterator[None]:
    """Print clipcond's warnings as one line each, and hide those of other libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ClipcondWarning)
        warnings.showwarning = console.warn
        yield
