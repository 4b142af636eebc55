"""Encode captions by the million into a folder, on one machine or many; killed runs go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from time import monotonic
from typing import Literal, TypeAlias

from clipcond.bulk.captions import find_sources, places_of
from clipcond.bulk.encoder import CaptionEncoder
from clipcond.bulk.folder import INDEX, REJECTED, SUFFIXES, Layout, Record, locked
from clipcond.bulk.work import Run, encode_run
from clipcond.errors import BulkError, LimitError, UnknownNameError, warn
from clipcond.files import local_path
from clipcond.progress import Progress

Engine: TypeAlias = Literal["local", "ray"]
MAX_BAD_SHARE, MIN_BAD, N_SHOWN = 0.01, 10, 5
MOST_IN_A_RUN = 64  # shards


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run went.

    Args:
        n_captions: how many the folder has now.
        n_new: how many of them this run encoded.
        n_rejected: how many cannot be encoded; `rejected.jsonl` names them.
        n_bytes: the size of all shards.
        seconds: how long the run took, the loading of the model left out.
        tower_share: the part of that time that the text tower took; None = on other machines.
        largest_error: of a kept row: |kept - computed| / |computed|.
        issues: of how many captions there is an issue of each code.
    """

    n_captions: int
    n_new: int
    n_rejected: int
    n_bytes: int
    seconds: float
    tower_share: float | None
    largest_error: float
    issues: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Captions a second, of those that this run encoded."""
        return self.n_new / self.seconds if self.seconds else 0.0


def encode_captions(
    captions: str | PathLike[str],
    folder: str | PathLike[str],
    encoder: CaptionEncoder | None = None,
    *,
    column: str | None = None,
    files: str = "safetensors",
    shard_size: int = 4096,
    batch_size: int = 256,
    max_bad: int | None = None,
    engine: Engine = "local",
    address: str | None = None,
    n_workers: int | None = None,
    progress: bool = False,
) -> Summary:
    """Encode captions into a folder of shards; the same call goes on where a killed one stopped.

    Args:
        captions: a .txt, .tsv, .jsonl or .parquet file, or a folder of them.
        folder: new or empty, or what such a call began.
        encoder: by default the embedded model's, trimmed, float16.
        column: of tables: the one with the captions; None = "caption", "text" or "prompt".
        files: "safetensors" or "parquet".
        shard_size: captions a shard.
        batch_size: captions that are encoded at once; it decides the last bits.
        max_bad: how many captions may be rejected; None = 1 %, or 10 if that is more.
        engine: "local" = this process; "ray" = Ray Data, on this machine or a cluster.
        address: of the cluster; None = Ray is started here.
        n_workers: of Ray; None = one for each GPU, or half as many as there are CPUs.
        progress: show on standard error how many captions are done.
    Raises:
        BulkError: the captions cannot be read, the folder holds something else or is in use, or
            too many captions are rejected; what is done stays.
        CheckpointError: the model cannot be opened, or the disk is full.
        UnknownNameError: no such engine or kind of files.
        LimitError: a size below 1.
    """
    encoder = CaptionEncoder() if encoder is None else encoder
    _check(shard_size=shard_size, batch_size=batch_size, n_workers=n_workers or 1)
    if files not in SUFFIXES:
        raise UnknownNameError("kind of files", files, SUFFIXES)
    if engine not in ("local", "ray"):
        raise UnknownNameError("engine", engine, ("local", "ray"))
    sources, others = find_sources(captions, column)
    for path in others[:N_SHOWN]:
        warn(f"{str(path)!r} is no file of captions, and is left out")
    layout = Layout(local_path(folder), SUFFIXES[files], tuple(sources), shard_size)
    if not layout.n_lines:
        raise BulkError(f"{str(captions)!r} holds no captions")
    with locked(layout.folder):
        layout.begin(encoder.identity(), encoder.empty())
        job = _Job(layout, encoder, batch_size, max_bad)
        if engine == "ray":
            from clipcond.bulk.ray_engine import run_on_ray

            return job.run(run_on_ray(address, n_workers), progress=progress, is_here=False)
        return job.run(_run_here, progress=progress, is_here=True)


# Runs, what each worker needs -> records as they come.
Runner: TypeAlias = "Callable[[Sequence[Run], Layout, CaptionEncoder, int], Iterator[Record]]"


def _run_here(
    runs: Sequence[Run], layout: Layout, encoder: CaptionEncoder, batch_size: int
) -> Iterator[Record]:
    for run in runs:
        yield from encode_run(layout, run, encoder, batch_size)


@dataclass
class _Job:
    layout: Layout
    encoder: CaptionEncoder
    batch_size: int
    max_bad: int | None

    def run(self, runner: Runner, *, progress: bool, is_here: bool) -> Summary:
        layout, done = self.layout, self.layout.done()
        before = sum(layout.n_in(number) for number in done)
        start, in_tower = monotonic(), self.encoder.seconds_in_tower
        n_new, n_rejected = 0, sum(len(each.rejected) for each in done.values())
        self._check_rejected(n_rejected, done)
        todo = frozenset(range(layout.n_shards)) - done.keys()
        if todo:
            bar = Progress("caption", layout.n_lines, done=before, n_lines=20, silent=not progress)
            with bar:
                most = MOST_IN_A_RUN if is_here else max(1, min(16, len(todo) // 16))
                runs = self._runs(todo, most)
                for record in runner(runs, layout, self.encoder, self.batch_size):
                    done[record.number] = record
                    n_new += record.n_captions
                    rate = n_new / max(monotonic() - start, 1e-9)
                    bar.advance(layout.n_in(record.number), f"{rate:.0f} a second")
                    n_rejected += len(record.rejected)
                    self._check_rejected(n_rejected, done)
        if todo or not (layout.folder / INDEX).is_file():
            layout.close([*done.values()])
        seconds = monotonic() - start
        share = (self.encoder.seconds_in_tower - in_tower) / max(seconds, 1e-9) if is_here else None
        issues: dict[str, int] = {}
        for record in done.values():
            for code, n in record.issues.items():
                issues[code] = issues.get(code, 0) + n
        return Summary(
            sum(each.n_captions for each in done.values()),
            n_new,
            sum(len(each.rejected) for each in done.values()),
            sum(each.n_bytes for each in done.values()),
            seconds,
            share,
            max((each.error for each in done.values()), default=0.0),
            issues,
        )

    def _runs(self, todo: frozenset[int], most: int) -> list[Run]:
        """Cut the shards that are not done into runs of neighbours, at most so many in one."""
        places = places_of(self.layout.sources, self.layout.size)
        runs: list[Run] = []
        for first in range(0, self.layout.n_shards, most):
            stop = min(first + most, self.layout.n_shards)
            own = todo & frozenset(range(first, stop))
            if own:
                start = min(own)
                runs.append(Run(places[start], start, max(own) + 1, own))
        return runs

    def _check_rejected(self, n_rejected: int, done: dict[int, Record]) -> None:
        """Stop if more captions are rejected than may be.

        Raises:
            BulkError: names the first of them.
        """
        limit = self.max_bad
        if limit is None:
            limit = max(MIN_BAD, int(MAX_BAD_SHARE * self.layout.n_lines))
        if n_rejected <= limit:
            return
        records = [done[number] for number in sorted(done)]
        rejected = [each for record in records for each in record.rejected]
        self.layout.write_rejected(records)
        names = self.layout.sources
        shown = [f"  {names[f].name}, line {n}: {why}" for f, n, why in rejected[:N_SHOWN]]
        more = [f"  and {len(rejected) - N_SHOWN} more, see {REJECTED}"] * (len(rejected) > N_SHOWN)
        raise BulkError(
            f"{len(rejected)} captions cannot be encoded; {limit} may be\n"
            + "\n".join(shown + more),
            "Mend the captions and name a new folder, or allow more with max_bad=.",
        )


def _check(**sizes: object) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise LimitError(f"{name} is a whole number from 1, not {size!r}")
