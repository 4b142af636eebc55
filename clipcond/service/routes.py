"""Connect the routes with what answers them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal, TypeAlias

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from clipcond.service.answers import JSON, SAFETENSORS, Form, json_bytes
from clipcond.service.asking import (
    ConvertAsked,
    EncodeAsked,
    GenerateAsked,
    InspectAsked,
    check_texts,
    read_asked,
)
from clipcond.service.bodies import check_headers, read_body, read_json
from clipcond.service.desk import Desk
from clipcond.service.encoding import EncodeJob
from clipcond.service.entrance import GONE, VISIT, Visit
from clipcond.service.reading import converted, inspected
from clipcond.service.refusals import ClientGone, Refused, RequestError, refused

# What answers a route, of its fields; it has seen to it that its client waits.
Handler: TypeAlias = Callable[[Desk, dict[str, object], Request], Coroutine[Any, Any, Response]]

_MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_PIECE = 2**18  # bytes of an answer that are handed to the connection at once


def add_routes(app: FastAPI, desk: Desk) -> None:
    """Add all routes to an application."""
    handlers: dict[str, tuple[Handler, float]] = {
        "/encode": (_encode, desk.limits.timeout),
        "/inspect": (_inspect, desk.limits.timeout),
        "/convert": (_convert, desk.limits.timeout),
        "/generate": (_generate, desk.limits.draw_timeout),
    }
    for path, (handler, seconds) in handlers.items():
        app.add_api_route(path, _endpoint(desk, handler, seconds), methods=["POST"])

    async def ready(request: Request) -> Response:
        state = desk.hall.state
        return _json({"status": state}, 200 if state == "ready" else 503)

    async def live(request: Request) -> Response:
        return _json({"status": desk.hall.state})

    async def metrics(request: Request) -> Response:
        return Response(desk.metrics.text(), media_type=desk.metrics.content_type)

    for path, answer in (("/healthz", ready), ("/healthz/live", live), ("/metrics", metrics)):
        app.add_api_route(path, answer, methods=["GET"])

    async def unrouted(request: Request, error: Exception) -> Response:
        """Answer what no route takes."""
        status = getattr(error, "status_code", 404)
        if status == 405:
            wrong = RequestError("this route has another method", "", 405, "method")
        else:
            remedy = f"Known: {', '.join([*handlers, '/healthz', '/metrics'])}."
            wrong = RequestError("there is no such route", remedy, status, "route")
        return _refusal(request, refused(wrong, desk.settings.reword))

    app.add_exception_handler(HTTPException, unrouted)


def _endpoint(
    desk: Desk, handler: Handler, seconds: float
) -> Callable[[Request], Awaitable[Response]]:
    """Make what reads a request, has it answered while its client waits, and answers errors."""

    async def endpoint(request: Request) -> Response:
        limits = desk.limits
        try:
            check_headers(request.headers, limits.body)
            body = await read_body(request.receive, limits.body, limits.timeout)
            fields = read_json(body)
            if desk.settings.log_prompts:
                _visit(request).told["asked"] = fields
            work = handler(desk, fields, request)
            return await desk.hall.attend(work, request.receive, seconds)
        except ClientGone:
            return Response(status_code=GONE)  # nobody reads it, but the log has it
        except Exception as error:
            return _refusal(request, refused(error, desk.settings.reword))

    return endpoint


async def _encode(desk: Desk, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(EncodeAsked, fields)
    prompts, negatives = asked.texts()
    check_texts([*prompts, *(negatives or ())], desk.limits)
    reading = desk.model.chosen(
        dialect=asked.dialect,
        clip_skip=asked.clip_skip,
        weighting=asked.weighting,
        normalize=asked.normalize,
        pooled=asked.pooled,
    )
    desk.model.conditioner(reading)  # wrong names are refused before they wait
    form = Form(asked.keep, asked.dtype, asked.format or _accepted(request))
    job = EncodeJob(tuple(prompts), None if negatives is None else tuple(negatives), reading, form)
    packed = await desk.batcher.do(job)
    desk.metrics.issues(packed.issues)
    _visit(request).told |= {"prompts": job.size, "issues": packed.issues}
    return _body(packed.body, packed.media_type)


def _accepted(request: Request) -> Literal["safetensors", "json"]:
    """Choose the format by what the client accepts: JSON where that is named, no safetensors."""
    accept = request.headers.get("accept", "")
    return "json" if JSON in accept and SAFETENSORS not in accept else "safetensors"


async def _inspect(desk: Desk, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(InspectAsked, fields)
    check_texts([asked.prompt, asked.negative or ""], desk.limits)
    reword = desk.settings.reword
    return _body(await desk.read(lambda: json_bytes(inspected(desk.model, asked, reword))), JSON)


async def _convert(desk: Desk, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(ConvertAsked, fields)
    check_texts([asked.prompt], desk.limits)
    return _json(await desk.read(partial(converted, asked, desk.settings.reword)))


async def _generate(desk: Desk, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(GenerateAsked, fields)
    check_texts([asked.prompt, asked.negative], desk.limits)
    drawn = await desk.easel.draw(asked)
    codes = tuple(sorted({str(issue["code"]) for issue in drawn.issues}))
    desk.metrics.issues(codes)
    _visit(request).told |= {"issues": codes}
    if JSON in request.headers.get("accept", ""):
        return _json(
            {
                "image": base64.b64encode(drawn.body).decode("ascii"),
                "format": asked.format,
                "seed": drawn.seed,
                "parameters": drawn.parameters,
                "issues": drawn.issues,
            }
        )
    answer = _body(drawn.body, _MEDIA_TYPES[asked.format])
    answer.headers["x-clipcond-seed"] = str(drawn.seed)
    answer.headers["x-clipcond-issues"] = ",".join(codes)
    return answer


def _visit(request: Request) -> Visit:
    visit: Visit = request.scope[VISIT]
    return visit


def _refusal(request: Request, answer: Refused) -> Response:
    visit = _visit(request)
    visit.told["code"] = answer.error["code"]
    visit.refused = answer.status in (408, 411, 413, 415, 429, 503)
    content = json_bytes({"error": answer.error})
    return Response(content, answer.status, headers=answer.headers, media_type=JSON)


def _json(value: object, status: int = 200) -> Response:
    return Response(json_bytes(value), status, media_type=JSON)


def _body(body: bytes, media_type: str) -> Response:
    """Hand an answer to the connection in pieces, the next when there is room for it."""
    if len(body) <= _PIECE:
        return Response(body, media_type=media_type)

    async def pieces() -> AsyncIterator[memoryview]:
        view = memoryview(body)
        for start in range(0, len(body), _PIECE):
            yield view[start : start + _PIECE]

    headers = {"content-length": str(len(body))}
    return StreamingResponse(pieces(), headers=headers, media_type=media_type)
