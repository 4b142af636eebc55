"""Read the bodies of requests: bounded while they arrive, and strict JSON."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, NoReturn, TypeAlias

from clipcond.errors import excerpt
from clipcond.service.refusals import ClientGone, RequestError

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
_JSON = "application/json"
_CHARSET = re.compile(r"(?i)\bcharset\s*=\s*\"?([^\s;\"]*)")
DISCARDING, DISCARDED = 1.0, 8  # seconds, and times the largest body


def check_headers(headers: Mapping[str, str], limit: int) -> None:
    """Refuse by its headers a body that is none of JSON, or larger than the limit.

    Raises:
        RequestError: 411, 413 or 415.
    """
    kind, _, parameters = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if kind != _JSON:
        # a page of another site can send other kinds without asking first
        message = f"the body is {kind!r}, not {_JSON}" if kind else "the body has no Content-Type"
        raise RequestError(message, f"Send JSON, with Content-Type: {_JSON}.", 415, "media-type")
    charset = _CHARSET.search(parameters)
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        message = f"the body is JSON in {charset[1]}; JSON is UTF-8"
        raise RequestError(message, "Send it as UTF-8.", 415, "media-type")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RequestError("the body is compressed", "Send it as it is.", 415, "media-type")
    length = headers.get("content-length", "0").strip()
    if not (length.isascii() and length.isdigit()):
        raise RequestError("Content-Length is no number", code="content-length")
    if len(length) > 18 or int(length) > limit:
        raise _too_large(limit)


async def let_in(headers: Mapping[str, str], receive: Receive, limit: int) -> None:
    """Check a body's headers; read on for a moment where it is refused as too large.

    Raises:
        RequestError: as `check_headers`.
    """
    try:
        check_headers(headers, limit)
    except RequestError as error:
        if error.status == 413:
            await discard_rest(receive, limit)
        raise


async def read_body(receive: Receive, limit: int, seconds: float) -> bytes:
    """Read a body to its end, whatever its length was said to be.

    Raises:
        RequestError: 413, it goes on beyond the limit; 408, it does not arrive in time.
        ClientGone: the connection was closed before its end.
    """
    parts: list[bytes] = []
    n_bytes = 0

    async def read() -> bytes:
        nonlocal n_bytes
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(part := message.get("body", b""))
            n_bytes += len(part)
            if n_bytes > limit:
                if message.get("more_body"):
                    await discard_rest(receive, limit)
                raise _too_large(limit)
            if not message.get("more_body"):
                return b"".join(parts)

    try:
        return await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError:
        message = f"the body did not arrive within {seconds:g} seconds"
        raise RequestError(message, "Send it again.", 408, "slow-body") from None


async def discard_rest(receive: Receive, limit: int) -> None:
    """Read what is left of a refused body for a moment.

    A client that still sends when its connection is closed may never see why it was refused.

    Args:
        limit: bytes of the largest body; of a larger one DISCARDED times as many are read.
    """

    async def read() -> None:
        n_bytes, message = 0, await receive()
        while message.get("more_body") and n_bytes <= DISCARDED * limit:
            message = await receive()
            n_bytes += len(message.get("body", b""))

    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), DISCARDING)


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"the body has more than {limit:,} bytes",
        "Send fewer or shorter prompts.",
        413,
        "body-too-large",
    )


def read_json(body: bytes) -> dict[str, object]:
    """Read a JSON object in UTF-8, in which each name occurs once and numbers are finite.

    Raises:
        RequestError: 400; says what is wrong, and where.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_json(f"byte {error.start} is not valid UTF-8") from None
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        said = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        raise _no_json(f"{said} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _no_json("it is nested too deeply") from None
    except RequestError:
        raise
    except ValueError:  # Python reads no integers beyond some thousands of digits
        raise _no_json("a number has too many digits") from None
    if not isinstance(found, dict):
        raise _no_json("it is no object")
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise _no_json(f"{excerpt(ascii(twice))} occurs twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise _no_json(f"{name} is no number of JSON")


def _no_json(why: str) -> RequestError:
    return RequestError(
        f"the body cannot be read as JSON: {why}",
        'Send one object, such as {"prompt": "a cat"}.',
        400,
        "json",
    )
