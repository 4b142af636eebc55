"""Run the work of a folder on an engine: what is left of it, how far it is, when to stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any, Generic, Literal, TypeAlias

from clipcond.bulk.folder import INDEX, REJECTED, Layout, R
from clipcond.bulk.sources import Source, places_of
from clipcond.bulk.work import Run, Work
from clipcond.errors import BulkError, LimitError, UnknownNameError, counted, warn
from clipcond.progress import Progress

Engine: TypeAlias = Literal["local", "ray"]
MAX_BAD_SHARE, MIN_BAD, N_SHOWN = 0.01, 10, 5
MOST_IN_A_RUN = 64  # shards


@dataclass(frozen=True, slots=True)
class Workers:
    """Who does the work.

    Args:
        engine: "local" = this process; "ray" = Ray Data, on this machine or a cluster.
        address: of the cluster; None = Ray is started here.
        n_workers: of Ray; None = one for each GPU, or half as many as there are CPUs.
    Raises:
        UnknownNameError: there is no such engine.
        LimitError: no workers.
    """

    engine: Engine = "local"
    address: str | None = None
    n_workers: int | None = None

    def __post_init__(self) -> None:
        check_sizes(n_workers=self.n_workers or 1)
        if self.engine not in ("local", "ray"):
            raise UnknownNameError("engine", self.engine, ("local", "ray"))

    @property
    def are_here(self) -> bool:
        """Whether this process does all."""
        return self.engine == "local"

    def do(self, runs: Sequence[Run], work: Work[R, Any]) -> Iterator[R | int]:
        """Do the work; yield what `Work.each` yields as it comes."""
        if self.are_here:
            for run in runs:
                yield from work.each(run)
        else:
            from clipcond.bulk.ray_engine import run_on_ray

            yield from run_on_ray(runs, work, self.address, self.n_workers)


def check_sizes(**sizes: object) -> None:
    """Refuse what is no whole number from 1.

    Raises:
        LimitError: names it.
    """
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise LimitError(f"{name} is a whole number from 1, not {size!r}")


def check_found(
    given: str | PathLike[str], found: Sequence[Source], others: Sequence[Path], noun: str
) -> None:
    """Warn of files that are left out, and refuse sources without a row.

    Raises:
        BulkError: there are no rows.
    """
    for path in others[:N_SHOWN]:
        warn(f"{str(path)!r} is no file of {noun}s, and is left out")
    if not any(source.n_lines for source in found):
        raise BulkError(f"{str(given)!r} holds no {noun}s")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What a run has done.

    Args:
        records: of all shards.
        n_new: how many things this run made.
        seconds: how long it took.
    """

    records: Sequence[R]
    n_new: int
    seconds: float

    @property
    def n_made(self) -> int:
        """How many things the folder holds."""
        return sum(each.n_made for each in self.records)

    @property
    def n_rejected(self) -> int:
        """Of how many rows nothing could be made."""
        return sum(len(each.rejected) for each in self.records)

    @property
    def n_bytes(self) -> int:
        """The size of all that was made."""
        return sum(each.n_bytes for each in self.records)


@dataclass
class Job(Generic[R]):
    """Work to do in a folder.

    Args:
        max_bad: how many rows may be rejected; None = 1 %, or 10 if that is more.
        most_in_a_run: how many shards a worker gets at once, at most.
    """

    layout: Layout[R]
    work: Work[R, Any]
    max_bad: int | None
    most_in_a_run: int = MOST_IN_A_RUN

    def run(self, workers: Workers, *, progress: bool) -> Outcome[R]:
        """Do what is not done yet.

        Raises:
            BulkError: too many rows are rejected, or the engine stopped.
            CheckpointError: the disk is full.
        """
        layout, done = self.layout, self.layout.done()
        start, n_before = monotonic(), sum(each.n_made for each in done.values())
        todo = frozenset(range(layout.n_shards)) - done.keys()
        begun = {number: n for number, n in layout.begun().items() if number in todo}
        n_before += sum(n_made for _, n_made in begun.values())
        self._check_rejected(done)
        if todo:
            before = sum(map(layout.n_in, done)) + sum(n for n, _ in begun.values())
            bar = Progress(
                layout.noun, layout.n_lines, done=before, n_lines=20, silent=not progress
            )
            with bar:
                self._do(workers, todo, {n: rows for n, (rows, _) in begun.items()}, done, bar)
        if todo or not (layout.folder / INDEX).is_file():
            layout.close([*done.values()])
        records = [done[number] for number in sorted(done)]
        n_new = sum(each.n_made for each in records) - n_before
        return Outcome(records, n_new, monotonic() - start)

    def _do(
        self,
        workers: Workers,
        todo: frozenset[int],
        n_shown: dict[int, int],
        done: dict[int, R],
        bar: Progress,
    ) -> None:
        """Do the work, and show how far it is.

        Args:
            n_shown: how many rows of each half shard count as done.
        """
        start, n_rows, n_of_shard = monotonic(), 0, 0
        most = self.most_in_a_run if workers.are_here else max(1, min(16, len(todo) // 16))
        for made in workers.do(self._runs(todo, most), self.work):
            if isinstance(made, int):
                n = made
                n_of_shard += n
            else:
                done[made.number] = made
                n = self.layout.n_in(made.number) - n_of_shard - n_shown.get(made.number, 0)
                n_of_shard = 0
                self._check_rejected(done)
            n_rows += n
            if n:
                bar.advance(n, f"{n_rows / max(monotonic() - start, 1e-9):.3g} a second")

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

    def _check_rejected(self, done: dict[int, R]) -> None:
        """Stop if more rows are rejected than may be.

        Raises:
            BulkError: names the first of them.
        """
        limit = self.max_bad
        if limit is None:
            limit = max(MIN_BAD, int(MAX_BAD_SHARE * self.layout.n_lines))
        if sum(len(each.rejected) for each in done.values()) <= limit:
            return
        records = [done[number] for number in sorted(done)]
        rejected = [each for record in records for each in record.rejected]
        self.layout.write_rejected(records)
        names, noun = self.layout.sources, self.layout.noun
        shown = [f"  {names[f].name}, line {n}: {why}" for f, n, why in rejected[:N_SHOWN]]
        more = [f"  and {len(rejected) - N_SHOWN} more, see {REJECTED}"] * (len(rejected) > N_SHOWN)
        raise BulkError(
            f"{counted(len(rejected), noun)} cannot be {self.layout.made}; {limit} may be\n"
            + "\n".join(shown + more),
            f"Mend the {noun}s and name a new folder, or allow more with max_bad=.",
        )
