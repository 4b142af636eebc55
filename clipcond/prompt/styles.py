"""Read A1111's styles.csv: texts under names, to be added to prompts.

    name,prompt,negative_prompt
    photo,"photo of {prompt}, 35mm","drawing, painting"

`{prompt}` is where the prompt goes, and nothing else changes there, as in A1111: of an empty prompt
the comma next to it stays. A text without it is added behind the prompt, after a comma.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from clipcond.errors import CheckpointError, warn
from clipcond.files import local_path, read_text

PLACE = "{prompt}"
_PROMPT = ("prompt", "text")  # A1111's files of 2022 have "text"


@dataclass(frozen=True, slots=True)
class Style:
    """A text for prompts and one for negative prompts, under a name."""

    name: str
    prompt: str = ""
    negative: str = ""

    def apply(self, prompt: str, negative: str = "") -> tuple[str, str]:
        """Add the style to a prompt and a negative prompt, as A1111 does."""
        return _added(self.prompt, prompt), _added(self.negative, negative)


def read_styles(path: str | os.PathLike[str]) -> dict[str, Style]:
    """Read a file of styles: each by its name, in the order of the file.

    Args:
        path: a .csv file with the columns name, prompt and negative_prompt, of which the last may
            be missing; separated by commas or semicolons, in UTF-8 or UTF-16. Rows that begin with
            `#` and have no text are comments. Of two with one name the last counts, with a warning.
    Raises:
        CheckpointError: the file cannot be read, or a row is none; says which line.
    """
    file = local_path(path)
    text = read_text(file)
    header, *_ = text.split("\n", 1)
    delimiter = ";" if ";" in header and "," not in header else ","
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    styles: dict[str, Style] = {}
    try:
        columns = [column.strip().lower() for column in next(rows, [])]
        name, prompt, negative = _places(columns, file)
        for line, row in _numbered(rows):
            if not "".join(row).strip():
                continue
            if len(row) > len(columns):
                raise CheckpointError(
                    f"{str(file)!r}, line {line} has {len(row)} values for {len(columns)} columns",
                    file,
                    f"Write a text with {delimiter!r} in quotes.",
                )
            cells = [*row, *[""] * (len(columns) - len(row))]
            style = Style(
                cells[name].strip(), cells[prompt], "" if negative is None else cells[negative]
            )
            if style.name.startswith("#") and not (style.prompt + style.negative).strip():
                continue
            if style.name in styles:
                warn(
                    f"{str(file)!r} has the style {style.name!r} twice; that of line {line} counts"
                )
            styles[style.name] = style
    except csv.Error as error:
        message = f"{str(file)!r}, line {rows.line_num} is no row: {error}"
        raise CheckpointError(message, file, 'Write " in a quoted text as "".') from None
    return styles


def _places(columns: Sequence[str], file: Path) -> tuple[int, int, int | None]:
    """Find the columns of name, prompt and negative prompt."""
    prompt = next((each for each in _PROMPT if each in columns), None)
    if "name" not in columns or prompt is None:
        raise CheckpointError(
            f"{str(file)!r} has no columns 'name' and 'prompt' in its first line",
            file,
            "A1111's styles.csv begins with the line name,prompt,negative_prompt.",
        )
    negative = columns.index("negative_prompt") if "negative_prompt" in columns else None
    return columns.index("name"), columns.index(prompt), negative


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line that it begins in."""
    line = 2
    for row in rows:
        yield line, row
        line = getattr(rows, "line_num", line) + 1


def _added(style: str, text: str) -> str:
    if PLACE in style:
        return style.replace(PLACE, text)
    return ", ".join(each for each in (text.strip(), style.strip()) if each) if style else text
