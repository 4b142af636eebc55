"""Word what the page says: in the visitor's language, errors without a traceback."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from clipcond.app.chinese import CHINESE
from clipcond.app.settings import as_written
from clipcond.errors import ClipcondError, ClipcondWarning

log = logging.getLogger("clipcond.app")
# Of torch on a GPU and on the CPU, and of the system.
_NO_MEMORY = re.compile(r"out of memory|can(?:no|')t allocate memory|not enough memory", re.I)


@dataclass(frozen=True, slots=True)
class Language:
    """The language of one visitor.

    Args:
        chinese: else English.
        reword, report_words: see `AppSettings`.
    """

    chinese: bool = False
    reword: Callable[[str, bool], str] = as_written
    report_words: Mapping[str, str] = field(default_factory=dict)

    def said(self, english: str, *about: object) -> str:
        """Say a sentence of the page, each {} in it filled in.

        Raises:
            KeyError: the table has no Chinese for it.
        """
        return (CHINESE[english] if self.chinese else english).format(*about)

    def reworded(self, text: str) -> str:
        """Word a message of clipcond."""
        return self.reword(text, self.chinese)

    def message(self, said: ClipcondError | ClipcondWarning) -> str:
        """Word an error or a warning of clipcond, with its caret if it has one."""
        return self.reworded(str(said))

    def failure(self, error: Exception) -> str:
        """Word whatever went wrong; what is not clipcond's own goes to the log in full."""
        if isinstance(error, ClipcondError):
            return self.message(error)
        log.error("unexpected error", exc_info=error)
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            return self.said("There is not enough memory for this. Try a smaller size.")
        return self.said("Something went wrong here; the log of clipcond says what.")


def wants_chinese(accept_language: str | None) -> bool:
    """Whether a browser's Accept-Language prefers Chinese to English.

    Source: RFC 9110, section 12.5.4.
    """
    best, ranked = 0.0, ""
    for each in (accept_language or "")[:500].split(","):
        tag, _, quality = each.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language not in {"zh", "en"}:
            continue
        number = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", quality)
        wanted = float(number[1]) if number else 0.0 if quality.strip() else 1.0
        if wanted > best:
            best, ranked = wanted, language
    return ranked == "zh"
