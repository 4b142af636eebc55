"""Who may ask the server, and how much they may send."""

import asyncio
import base64

import pytest

from clipcond.app.guarding import Guard
from clipcond.app.settings import MOST_UPLOADED_BYTES
from clipcond.hosts import LOCAL


async def fine(scope, receive, send):
    n = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        n += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(n).encode()})


def ask(guard, headers, bodies=(b"",)):
    """Send a request; return the status, or None if there was no answer, and the headers."""
    sent, left = [], list(bodies)
    scope = {
        "type": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive():
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return (sent[0]["status"], dict(sent[0]["headers"])) if sent else (None, {})


LOCAL_GUARD = Guard(fine, None, LOCAL)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:7860"}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "[::1]:7860"}, 200),
        ({"host": "evil.example:7860"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({}, 421),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, 200),
        ({"host": "localhost:1", "origin": "https://evil.example"}, 403),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, 403),
        ({"host": "localhost:1", "origin": "null"}, 403),
        ({"host": "localhost", "content-length": str(MOST_UPLOADED_BYTES * 2)}, 413),
        ({"host": "localhost", "content-length": "-1"}, 413),
    ],
)
def test_who_may_ask(headers, status):
    assert ask(LOCAL_GUARD, headers)[0] == status


def test_a_body_that_does_not_end_is_cut_off():
    assert ask(LOCAL_GUARD, {"host": "localhost"}, [b"x" * 2**20] * 3)[0] == 200
    assert ask(LOCAL_GUARD, {"host": "localhost"}, [b"x" * 2**20] * 40)[0] is None


@pytest.mark.parametrize(
    ("user", "password", "status"),
    [("clipcond", "pass:wörd", 200), ("clipcond", "wrong", 401), ("admin", "pass:wörd", 401)],
)
def test_a_password(user, password, status):
    guard = Guard(fine, "pass:wörd", None)
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    answered, headers = ask(guard, {"host": "any", "authorization": f"Basic {token}"})

    assert answered == status
    assert (b"www-authenticate" in headers) == (status == 401)


def test_without_a_password_nothing_is_answered():
    guard = Guard(fine, "secret", None)

    assert ask(guard, {"host": "any"})[0] == 401
    assert ask(guard, {"host": "any", "authorization": "Basic " + "=" * 9})[0] == 401


def test_the_page_loads_nothing_from_elsewhere():
    headers = ask(LOCAL_GUARD, {"host": "localhost"})[1]

    assert headers[b"content-security-policy"].startswith(b"default-src 'self' ")
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_web_sockets_are_not_answered():
    async def call():
        await LOCAL_GUARD({"type": "websocket", "headers": []}, None, None)

    asyncio.run(call())
