"""Make a run of shards: what a worker of any engine does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from clipcond.bulk.folder import Layout, R
from clipcond.bulk.sources import Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """Shards that are made one after the other.

    Args:
        place: where the rows of the first begin.
        first, stop: the numbers of the shards.
        todo: those of them that are not done yet.
    """

    place: Place
    first: int
    stop: int
    todo: frozenset[int]


@dataclass(frozen=True)
class Work(ABC, Generic[R, T]):
    """What is made of the rows of a folder; can be pickled.

    Args:
        layout: where it is written.
    """

    layout: Layout[R]

    @abstractmethod
    def load(self) -> None:
        """Load the model, once a process."""

    @abstractmethod
    def read(self, run: Run, n_rows: int) -> Iterator[T]:
        """Read the rows of a run."""

    @abstractmethod
    def make(self, number: int, rows: Iterator[T]) -> Iterator[R | int]:
        """Make a shard; yield counts of rows as they are done, if any, and at last its record."""

    def each(self, run: Run) -> Iterator[R | int]:
        """Make the shards of a run that are not done; yield each record once all is written.

        Yields:
            also how many rows of a shard are done before its record, where that takes long.
        Raises:
            BulkError: the rows have changed.
            CheckpointError: the disk is full.
        """
        numbers = range(run.first, run.stop)
        rows = self.read(run, sum(map(self.layout.n_in, numbers)))
        for number in numbers:
            own = islice(rows, self.layout.n_in(number))
            if number in run.todo:
                for made in self.make(number, own):
                    if not isinstance(made, int):
                        self.layout.finish(made)
                    yield made
            for _ in own:  # what was not read
                pass
