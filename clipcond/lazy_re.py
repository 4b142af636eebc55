"""Regular expressions as in `re`, each compiled on first use: most prompts need few of them.

`import clipcond.lazy_re as re` takes the place of `import re` where many patterns are made at
import, and saves what compiling those costs that are never searched.
"""

from __future__ import annotations

import re
from re import IGNORECASE as IGNORECASE
from re import MULTILINE as MULTILINE
from re import Match as Match
from re import Pattern as Pattern
from typing import cast


class _Uncompiled:
    """A pattern's text and flags; any attribute is that of the compiled pattern."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(re.compile(self._text, self._flags), name)
        vars(self)[name] = value  # found without this function from now on
        return value


def compile(text: str, flags: int = 0) -> Pattern[str]:
    """Make a pattern that is compiled when it is first searched, matched or split."""
    return cast("Pattern[str]", _Uncompiled(text, flags))
