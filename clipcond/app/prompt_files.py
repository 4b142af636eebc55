"""Find the files that prompts may name in a folder: LoRAs and textual inversions."""

from __future__ import annotations

import os
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

LORAS = (".safetensors",)
INVERSIONS = (".safetensors", ".pt", ".bin")
MOST_FILES = 5000


def find_files(folder: Path | None, endings: Collection[str]) -> dict[str, Path]:
    """List a folder's files, and those of its folders, by the name that prompts have for them.

    That is the name of the file without its ending; where two share it, the second one's path in
    the folder. Links that lead out of the folder are left out.

    Args:
        folder: None = no folder, no files.
        endings: of the files to list.
    """
    if folder is None:
        return {}
    root = folder.resolve()
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names, key=str.lower):
            path = Path(place, name)
            if path.suffix.lower() not in endings or not is_within(path, root):
                continue
            short = path.stem
            if short in found:
                short = path.relative_to(root).with_suffix("").as_posix()
            found.setdefault(short, path)
            if len(found) == MOST_FILES:
                return found
    return found


def is_within(path: Path, folder: Path) -> bool:
    """Whether a path is a regular file in a folder when all links are followed."""
    real = path.resolve()
    return real.is_relative_to(folder.resolve()) and real.is_file()


def file_named(name: str, files: dict[str, Path]) -> str | None:
    """Find the listed name that a prompt means, whatever its case; None = there is none."""
    if name in files:
        return name
    folded = {each.casefold(): each for each in files}
    return folded.get(name.casefold())


def did_you_mean(name: str, files: dict[str, Path]) -> str:
    """Advise who names a file that is not there."""
    near = get_close_matches(name, files, 1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return "The folder is empty." if not files else f"There are {', '.join(list(files)[:10])}."
