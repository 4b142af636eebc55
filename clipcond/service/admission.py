"""Count the requests inside, bound them, and let them out before the service ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Literal, TypeAlias, TypeVar

from clipcond.service.bodies import Receive
from clipcond.service.refusals import ClientGone, RequestError

State: TypeAlias = Literal["loading", "ready", "draining"]
T = TypeVar("T")


class Admission:
    """Where requests are while they wait and are worked on.

    Args:
        most: requests inside; more are refused at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.state: State = "loading"
        self.n_inside = 0
        self._closed = asyncio.Event()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let a request in.

        Raises:
            RequestError: 503, the model is loading, or the service ends; 429, it is full.
        """
        if self.state == "loading":
            raise RequestError("the model is loading", "Ask again later.", 503, "loading")
        if self.state == "draining":
            raise _stopping()
        if self.n_inside >= self._most:
            message = f"{self.n_inside} requests are worked on or wait already"
            raise RequestError(message, "Ask again later.", 429, "queue-full")
        self.n_inside += 1
        try:
            yield
        finally:
            self.n_inside -= 1

    async def drain(self, seconds: float) -> None:
        """Let nobody in, and wait until all are out; give up what is left after some seconds."""
        self.state = "draining"
        until = monotonic() + seconds
        while self.n_inside and monotonic() < until:
            await asyncio.sleep(0.02)
        self._closed.set()
        while self.n_inside and monotonic() < until + 1:  # they answer that they are given up
            await asyncio.sleep(0.02)

    async def attend(self, work: Coroutine[Any, Any, T], receive: Receive, seconds: float) -> T:
        """Do the work of a request as long as somebody waits for it.

        Args:
            receive: of the request, whose body has been read.
            seconds: how long it may take.
        Raises:
            ClientGone: its client has closed the connection.
            RequestError: 504, it took too long; 503, the service ends.
        """
        task = asyncio.create_task(work)
        gone = asyncio.create_task(_disconnected(receive))
        closed = asyncio.create_task(self._closed.wait())
        every: set[asyncio.Task[Any]] = {task, gone, closed}
        try:
            await asyncio.wait(every, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if gone.done():
                raise ClientGone
            if closed.done():
                raise _stopping()
            message = f"it took longer than {seconds:g} seconds"
            raise RequestError(message, "Ask for less, or later.", 504, "timeout")
        finally:
            for each in every:
                each.cancel()
            await asyncio.gather(*every, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _stopping() -> RequestError:
    return RequestError("the service is being stopped", "Ask another one.", 503, "draining")
