"""Draw the pictures of a list of prompts into a folder; killed runs go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from clipcond.bulk.drawer import OF_THE_MACHINE, PictureDrawer, Wanted
from clipcond.bulk.folder import Rejected, issues_of, locked, write_bytes
from clipcond.bulk.picture_folder import (
    SUFFIXES,
    Journal,
    PictureLayout,
    PictureRecord,
    line_of,
)
from clipcond.bulk.prompts import MAX_SEED, PicturePrompt, find_prompts, read_prompts
from clipcond.bulk.running import Engine, Job, Outcome, Workers, check_found, check_sizes
from clipcond.bulk.work import Run, Work
from clipcond.errors import ArgumentError, BulkError, UnknownNameError, first_line
from clipcond.files import disk_errors, local_path
from clipcond.metadata.pictures import save_picture


@dataclass(frozen=True, slots=True)
class PictureSummary:
    """How a run went.

    Args:
        n_pictures: how many the folder has now.
        n_new: how many of them this run drew.
        n_rejected: how many rows cannot be drawn; `rejected.jsonl` names them.
        n_bytes: the size of all pictures.
        seconds: how long the run took, the loading of the model left out.
        issues: of how many pictures there is an issue of each code.
    """

    n_pictures: int
    n_new: int
    n_rejected: int
    n_bytes: int
    seconds: float
    issues: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(outcome: Outcome[PictureRecord]) -> PictureSummary:
        """Sum up what a run has done."""
        return PictureSummary(
            outcome.n_made,
            outcome.n_new,
            outcome.n_rejected,
            outcome.n_bytes,
            outcome.seconds,
            issues_of(outcome.records),
        )

    @property
    def rate(self) -> float:
        """Pictures a second, of those that this run drew."""
        return self.n_new / self.seconds if self.seconds else 0.0


def draw_pictures(
    prompts: str | PathLike[str],
    folder: str | PathLike[str],
    drawer: PictureDrawer | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    count: int = 1,
    files: str = "png",
    shard_size: int = 50,
    max_bad: int | None = None,
    engine: Engine = "local",
    address: str | None = None,
    n_workers: int | None = None,
    progress: bool = False,
) -> PictureSummary:
    """Draw pictures of prompts into a folder; the same call goes on where a killed one stopped.

    Args:
        prompts: a .txt, .tsv, .jsonl or .parquet file, or a folder of them.
        folder: new or empty, or what such a call began.
        drawer: by default the embedded model's.
        columns: of tables: the column of "prompt", "negative", "seed", "steps", "guidance",
            "clip_skip", "size" or "width" and "height", or "name"; "" = none. What is left out is
            found by its name.
        count: pictures of each row, with its seed, seed + 1, ...
        files: "png", "jpg" or "webp".
        shard_size: rows that a worker is given at once.
        max_bad: how many rows may be rejected; None = 1 %, or 10 if that is more.
        engine, address, n_workers: as for `encode_captions`.
        progress: show on standard error how many rows are done.
    Raises:
        BulkError: the prompts cannot be read, the folder holds something else or is in use, or
            too many rows are rejected; what is done stays.
        CheckpointError: the model cannot be opened, or the disk is full.
        UnknownNameError: no such engine or kind of files.
        LimitError: a size below 1.
    """
    drawer = PictureDrawer() if drawer is None else drawer
    workers = Workers(engine, address, n_workers)
    check_sizes(shard_size=shard_size, count=count)
    if files not in SUFFIXES:
        raise UnknownNameError("kind of files", files, SUFFIXES)
    sources, others = find_prompts(prompts, columns)
    check_found(prompts, sources, others, PictureLayout.noun)
    layout = PictureLayout(
        folder=local_path(folder),
        sources=tuple(sources),
        size=shard_size,
        suffix=SUFFIXES[files],
        count=count,
    )
    with locked(layout.folder):
        layout.begin({"drawer": drawer.identity()}, {})
        if not workers.are_here:
            drawer.unload()  # a worker may need the memory
        job = Job(layout, Drawing(layout, drawer), max_bad)
        return PictureSummary.of(job.run(workers, progress=progress))


@dataclass(frozen=True)
class Drawing(Work[PictureRecord, PicturePrompt]):
    """What is done with prompts."""

    layout: PictureLayout
    drawer: PictureDrawer

    def load(self) -> None:
        """Load the drawer's model."""
        self.drawer.load()

    def read(self, run: Run, n_rows: int) -> Iterator[PicturePrompt]:
        """Read the prompts of a run."""
        first = run.first * self.layout.size
        return read_prompts(self.layout.sources, run.place, first, n_rows)

    def make(self, number: int, rows: Iterator[PicturePrompt]) -> Iterator[PictureRecord | int]:
        """Draw a shard, batch by batch; what its journal has is not drawn again."""
        wanted, rejected = self._wanted(rows)
        journal = self.layout.journal(number)
        for part in self.drawer.parts(wanted):
            keys = [each.key for each in part]
            if not journal.entries.keys() >= {*keys}:
                last = self.layout.count - 1
                n_before = sum(key in journal.entries for key in keys if key[1] == last)
                journal.add([*self._draw(part)])
                yield sum(copy == last for _, copy in keys) - n_before
        yield self._record(number, journal, [each.row for each in wanted], rejected)

    def _wanted(self, rows: Iterator[PicturePrompt]) -> tuple[list[Wanted], dict[int, Rejected]]:
        """List the pictures to draw, and by their numbers the rows that cannot be used."""
        wanted: list[Wanted] = []
        rejected: dict[int, Rejected] = {}
        count = self.layout.count
        for row in rows:
            seed, error = row.seed, row.error
            if seed is None:
                seed = self.drawer.seed + row.number * count
            if seed + count - 1 > MAX_SEED:
                error = error or f"its seed goes beyond {MAX_SEED}"
            if error:
                rejected[row.number] = row.file, row.line, error
            else:
                wanted += [Wanted(row, copy, seed + copy) for copy in range(count)]
        return wanted, rejected

    def _draw(self, part: Sequence[Wanted]) -> Iterator[dict[str, Any]]:
        """Draw and save pictures; yield what the journal holds of each.

        Raises:
            BulkError: there is not enough memory.
            CheckpointError: the disk is full.
        """
        try:
            all_drawn = self.drawer.draw(part)
        except OF_THE_MACHINE as error:
            row = part[0].row
            raise BulkError(
                f"{self.layout.sources[row.file].name}, line {row.line}: out of memory: "
                + first_line(error),
                "What is done stays: the same command goes on there.",
            ) from error
        for each, drawn in zip(part, all_drawn, strict=True):
            row = each.row
            entry: dict[str, Any] = {"number": row.number, "copy": each.copy}
            if isinstance(drawn, str):
                yield {**entry, "rejected": drawn}
                continue
            name = self.layout.picture(row, each.copy)
            path = self.layout.folder / name
            with disk_errors(f"{str(path)!r} cannot be written"):
                path.parent.mkdir(exist_ok=True)
            try:
                save_picture(drawn.image, path, drawn.parameters)
            except ArgumentError as error:  # a text that such a file cannot hold
                yield {**entry, "rejected": error.message}
                continue
            line = {
                "file_name": name,
                **drawn.settings,
                "source": self.layout.sources[row.file].name,
                "line": row.line,
                "name": row.name,
                "issues": [*drawn.issues],
                "columns": {**row.others},
            }
            yield {**entry, "n_bytes": path.stat().st_size, "line": line}

    def _record(
        self,
        number: int,
        journal: Journal,
        rows: Sequence[PicturePrompt],
        rejected: dict[int, Rejected],
    ) -> PictureRecord:
        """Write the lines of a shard whose pictures are drawn; return its record."""
        by_number = {row.number: row for row in rows}
        entries = [journal.entries[key] for key in sorted(journal.entries)]
        for entry in entries:
            if "rejected" in entry:
                row = by_number[entry["number"]]
                rejected.setdefault(row.number, (row.file, row.line, entry["rejected"]))
        made = [entry for entry in entries if "line" in entry]
        path = self.layout.lines_file(number)
        with disk_errors(f"{str(path)!r} cannot be written"):
            path.parent.mkdir(exist_ok=True)
        write_bytes(path, b"".join(line_of(entry["line"]) for entry in made))
        issues = Counter(issue for entry in made for issue in entry["line"]["issues"])
        return PictureRecord(
            number=number,
            n_bytes=sum(entry["n_bytes"] for entry in made),
            rejected=tuple(rejected[key] for key in sorted(rejected)),
            issues=dict(sorted(issues.items())),
            n_pictures=len(made),
        )
