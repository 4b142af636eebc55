"""Bound connections: how many there are, and how long one may send nothing."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 20.0  # for a request's first line and headers
SPARE = 100  # file descriptors for anything but connections
MOST = 4096


def raise_limit() -> int:
    """Let this process have as many open files as it may, and say how many connections fit."""
    try:
        import resource
    except ImportError:  # Windows, where sockets are no file descriptors
        return MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft - SPARE))


class BoundedProtocol(H11Protocol):
    """uvicorn's connection, which is closed if there are too many, or no request comes.

    uvicorn by itself waits for ever for the first request of a connection, and for the end of a
    request's headers; without file descriptors Python logs an error for each try to accept one.
    """

    most = MOST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        super().connection_made(transport)
        self._waiting: asyncio.TimerHandle | None = None
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Read, and wait for the rest of a request's headers only so long."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with what has come meanwhile."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._stop_watching()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # a request is answered
            self._stop_watching()
        elif self._waiting is None:  # what drips in does not begin the time again
            self._waiting = self.loop.call_later(SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        self.transport.close()
