"""Write pages for the browser: into a file, which is not replaced by chance, or to the output."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from clipcond.cli.messages import speaks_chinese
from clipcond.errors import CheckpointError
from clipcond.files import check_writable, write_whole

OUTPUT = "-"


def check_page(file: str, *, force: bool) -> None:
    """Check that a page can be written, before anything is loaded.

    Raises:
        CheckpointError: there is such a file already, or none can be made.
    """
    if file == OUTPUT:
        return
    path = Path(file)
    if not force and os.path.lexists(path) and not path.is_dir():
        remedy = "Say --force to replace it, or --html with another name."
        raise CheckpointError(f"{file!r} exists already", path, remedy)
    check_writable(path)


def write_page(file: str, page: str) -> None:
    """Write a page, in UTF-8 wherever it goes: it says so itself."""
    if file == OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(page.encode())
        sys.stdout.buffer.flush()
        return
    write_whole(Path(file), lambda written: written.write(page.encode()))


def words_of_reports() -> Mapping[str, str]:
    """Find what stands for the English words of a page or a table in this locale."""
    from clipcond.cli.chinese_report import REPORT
    from clipcond.cli.chinese_tables import TABLES

    return {**REPORT, **TABLES} if speaks_chinese() else {}
