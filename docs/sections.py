"""Let Griffe find the sections of our docstrings: it wants a blank line before each."""

from __future__ import annotations

import re
from typing import Any

import griffe

_SECTION = re.compile(r"(?<!\n)\n(?=(?:Args|Returns|Yields|Raises|Source):)")


class Sections(griffe.Extension):
    """Insert a blank line before each section of a docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object, as far as it has one."""
        if obj.docstring is not None:
            obj.docstring.value = _SECTION.sub("\n\n", obj.docstring.value)
