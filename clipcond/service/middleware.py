"""What every request passes first and last: the guard, its number, the log, the metrics."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias

from clipcond.service.answers import JSON, json_bytes
from clipcond.service.bodies import Message, Receive
from clipcond.service.context import Context
from clipcond.service.guarding import Guard
from clipcond.service.logs import log_event
from clipcond.service.refusals import ClientGone, Refused, RequestError, refused
from clipcond.service.settings import as_written

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/healthz", "/healthz/live"})  # a token is not needed
WORK = ("/encode", "/inspect", "/convert", "/generate")
ROUTES = (*OPEN, "/metrics", *WORK)
GONE = 499  # the status of an answer that nobody waited for, as nginx writes it
_NUMBER = re.compile(rb"[\w.-]{1,64}", re.ASCII)
RECORD = "clipcond.record"  # in a request's scope


@dataclass(slots=True)
class RequestRecord:
    """One request, for the log: `said` is what its route says of it."""

    number: str
    route: str
    status: int = GONE
    said: dict[str, object] = field(default_factory=dict)
    refused: bool = False


class Middleware:
    """An ASGI application around another.

    Each answer has the request's number, X-Request-Id: the one that it came with, or a new one.

    Requests that are to be worked on are counted while they are inside, until their answer is sent.
    """

    def __init__(self, app: App, guard: Guard, context: Context) -> None:
        self._app, self._guard, self._context = app, guard, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and write down how it went."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # it starts and ends the service
                await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        path = scope["path"]
        record = RequestRecord(_number_of(headers), path if path in ROUTES else "other")
        scope[RECORD] = record
        start = perf_counter()
        sending = self._sending(record, send)
        try:
            if path not in OPEN:
                self._guard.check(headers)
            with self._context.admission.inside() if path in WORK else nullcontext():
                await self._app(scope, receive, sending)
        except ClientGone:
            record.status = GONE
        except RequestError as error:
            record.said["code"], record.refused = error.code, True
            await _send_refusal(refused(error, as_written), sending)
        finally:
            self._note(record, scope, perf_counter() - start)

    def _sending(self, record: RequestRecord, send: Send) -> Send:
        async def send_with_number(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                number = (b"x-request-id", record.number.encode("ascii"))
                plain = (b"x-content-type-options", b"nosniff")
                message["headers"] = [*message.get("headers", ()), number, plain]
            try:
                await asyncio.wait_for(send(message), self._context.limits.timeout)
            except asyncio.TimeoutError:
                raise ClientGone from None

        return send_with_number

    def _note(self, record: RequestRecord, scope: Scope, seconds: float) -> None:
        metrics = self._context.metrics
        metrics.answered(record.route, record.status, seconds)
        if record.refused:
            metrics.rejected(str(record.said.get("code", "")))
        if record.route in OPEN:
            return  # asked every few seconds
        client = scope.get("client") or ("", 0)
        log_event(
            "request",
            {
                "id": record.number,
                "client": client[0],
                "method": scope["method"],
                "route": record.route,
                "status": record.status,
                "ms": round(seconds * 1000, 1),
                **record.said,
            },
        )


async def _send_refusal(answer: Refused, send: Send) -> None:
    """Send an error as JSON."""
    body = json_bytes({"error": answer.error})
    headers = {"content-type": JSON, "content-length": str(len(body)), **answer.headers}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _number_of(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"")
    return given.decode("ascii") if _NUMBER.fullmatch(given) else secrets.token_hex(8)
