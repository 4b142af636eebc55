"""Jobs that arrive together are done together; those that nobody waits for are not."""

import asyncio
import threading
from dataclasses import dataclass

import pytest

from clipcond.service.batching import Batcher


@dataclass(frozen=True)
class Job:
    number: int
    size: int = 1
    kind: str = "a"


class Work:
    """Answers a job with its number doubled, a negative one with an error; keeps the batches."""

    def __init__(self):
        self.batches, self.go_on = [], threading.Event()
        self.go_on.set()

    def __call__(self, jobs):
        self.batches.append([job.number for job in jobs])
        assert self.go_on.wait(10)
        return [ValueError(str(job)) if job.number < 0 else 2 * job.number for job in jobs]


def done(work, jobs, *, most=4, wait=0.01):
    """Give a batcher all jobs at once; return their answers or errors."""

    async def run():
        batcher = Batcher(work, most=most, wait=wait, on_batch=lambda size: None)
        running = asyncio.create_task(batcher.run())
        answers = await asyncio.gather(*map(batcher.do, jobs), return_exceptions=True)
        running.cancel()
        batcher.close()
        return answers

    return asyncio.run(run())


def test_in_batches_of_one_kind_in_their_order():
    work = Work()
    kinds = "aabaabab"
    answers = done(work, [Job(i, kind=kind) for i, kind in enumerate(kinds)])

    assert answers == [2 * i for i in range(8)]
    assert work.batches == [[0, 1, 3, 4], [2, 5, 7], [6]]


def test_sizes_count_and_one_job_may_be_larger():
    work = Work()
    done(work, [Job(0, 3), Job(1, 2), Job(2, 9), Job(3, 1)])

    assert work.batches == [[0], [1], [2], [3]]


def test_an_error_is_that_jobs_own():
    answers = done(Work(), [Job(1), Job(-1), Job(2)])

    assert answers[::2] == [2, 4]
    assert isinstance(answers[1], ValueError)


def test_if_the_work_fails_each_job_hears_of_it_and_the_next_are_done():
    def work(jobs):
        if jobs[0].number == 0:
            raise RuntimeError("broken")
        return [job.number for job in jobs]

    first, second, third = done(work, [Job(0), Job(1), Job(2, kind="b")])

    assert str(first) == str(second) == "broken"
    assert third == 2


def test_what_is_cancelled_while_it_waits_is_not_done():
    work = Work()

    async def run():
        batcher = Batcher(work, most=4, wait=0, on_batch=lambda size: None)
        running = asyncio.create_task(batcher.run())
        work.go_on.clear()
        first = asyncio.create_task(batcher.do(Job(0)))
        while not work.batches:
            await asyncio.sleep(0.001)
        waiting = [asyncio.create_task(batcher.do(Job(i))) for i in (1, 2, 3)]
        await asyncio.sleep(0)
        assert len(batcher) == 3
        waiting[1].cancel()
        first.cancel()  # at work: it is done for nobody
        await asyncio.sleep(0)
        assert len(batcher) == 2
        work.go_on.set()
        answers = await asyncio.gather(*waiting, first, return_exceptions=True)
        running.cancel()
        batcher.close()
        return answers

    answers = asyncio.run(run())

    assert work.batches == [[0], [1, 3]]
    assert [answers[0], answers[2]] == [2, 6]
    assert isinstance(answers[1], asyncio.CancelledError)
    assert isinstance(answers[3], asyncio.CancelledError)


@pytest.mark.parametrize(("n", "batches"), [(1, 1), (4, 1), (5, 2)])
def test_a_whole_batch_does_not_wait(n, batches):
    work = Work()
    done(work, [Job(i) for i in range(n)], wait=0.05 if n % 4 else 100)

    assert len(work.batches) == batches
