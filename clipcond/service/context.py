"""Hold what the routes answer with, from the start of the service to its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

from clipcond.service.admission import Admission
from clipcond.service.answers import Packed
from clipcond.service.batching import Batcher
from clipcond.service.drawing import PictureQueue
from clipcond.service.encoding import EncodeJob, encode_jobs
from clipcond.service.metrics import Metrics
from clipcond.service.models import Model, load_model
from clipcond.service.settings import ServiceSettings

T = TypeVar("T")
_READERS = 2  # threads that inspect and convert


class Context:
    """The model once it is loaded, and the queues before it. It is made in the event loop.

    Args:
        load: loads the model; None = as the settings say.
    """

    def __init__(self, settings: ServiceSettings, load: Callable[[], Model] | None = None) -> None:
        self.settings, self.limits = settings, settings.limits
        self.metrics = Metrics()
        self.admission = Admission(self.limits.queue)
        self.batcher: Batcher[EncodeJob, Packed] = Batcher(
            self._encode,
            most=self.limits.batch,
            wait=self.limits.wait,
            on_batch=self.metrics.batch,
        )
        self._load = load or partial(load_model, settings, self.metrics.in_tower)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reading")
        self._model: Model | None = None
        self._pictures: PictureQueue | None = None
        self._running: asyncio.Task[None] | None = None
        self._watch()

    @property
    def model(self) -> Model:
        """The model; requests come in only once it is there."""
        assert self._model is not None
        return self._model

    @property
    def pictures(self) -> PictureQueue:
        """What draws."""
        assert self._pictures is not None
        return self._pictures

    async def open(self) -> None:
        """Load the model, and let requests in.

        Raises:
            ClipcondError: it cannot be loaded.
        """
        self._model = await _on_daemon(self._load)
        self._pictures = PictureQueue(self._model, self.limits.drawings, self.settings.reword)
        self._running = asyncio.create_task(self.batcher.run())
        if self.admission.state == "loading":
            self.admission.state = "ready"

    async def read(self, work: Callable[[], T]) -> T:
        """Do some work on a thread for prompts that are not encoded."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def close(self) -> None:
        """End the threads after what they do."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self.batcher.close()
        self._readers.shutdown(wait=False, cancel_futures=True)
        if self._pictures is not None:
            self._pictures.close()

    def _encode(self, jobs: Sequence[EncodeJob]) -> list[Packed | Exception]:
        return encode_jobs(self.model, jobs, self.settings.reword)

    def _watch(self) -> None:
        def cached() -> float:
            return 0.0 if self._model is None else float(self._model.base.cache.n_bytes)

        def drawing() -> float:
            return 0.0 if self._pictures is None else float(self._pictures.n_inside)

        watch = self.metrics.watch
        watch("queue_depth", "Requests that wait to be encoded.", lambda: len(self.batcher))
        watch("inside", "Requests that wait or are worked on.", lambda: self.admission.n_inside)
        watch("drawings", "Pictures that wait or are drawn.", drawing)
        watch("ready", "1 = requests are let in.", lambda: float(self.admission.state == "ready"))
        watch("cache_bytes", "Bytes of encoded chunks that are kept.", cached)


async def _on_daemon(work: Callable[[], T]) -> T:
    """Do some work on a thread that the process does not wait for when it ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(cast(T, result))
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=run, name="loading", daemon=True).start()
    return await done
