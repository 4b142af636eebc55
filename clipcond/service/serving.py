"""Serve until a signal ends it: load, answer, let everybody out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from clipcond.hosts import address_of, listen
from clipcond.service.connections import BoundedProtocol, raise_limit
from clipcond.service.context import Context
from clipcond.service.guarding import Guard, check_token
from clipcond.service.logs import log_event, start_log
from clipcond.service.middleware import App, Middleware
from clipcond.service.models import check_settings
from clipcond.service.routes import add_routes
from clipcond.service.settings import ServiceSettings

_LAST_WORDS = 5  # seconds in which answers that are made may still be sent


def make_app(
    context: Context,
    *,
    host: str = "127.0.0.1",
    on_open: Callable[[BaseException | None], object] = lambda error: None,
) -> App:
    """Make the ASGI application. Its lifespan loads the model, while requests get 503.

    Args:
        host: where it is served.
        on_open: called when the model is loaded, or with the error that it cannot be.
    """

    async def open_context() -> None:
        error: BaseException | None = None
        try:
            await context.open()
        except Exception as raised:
            error = raised
        on_open(error)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opening = asyncio.create_task(open_context())
        yield
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await context.close()

    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan
    )
    add_routes(app, context)
    return Middleware(app, Guard(context.settings.token, host), context)


class _Server:
    """uvicorn's server, whose signals let everybody out first.

    The first signal refuses new requests and waits for those inside; a second one ends it at once.
    """

    def __init__(self, context: Context, host: str) -> None:
        self._context = context
        self._draining: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None
        config = uvicorn.Config(
            make_app(context, host=host, on_open=self._opened),
            log_config=None,
            access_log=False,
            server_header=False,
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=_LAST_WORDS,
        )
        self._server = uvicorn.Server(config)
        vars(self._server)["handle_exit"] = self._on_signal

    async def run(self, listening: socket.socket) -> None:
        """Serve on a socket until a signal comes, or the model cannot be loaded."""
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[listening])

    def _opened(self, error: BaseException | None) -> None:
        self.failure = error
        if error is None:
            log_event("ready", {})
        else:
            self._server.should_exit = True

    def _on_signal(self, number: int, frame: object) -> None:
        if self._draining is not None:
            self._server.should_exit = self._server.force_exit = True
        else:
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._let_out())

    async def _let_out(self) -> None:
        admission = self._context.admission
        log_event("draining", {"inside": admission.n_inside})
        await admission.drain(self._context.limits.drain)
        self._server.should_exit = True


def serve(
    settings: ServiceSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    say: Callable[[str], None] = print,
) -> None:
    """Serve until a signal ends it: SIGTERM or Ctrl-C.

    Args:
        host: beyond this computer, the settings need a token.
        port: 0 = any free one.
        say: prints where the service is, before the model is loaded.
    Raises:
        ArgumentError: others can reach it, and there is no token.
        ClipcondError: the port is taken, or the model cannot be loaded.
    """
    check_token(settings.token, host)
    check_settings(settings)
    with listen(host, port) as listening:
        start_log()
        BoundedProtocol.most = raise_limit()
        server = _Server(Context(settings), host)
        say(address_of(host, listening))
        asyncio.run(server.run(listening))
    if server.failure is not None:
        raise server.failure
