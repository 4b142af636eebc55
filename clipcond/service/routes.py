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
from clipcond.service.bodies import let_in, read_body, read_json
from clipcond.service.context import Context
from clipcond.service.encoding import EncodeJob
from clipcond.service.middleware import GONE, RECORD, RequestRecord
from clipcond.service.reading import converted, inspected
from clipcond.service.refusals import ClientGone, Refused, RequestError, refused
from clipcond.service.request_fields import (
    ConvertAsked,
    EncodeAsked,
    GenerateAsked,
    InspectAsked,
    check_texts,
    read_asked,
)

# What answers a route, of its fields; it has seen to it that its client waits.
Handler: TypeAlias = Callable[[Context, dict[str, object], Request], Coroutine[Any, Any, Response]]

_MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_PIECE = 2**18  # bytes of an answer that are handed to the connection at once


def add_routes(app: FastAPI, context: Context) -> None:
    """Add all routes to an application."""
    handlers: dict[str, tuple[Handler, float]] = {
        "/encode": (_encode, context.limits.timeout),
        "/inspect": (_inspect, context.limits.timeout),
        "/convert": (_convert, context.limits.timeout),
        "/generate": (_generate, context.limits.draw_timeout),
    }
    for path, (handler, seconds) in handlers.items():
        app.add_api_route(path, _endpoint(context, handler, seconds), methods=["POST"])

    async def ready(request: Request) -> Response:
        state = context.admission.state
        return _json({"status": state}, 200 if state == "ready" else 503)

    async def live(request: Request) -> Response:
        return _json({"status": context.admission.state})

    async def metrics(request: Request) -> Response:
        return Response(context.metrics.text(), media_type=context.metrics.content_type)

    for path, answer in (("/healthz", ready), ("/healthz/live", live), ("/metrics", metrics)):
        app.add_api_route(path, answer, methods=["GET"])

    async def unrouted(request: Request, error: Exception) -> Response:
        """Answer what no route takes."""
        status = getattr(error, "status_code", 404)
        if status == 405:
            wrong = RequestError("this route has another method", "", 405, "method")
            answer = _refusal(request, refused(wrong, context.settings.reword))
            answer.headers["allow"] = "POST" if request.url.path in handlers else "GET"
            return answer
        remedy = f"Known: {', '.join([*handlers, '/healthz', '/healthz/live', '/metrics'])}."
        wrong = RequestError("there is no such route", remedy, status, "route")
        return _refusal(request, refused(wrong, context.settings.reword))

    app.add_exception_handler(HTTPException, unrouted)


def _endpoint(
    context: Context, handler: Handler, seconds: float
) -> Callable[[Request], Awaitable[Response]]:
    """Make what reads a request, has it answered while its client waits, and answers errors."""

    async def endpoint(request: Request) -> Response:
        limits = context.limits
        try:
            await let_in(request.headers, request.receive, limits.body)
            body = await read_body(request.receive, limits.body, limits.timeout)
            fields = read_json(body)
            if context.settings.log_prompts:
                _record(request).said["asked"] = fields
            work = handler(context, fields, request)
            return await context.admission.attend(work, request.receive, seconds)
        except ClientGone:
            return Response(status_code=GONE)  # nobody reads it, but the log has it
        except Exception as error:
            return _refusal(request, refused(error, context.settings.reword))

    return endpoint


async def _encode(context: Context, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(EncodeAsked, fields)
    prompts, negatives = asked.texts()
    check_texts([*prompts, *(negatives or ())], context.limits)
    reading = context.model.chosen(
        dialect=asked.dialect,
        clip_skip=asked.clip_skip,
        weighting=asked.weighting,
        normalize=asked.normalize,
        fullwidth=asked.fullwidth,
        pooled=asked.pooled,
    )
    context.model.conditioner(reading)  # wrong names are refused before they wait
    form = Form(asked.keep, asked.dtype, asked.format or _accepted(request))
    job = EncodeJob(tuple(prompts), None if negatives is None else tuple(negatives), reading, form)
    packed = await context.batcher.do(job)
    context.metrics.issues(packed.issues)
    _record(request).said |= {"prompts": job.size, "issues": packed.issues}
    return _body(packed.body, packed.media_type)


def _accepted(request: Request) -> Literal["safetensors", "json"]:
    """Choose the format by what the client accepts: JSON where that is named, no safetensors."""
    accept = request.headers.get("accept", "")
    return "json" if JSON in accept and SAFETENSORS not in accept else "safetensors"


async def _inspect(context: Context, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(InspectAsked, fields)
    check_texts([asked.prompt, asked.negative or ""], context.limits)
    reword = context.settings.reword
    return _body(
        await context.read(lambda: json_bytes(inspected(context.model, asked, reword))), JSON
    )


async def _convert(context: Context, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(ConvertAsked, fields)
    check_texts([asked.prompt], context.limits)
    return _json(await context.read(partial(converted, asked, context.settings.reword)))


async def _generate(context: Context, fields: dict[str, object], request: Request) -> Response:
    asked = read_asked(GenerateAsked, fields)
    check_texts([asked.prompt, asked.negative], context.limits)
    drawn = await context.pictures.draw(asked)
    codes = tuple(sorted({str(issue["code"]) for issue in drawn.issues}))
    context.metrics.issues(codes)
    _record(request).said |= {"issues": codes}
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


def _record(request: Request) -> RequestRecord:
    record: RequestRecord = request.scope[RECORD]
    return record


def _refusal(request: Request, answer: Refused) -> Response:
    record = _record(request)
    record.said["code"] = answer.error["code"]
    record.refused = answer.status in (408, 411, 413, 415, 429, 503)
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
