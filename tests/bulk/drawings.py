"""Prompts, and drawings of them into folders, that tests of several files use."""

import hashlib
from pathlib import Path

from clipcond import attach
from clipcond.bulk import PictureDrawer, draw_pictures
from tests.pipelines.models import tiny_sd

# A neighbour of another length, with an edit, with settings of its own, and one that is no prompt.
PROMPTS = [
    *(f"a cat number {i}\t\t\t" for i in range(5)),
    "a (red:1.3) dog" + " x" * 80 + "\tblurry\t\t",
    "a [cat:dog:0.5]\t\t7\t",
    "a small cat\t\t3\t24x16",
    "a (cat:1.2.3)\t\t\t",
    *(f"a dog number {i}\t\t\t" for i in range(5)),
]
N_GOOD = len(PROMPTS) - 1


def tiny():
    """A pipeline that draws 16 x 16 pixels."""
    return attach(tiny_sd())


def drawer(make=tiny, **choices) -> PictureDrawer:
    return PictureDrawer(make, **{"steps": 3, "negative": "bad", **choices})


def write_prompts(folder: Path) -> Path:
    path = folder / "prompts.tsv"
    lines = [f"{line}\tkind {i}" for i, line in enumerate(PROMPTS)]
    path.write_text("\n".join(["Prompt\tnegative\tseed\tsize\tCategory", *lines]) + "\n")
    return path


def draw(prompts: Path, folder: Path, own: PictureDrawer | None = None, **choices):
    """Draw in shards of four rows."""
    own = drawer() if own is None else own
    return draw_pictures(prompts, folder, own, **{"shard_size": 4, **choices})


def all_contents(folder: Path) -> dict[str, str]:
    """The hash of every file of a folder and its subfolders."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
