"""Connections that send nothing, or drip, are closed; those that are answered are not."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from clipcond.hosts import listen
from tests.service.clients import need_extra

HALF = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def slow(scope, receive, send):
    """Answer after a while."""
    if scope["type"] == "http":
        await asyncio.sleep(0.5 if scope["path"] == "/slow" else 0)
        length = (b"content-length", b"2")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(monkeypatch, most=100, seconds=0.25):
    need_extra()
    import uvicorn

    from clipcond.service import connections

    monkeypatch.setattr(connections, "SECONDS", seconds)
    monkeypatch.setattr(connections.BoundedProtocol, "most", most)
    config = uvicorn.Config(slow, http=connections.BoundedProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    with listen("127.0.0.1", 0) as listening:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        yield listening.getsockname()[:2]
        server.should_exit = True
        await running


async def until_closed(address, pieces, pause=0.05):
    """Send pieces, and read until the server closes; what it sent, or None if it goes on."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            with suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 3)
    except asyncio.TimeoutError:
        return None
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("pieces", "begins"),
    [
        ([], b""),
        ([HALF], b""),
        ([HALF, *[b"x: y\r\n"] * 20], b""),
        ([HALF + b"\r\n", HALF], b"HTTP/1.1 200"),
    ],
)
def test_who_sends_no_request_is_closed(monkeypatch, pieces, begins):
    async def run():
        async with serving(monkeypatch) as address:
            return await until_closed(address, pieces)

    answer = asyncio.run(run())
    assert answer is not None
    assert answer.startswith(begins)
    assert bool(answer) == bool(begins)


def test_a_request_may_take_longer(monkeypatch):
    async def run():
        async with serving(monkeypatch) as address:
            request = b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            return await until_closed(address, [request])

    assert asyncio.run(run()).endswith(b"\r\n\r\nok")


def test_there_are_only_so_many(monkeypatch):
    async def run():
        async with serving(monkeypatch, most=2, seconds=9) as address:
            held = [await asyncio.open_connection(*address) for _ in range(2)]
            await asyncio.sleep(0.1)
            refused = await until_closed(address, [])
            for _, writer in held:
                writer.close()
            await asyncio.sleep(0.1)
            close = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            return refused, await until_closed(address, [close])

    refused, answered = asyncio.run(run())
    assert refused == b""
    assert answered.endswith(b"ok")


def test_as_many_as_there_are_descriptors():
    need_extra()
    from clipcond.service.connections import MOST, raise_limit

    assert 1 <= raise_limit() <= MOST
