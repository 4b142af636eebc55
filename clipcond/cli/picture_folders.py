"""Draw the pictures of a list into a folder: `clipcond generate --prompts FILE -o FOLDER`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from clipcond.cli.console import waiting
from clipcond.cli.embedding import lines_of_issues
from clipcond.cli.options import PICTURES, check_picture, check_text, declare_option
from clipcond.cli.pictures import sides
from clipcond.errors import CheckpointError

if TYPE_CHECKING:
    from clipcond.bulk import PictureSummary
    from clipcond.cli.picture_jobs import PictureJob

folder_option = partial(declare_option, "Many pictures into a folder")
# Formats that are not written: who names one does not mean a folder.
_OTHER_PICTURES = (".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jxl", ".jfif", ".ppm")
_TABLES = (".tsv", ".parquet")
_OWN = ("column", "files", "batch_size", "max_bad", "engine", "address", "workers")
_NOT_THERE = (
    *("prompt", "force", "best_of", "encoder", "heat_map", "region", "base_share", "like"),
    *("wildcards", "combinations", "styles", "style", "matrix", "save_all"),
)
_CALLED = {"prompt": "a prompt", "like": "--from"}


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """What is asked of pictures into a folder alone; see `draw_pictures` and `PictureDrawer`."""

    columns: Sequence[str]
    files: str
    batch_size: int | None
    max_bad: int | None
    engine: str
    address: str | None
    workers: int | None
    as_json: bool


def check_named(value: Path) -> Path:
    """Refuse an output without a name; whether it may be a folder depends on other options."""
    if not value.name:
        raise typer.BadParameter("a file name is missing, such as out.png")
    check_text(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return value


def into_folder(prompts: str | None, output: Path, is_given: Callable[[str], bool]) -> bool:
    """Decide whether the output is a folder of many pictures, and check what goes with that.

    Args:
        prompts: the file of prompts.
        is_given: whether the user has said an option.
    Raises:
        BadParameter: options that do not go together, or an output of another format.
        CheckpointError: the prompts are a table, and the output is a single picture's name.
    """
    suffix = output.suffix.lower()
    if prompts is None or suffix in (*PICTURES, *_OTHER_PICTURES):
        try:
            check_picture(output)
        except typer.BadParameter as error:
            raise typer.BadParameter(error.message, param_hint="'-o' / '--output'") from None
        if own := next(filter(is_given, _OWN), None):
            several = "; --count N draws several pictures" if own == "batch_size" else ""
            raise typer.BadParameter(f"{_option(own)} goes with --prompts FILE -o FOLDER{several}")
        if prompts is not None and (Path(prompts).suffix.lower() in _TABLES or _is_dir(prompts)):
            raise CheckpointError(
                f"{prompts!r} is drawn into a folder, not to {output.name!r}",
                prompts,
                "Name one: -o FOLDER.",
            )
        return False
    if other := next(filter(is_given, _NOT_THERE), None):
        shown = _CALLED.get(other) or _option(other)
        raise typer.BadParameter(f"{shown} does not go with --prompts FILE -o FOLDER")
    if prompts == "-":
        raise typer.BadParameter(
            "standard input cannot be read again when a run goes on: give --prompts a file"
        )
    if not is_given("engine") and (is_given("address") or is_given("workers")):
        raise typer.BadParameter("--address and --workers go with --engine ray")
    return True


def _is_dir(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # too long
        return False


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def draw_folder(
    prompts: str,
    job: PictureJob,
    opened: tuple[str | None, str | None, Sequence[Path]],
    choices: Mapping[str, Any],
    count: int,
    asked: FolderOptions,
) -> None:
    """Draw a list of pictures into a folder, and say how it went.

    Args:
        job: what a row does not say; its output is the folder.
        opened: the model, the scheduler, and files of inversions.
        choices: arguments of `build_pipeline`.
    Raises:
        BadParameter: a random seed, or a column that is not KIND=NAME.
        BulkError: as for `draw_pictures`.
    """
    if job.seed < 0:
        raise typer.BadParameter("a run that goes on has a seed that is no random one, from 0")
    columns = dict(_column(each) for each in asked.columns)
    with waiting("loading"):
        from clipcond.bulk import PictureDrawer, draw_pictures

    model, scheduler, inversions = opened
    drawer = PictureDrawer(
        model,
        negative=job.negative,
        seed=job.seed,
        steps=job.steps,
        guidance=job.guidance,
        size=sides(job.size) if job.size else None,
        scheduler=scheduler,
        inversions=inversions,
        batch_size=asked.batch_size,
        **choices,
    )
    summary = draw_pictures(
        prompts,
        job.output,
        drawer,
        columns=columns,
        count=count,
        files=asked.files,
        max_bad=asked.max_bad,
        engine=asked.engine,  # type: ignore[arg-type]  # names are checked there
        address=asked.address,
        n_workers=asked.workers,
        progress=True,
    )
    if asked.as_json:
        print(json.dumps({"output": str(job.output), **asdict(summary), "rate": summary.rate}))
        return
    for line in _lines(summary, job.output):
        print(line)


def _column(text: str) -> tuple[str, str]:
    """Read KIND=NAME; a name alone is the column of the prompts."""
    kind, equals, name = text.partition("=")
    return (kind.strip(), name) if equals else ("prompt", text)


def _lines(summary: PictureSummary, output: Path) -> list[str]:
    """Say in some lines how it went."""
    size = summary.n_bytes / 2**20
    lines = [f"{summary.n_pictures} pictures in {output}, {size:.1f} MiB: see metadata.jsonl there"]
    if summary.n_new:
        lines.append(f"{summary.n_new} of them new, {summary.rate:.3g} a second")
    return lines + lines_of_issues(summary, output)
