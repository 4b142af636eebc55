"""Make the pictures of a list, several at once where that gives the same ones, and print them."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from clipcond.cli.console import console, describe
from clipcond.cli.picture_jobs import PictureJob, settings_of
from clipcond.cli.pictures import Artist
from clipcond.errors import ClipcondError, PromptError
from clipcond.prompt import Variant
from clipcond.prompt.region_texts import prompt_start, read_region

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipcond.pipelines.picture_batches import Encoded


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures to draw at once, and of several their encoded texts."""

    jobs: Sequence[PictureJob]
    encoded: Sequence[Encoded] = ()

    def singles(self) -> list[Batch]:
        return [Batch([job]) for job in self.jobs]


def make_all(artist: Artist, jobs: Sequence[PictureJob], *, as_json: bool) -> int:
    """Make the pictures and print them; one of a file that fails leaves the others.

    Returns:
        how many were made.
    """
    n_made = n_before = 0
    for batch in batches(artist, jobs):
        n_made += _make(artist, batch, n_before, len(jobs), as_json=as_json)
        n_before += len(batch.jobs)
    console.place = ""
    return n_made


def batches(artist: Artist, jobs: Sequence[PictureJob]) -> Iterator[Batch]:
    """Group neighbours with equal settings and equally long texts; what cannot be is alone."""
    from clipcond.pipelines.picture_batches import in_parts, of_equal_shapes

    for part in in_parts(jobs, settings_of, artist.most_at_once):
        if len(part) == 1:
            yield Batch(part)
            continue
        for run, encoded in of_equal_shapes(part, [_encoded(artist, job) for job in part]):
            yield Batch(run, encoded)


def draw_all(
    artist: Artist, jobs: Sequence[PictureJob], label: Callable[[int, int], str]
) -> Iterator[tuple[PictureJob, Image]]:
    """Draw pictures in batches, or where a batch fails, one by one.

    Args:
        label: of those done before and those of a batch, what its steps are called.
    Raises:
        Exception: whatever ends the drawing of a picture.
    """
    n_done = 0
    for batch in batches(artist, jobs):
        for each in _parts(artist, batch, label(n_done, len(batch.jobs))):
            yield from each
        n_done += len(batch.jobs)


def _parts(artist: Artist, batch: Batch, label: str) -> Iterator[list[tuple[PictureJob, Image]]]:
    try:
        images = artist.draw(batch.jobs, batch.encoded, label)
    except Exception as error:
        if len(batch.jobs) == 1:
            raise _in_template(batch.jobs[0], error) from error
        for single in batch.singles():
            yield from _parts(artist, single, label)
    else:
        yield [*zip(batch.jobs, images, strict=True)]


def _encoded(artist: Artist, job: PictureJob) -> Encoded | None:
    console.place = job.place
    try:
        return artist.encode(job)
    except Exception:  # drawn alone, it fails again and is reported in its turn
        return None


def _make(artist: Artist, batch: Batch, n_before: int, n_all: int, *, as_json: bool) -> int:
    """Make the pictures of a batch, or if that fails, each alone; return how many were made."""
    jobs = batch.jobs
    console.place = jobs[0].place
    images = None
    try:
        images = artist.draw(jobs, batch.encoded, step_label(n_before, len(jobs), n_all))
    except Exception as error:
        if len(jobs) == 1:
            report(jobs[0], error)
            return 0
    if images is None:
        singles = enumerate(batch.singles(), n_before)
        return sum(_make(artist, each, i, n_all, as_json=as_json) for i, each in singles)
    made, failed = [], []
    with interrupts_held():
        for job, image in zip(jobs, images, strict=True):
            try:
                made.append(artist.save(image, job))
            except Exception as error:
                failed.append((job, error))
        for each in made:  # when all are written: standard output may be full too
            paths = (str(each[name]) for name in ("path", "heat_map") if name in each)
            print(json.dumps(each) if as_json else "\n".join(paths), flush=True)
    for job, reason in failed:
        report(job, reason)
    return len(made)


def step_label(n_before: int, n: int, n_all: int) -> str:
    """Say which pictures the steps are of."""
    if n_all == 1:
        return "step"
    numbers = n_before + 1 if n == 1 else f"{n_before + 1}-{n_before + n}"
    return f"{numbers} of {n_all}: step"


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until the block is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, object]] = []
    before = signal.signal(signal.SIGINT, lambda *signalled: came.append(signalled))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if came:
            signal.raise_signal(signal.SIGINT)


def report(job: PictureJob, error: Exception) -> None:
    """Print why a line of a file has no picture; raise what is wrong with a prompt's."""
    error = _in_template(job, error)
    if not job.line:
        raise error
    console.place = job.place
    console.say(_reason(error))


def _in_template(job: PictureJob, error: Exception) -> Exception:
    """Show an error about a text that a template gave in the template, or in its list."""
    if isinstance(error, PromptError):
        for text in (job.prompt, job.negative):
            if isinstance(text, Variant) and text == error.source:
                return text.error(error)
        for text in job.regions:
            if isinstance(text, Variant) and (at := _place_in(text, error.source)) is not None:
                moved = type(error)(error.message, text, at + error.position, error.remedy)
                return text.error(moved)
    return error


def _place_in(region: str, text: str) -> int | None:
    """Find where a region's prompt, or its negative prompt, begins; None = the text is neither."""
    read = read_region(region)
    if text == read.prompt:
        return region.index(text, prompt_start(region))
    return region.rindex(text) if text and text == read.negative else None


def _reason(error: Exception) -> str:
    if isinstance(error, typer.BadParameter):
        return str(error.message)
    return str(error) if isinstance(error, ClipcondError) else describe(error)
