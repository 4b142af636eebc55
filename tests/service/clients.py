"""Services in this process, and what asks them: an HTTP client, or ASGI's own messages."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec

import pytest

from clipcond.service.settings import Limits, ServiceSettings


def need_extra():
    """Skip a test where the service cannot run."""
    for package in ("fastapi", "uvicorn", "prometheus_client", "httpx"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: it is in the extras serve and test")


@asynccontextmanager
async def opened(model, *, limits=None, ready=True, **choices):
    """A service around a model: its application, and its context."""
    need_extra()
    from clipcond.service.context import Context
    from clipcond.service.serving import make_app

    settings = ServiceSettings(limits=limits or Limits(), **choices)
    context = Context(settings, load=lambda: model)
    app = make_app(context)
    if ready:
        await context.open()
    try:
        yield app, context
    finally:
        await context.close()


@asynccontextmanager
async def client_of(app):
    """An HTTP client of an application."""
    import httpx

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


def asked(model, route, *bodies, headers=None, **choices):
    """Post to a new service, all at once; the answers."""

    async def ask():
        async with opened(model, **choices) as (app, _), client_of(app) as client:
            given = {"content-type": "application/json", **(headers or {})}
            texts = (json.dumps(body) for body in bodies)
            posts = (client.post(route, content=text, headers=given) for text in texts)
            return await asyncio.gather(*posts)

    return asyncio.run(ask())


@dataclass
class Connection:
    """One request as ASGI sees it, which can be cut."""

    path: str
    bodies: list[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    sent: list[dict] = field(default_factory=list)
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    stalls: bool = False

    async def receive(self):
        if self.bodies:
            body = self.bodies.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self.bodies)}
        if self.stalls:
            await asyncio.sleep(3600)
        await self.cut.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    async def ask(self, app):
        """Send it; return the status, and the answer's JSON if it has any."""
        headers = {"host": "127.0.0.1", "content-type": "application/json", **self.headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 1),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
        await app(scope, self.receive, self.send)
        body = b"".join(message.get("body", b"") for message in self.sent[1:])
        return self.sent[0]["status"], json.loads(body) if body else None
