"""Collect jobs that arrive together, and do them in one batch on a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar


class Job(Protocol):
    """What can be done together with others of its kind; `size` counts against a batch's."""

    @property
    def size(self) -> int: ...
    @property
    def kind(self) -> Hashable: ...


J = TypeVar("J", bound=Job)
A = TypeVar("A")


@dataclass(eq=False, slots=True)
class _Waiting(Generic[J, A]):
    job: J
    answer: asyncio.Future[A]
    since: float = field(default_factory=monotonic)


class Batcher(Generic[J, A]):
    """A queue of jobs, and the one thread that does them.

    While a batch is at work, jobs gather; the next takes those of the oldest one's kind, in their
    order, as many as fit. An idle thread waits a little for others to come, so that jobs which
    arrive together are done together.

    Args:
        work: does a batch; returns for each job its answer, or the error that it alone leads to.
        most: the size of a batch; one job may be larger.
        wait: seconds that a job waits at most for others while the thread is idle.
        on_batch: called with the size of each batch.
    """

    def __init__(
        self,
        work: Callable[[Sequence[J]], Sequence[A | Exception]],
        *,
        most: int,
        wait: float,
        on_batch: Callable[[int], object],
    ) -> None:
        self._work, self._most, self._wait, self._on_batch = work, most, wait, on_batch
        self._waiting: dict[_Waiting[J, A], None] = {}
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoding")

    def __len__(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    async def do(self, job: J) -> A:
        """Do a job, together with others; one that is cancelled while it waits is not done.

        Raises:
            Exception: what the work raises for this job.
        """
        mine: _Waiting[J, A] = _Waiting(job, asyncio.get_running_loop().create_future())
        self._waiting[mine] = None
        self._changed.set()
        try:
            return await mine.answer
        finally:
            self._waiting.pop(mine, None)

    async def run(self) -> None:
        """Do jobs until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._gathered()
            batch = self._take()
            if not batch:
                continue
            self._on_batch(sum(each.job.size for each in batch))
            jobs = [each.job for each in batch]
            answers: Sequence[A | Exception]
            try:
                answers = await loop.run_in_executor(self._thread, self._work, jobs)
            except Exception as error:
                answers = [error] * len(batch)
            for each, answer in zip(batch, answers, strict=True):
                if each.answer.done():  # its client is gone
                    continue
                if isinstance(answer, Exception):
                    each.answer.set_exception(answer)
                else:
                    each.answer.set_result(answer)

    def close(self) -> None:
        """Let the thread end after the batch at work."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _gathered(self) -> None:
        """Wait until there is a whole batch, or the oldest job has waited long enough."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        until = next(iter(self._waiting)).since + self._wait
        while self._waiting and (left := until - monotonic()) > 0:
            if sum(each.job.size for each in self._waiting) >= self._most:
                return
            self._changed.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    def _take(self) -> list[_Waiting[J, A]]:
        """Take the oldest job out of the queue, and those of its kind that fit with it."""
        batch: list[_Waiting[J, A]] = []
        n = 0
        for each in self._waiting:
            if batch and each.job.kind != batch[0].job.kind:
                continue
            if batch and n + each.job.size > self._most:
                break
            batch.append(each)
            n += each.job.size
        for each in batch:
            del self._waiting[each]
        return batch
