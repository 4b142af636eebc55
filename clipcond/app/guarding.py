"""Guard the page's server: who may ask, from where, and how much they may send."""

from __future__ import annotations

import base64
import mimetypes
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from clipcond.app.settings import MOST_UPLOADED_BYTES
from clipcond.hosts import is_foreign, name_of_host

USER = "clipcond"
_MOST_SENT = MOST_UPLOADED_BYTES + 2**20

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """An ASGI application around another, which refuses requests before it sees them.

    * Another site's page cannot use the server: its Origin is another. Nor can one whose name was
      made to point at this computer (DNS rebinding): the Host is not one of `hosts`.
    * With a password, every request needs it (HTTP's Basic authentication, user "clipcond").
    * Of the files that gradio may give, only pictures are given.
    * A body that says it is larger than an upload may be is refused; one that does not say is cut
      off there.

    Args:
        password: None = none is needed.
        hosts: names that the server is asked by; None = any.
    """

    def __init__(self, app: App, password: str | None, hosts: Iterable[str] | None) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(hosts)
        token = base64.b64encode(f"{USER}:{password}".encode())
        self._wanted = None if password is None else b"Basic " + token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            # there are no web sockets here; "lifespan" starts and ends the server
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        status = self._refusal(headers) or _refusal_of(scope.get("path", ""))
        if status is None:
            await self._app(scope, _bounded(receive), _with_headers(send))
            return
        await _refuse(send, status)

    def _refusal(self, headers: dict[bytes, bytes]) -> int | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self._hosts is not None and name_of_host(host) not in self._hosts:
            return 421
        origin = headers.get(b"origin", b"").decode("latin-1")
        if is_foreign(origin, host):
            return 403
        given = headers.get(b"authorization", b"")
        if self._wanted is not None and not secrets.compare_digest(given, self._wanted):
            return 401
        length = headers.get(b"content-length", b"0")
        return 413 if not length.isdigit() or int(length) > _MOST_SENT else None


def _refusal_of(path: str) -> int | None:
    """Refuse a file that is no picture; gradio says itself whose folder it may come from."""
    _, asked, file = path.partition("/file=")
    kind = mimetypes.guess_type(file)[0] or ""
    return 404 if asked and (not kind.startswith("image/") or "svg" in kind) else None


_REASONS = {
    401: "A password is needed.",
    403: "Other sites' pages may not use this server.",
    404: "There is no such picture.",
    413: "That is too large.",
    421: "This server is not asked by that name.",
}


async def _refuse(send: Send, status: int) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="clipcond", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": _REASONS[status].encode()})


def _bounded(receive: Receive) -> Receive:
    """Cut off a body that goes on for longer than any upload may."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > _MOST_SENT else message

    return bounded


def _with_headers(send: Send) -> Send:
    """Let browsers load nothing from elsewhere, and show the page in no other's frame."""
    added = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (
            b"content-security-policy",
            b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
            b"frame-ancestors 'self'; form-action 'self'",
        ),
    ]

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *added]
        await send(message)

    return send_with
