"""Make answers of errors: a status, and JSON that says what was wrong, where, and what to do."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from clipcond.errors import (
    ArgumentError,
    ClipcondError,
    LimitError,
    PipelineError,
    PromptError,
    PromptSyntaxError,
    PromptTypeError,
    TowerError,
    UnknownNameError,
    WeightingError,
    caret,
)

log = logging.getLogger("clipcond.service")

# Of the errors of clipcond that a request can lead to, the kinds; the most special first.
_CODES: tuple[tuple[type[ClipcondError], str], ...] = (
    (PromptSyntaxError, "prompt-syntax"),
    (WeightingError, "weighting"),
    (LimitError, "limit"),
    (PromptError, "prompt"),
    (PromptTypeError, "prompt"),
    (UnknownNameError, "unknown-name"),
    (ArgumentError, "argument"),
    (TowerError, "layer"),
    (PipelineError, "pipeline"),
)
# Of torch on a GPU and on the CPU.
_NO_MEMORY = re.compile(r"out of memory|can(?:'|no)t allocate memory|not enough memory", re.I)
_READ = (400, 404, 405, 422, 429, 500, 501, 504)  # statuses that leave the connection open
RETRY_AFTER = "1"  # seconds; a full queue is gone in less


class RequestError(ClipcondError, ValueError):
    """A request that is refused: HTTP's `status`, and a `code` for programs."""

    def __init__(self, message: str, remedy: str = "", status: int = 400, code: str = "") -> None:
        Exception.__init__(self, message, remedy, status, code)
        self.message = message
        self.remedy = remedy
        self.status = status
        self.code = code


class ClientGone(Exception):
    """The client has closed the connection: nobody reads an answer."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What a request is answered that cannot be fulfilled; `error` is JSON's."""

    status: int
    error: dict[str, object]

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with the status; where a body may not have been read, it is cut off."""
        found = {} if self.status in _READ else {"connection": "close"}
        if self.status in (429, 503):
            found["retry-after"] = RETRY_AFTER
        if self.status == 401:
            found["www-authenticate"] = 'Bearer realm="clipcond"'
        return found


def refused(error: BaseException, reword: Callable[[str], str]) -> Refused:
    """Make the answer for an error.

    Args:
        reword: words a message and its remedy, in lines, for requests.
    """
    if isinstance(error, RequestError):
        return Refused(error.status, _shown(error.code, error.message, error.remedy))
    for kind, code in _CODES:
        if isinstance(error, kind):
            message, _, remedy = reword(f"{error.message}\n{error.remedy}").partition("\n")
            shown = _shown(code, message, remedy)
            source = getattr(error, "source", "")
            if source:
                position = getattr(error, "position", 0)
                shown |= {"position": position, "caret": caret(source, position)}
            return Refused(422, shown)
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        log.error("out of memory")
        message = "there is not enough memory for this request now"
        return Refused(503, _shown("memory", message, "Ask for less, or later."))
    # a message may quote a prompt, so the log has the places only
    log.error("unexpected %s\n%s", type(error).__name__, _places(error))
    return Refused(500, _shown("internal", "something went wrong here; the log says where", ""))


def _shown(code: str, message: str, remedy: str) -> dict[str, object]:
    return {
        "code": code,
        "message": message,
        "remedy": remedy,
        "position": None,
        "caret": None,
    }


def _places(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()
