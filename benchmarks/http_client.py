"""A small HTTP client on asyncio's streams: it measures the server, hardly itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """One connection, which is kept open; it is opened again where the server has closed it."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, fields: object, **headers: str) -> Answer:
        """Send fields as JSON."""
        return await self.send(path, json.dumps(fields).encode(), **headers)

    async def send(self, path: str, body: bytes, method: str = "POST", **headers: str) -> Answer:
        """Send a body.

        Args:
            headers: their names with _ for -.
        """
        given = {"host": self._host, "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("content-length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items())]
        reader, writer = await self._connected()
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        try:
            answer = await _read(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            await self.close()
        return answer

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=2**20)
        return self._streams

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding", "") != "chunked":
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), headers, body)
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return Answer(int(head[0].split()[1]), headers, b"".join(parts))


@asynccontextmanager
async def clients(port: int, n: int) -> AsyncIterator[list[Client]]:
    """Open so many clients."""
    opened = [Client(port) for _ in range(n)]
    try:
        yield opened
    finally:
        await asyncio.gather(*(each.close() for each in opened))
