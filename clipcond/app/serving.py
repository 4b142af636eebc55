"""Serve the page: on this computer only, or with a password."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from clipcond.app import html
from clipcond.app.guarding import USER, App, Guard
from clipcond.app.handlers import Desk
from clipcond.app.live import Field as PromptField
from clipcond.app.live import FieldView, view_fields
from clipcond.app.page import build_page, look
from clipcond.app.reader import Reader
from clipcond.app.settings import MOST_CHARACTERS, MOST_UPLOADED_BYTES, AppSettings
from clipcond.app.studio import Studio
from clipcond.app.weight_keys import change_weight
from clipcond.app.wording import wants_chinese
from clipcond.hosts import LOCAL, address_of, listen

_FILES = Path(__file__).parent / "assets"
# Nothing is sent anywhere, and nothing is fetched.
_ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}

_ICON = (
    '<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 '
    "viewBox=%220 0 16 16%22%3E%3Crect width=%2216%22 height=%2216%22 rx=%224%22 "
    "fill=%22%234f46e5%22/%3E%3Cpath d=%22M11 5.5a4 4 0 1 0 0 5%22 fill=%22none%22 "
    'stroke=%22white%22 stroke-width=%222%22/%3E%3C/svg%3E">'
)


class Typed(BaseModel):
    """What is in the prompt fields, and how it is to be read."""

    texts: list[str] = Field(max_length=2)
    dialect: str = "a1111"
    tower: str = ""
    skip: int = 0


class Selected(BaseModel):
    """A selection, and what is to be added to its weight."""

    text: str = Field(max_length=MOST_CHARACTERS)
    start: int
    stop: int
    change: float = Field(ge=-1, le=1)
    dialect: str = "a1111"


def make_app(
    settings: AppSettings, *, password: str | None = None, hosts: frozenset[str] | None = LOCAL
) -> App:
    """Load the model, and make the ASGI application: /en/ and /zh/ are the page.

    Args:
        password: what every request needs; None = nothing.
        hosts: by which names the server may be asked; None = any.
    Raises:
        ClipcondError: the model cannot be loaded.
    """
    os.environ.update(_ENVIRONMENT)
    studio = Studio(settings)
    reader = Reader(settings.encoder, settings.device, settings.allow_pickle)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    desks = {name: Desk.of(studio, reader, chinese=name == "zh") for name in ("en", "zh")}
    _add_routes(app, desks)
    for name, desk in desks.items():
        page = build_page(desk)
        gr.mount_gradio_app(
            app,
            page,
            f"/{name}",
            allowed_paths=[str(settings.output.resolve())],
            max_file_size=MOST_UPLOADED_BYTES,
            show_error=False,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            enable_monitoring=False,
            theme=look(),
            css=(_FILES / "page.css").read_text(encoding="utf-8"),
            head=_ICON + f"<script>{(_FILES / 'page.js').read_text(encoding='utf-8')}</script>",
        )
        # Until it is launched, which a mounted page never is, gradio takes any path of this
        # computer in place of an upload.
        page.has_launched = True
    return Guard(app, password, hosts)


def _add_routes(app: FastAPI, desks: dict[str, Desk]) -> None:
    """Add what is asked while one types, and the choice of the language."""

    def choose(request: Request) -> RedirectResponse:
        name = "zh" if wants_chinese(request.headers.get("accept-language")) else "en"
        return RedirectResponse(f"/{name}/", headers={"vary": "accept-language"})

    def manifest() -> dict[str, str]:
        return {"name": "clipcond", "start_url": "/", "display": "browser"}

    def icon() -> Response:  # asked for whatever the page says
        return Response(status_code=204)

    def read(language: str, typed: Typed) -> list[FieldView]:
        desk = desks.get(language, desks["en"])
        fields = [PromptField(text, negative=i > 0) for i, text in enumerate(typed.texts)]
        try:
            reading = desk.reading(typed.dialect, typed.tower, typed.skip)
            return view_fields(desk.studio, fields, reading, desk.language)
        except Exception as error:
            wrong = desk.language.failure(error)
            return [
                FieldView(count="", full=False, spans=[], notes=html.block(wrong), is_error=True)
            ]

    def weight(asked: Selected) -> dict[str, Any]:
        dialect = asked.dialect
        changed = change_weight(asked.text, asked.start, asked.stop, asked.change, dialect)
        return changed._asdict()

    for path, answer in (("/", choose), ("/manifest.json", manifest), ("/favicon.ico", icon)):
        app.add_api_route(path, answer, methods=["GET"])
    for path, live in (("/live/{language}/read", read), ("/live/weight", weight)):
        app.add_api_route(path, live, methods=["POST"], response_model=None)


def serve(
    settings: AppSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until it is interrupted.

    Args:
        host: beyond this computer, a password is needed: one is made if none is given.
        port: 0 = any free one.
        browser: whether to open the page in a browser.
        say: prints where the page is, and the password that was made.
    Raises:
        ClipcondError: the port is taken, or the model cannot be loaded.
    """
    is_local = host in LOCAL
    if not is_local and password is None:
        password = secrets.token_urlsafe(12)
        say(f"Others can reach {host}: the user is {USER!r}, the password {password!r}.")
    listening = listen(host, port)
    with listening, TemporaryDirectory(prefix="clipcond-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        app = make_app(settings, password=password, hosts=LOCAL if is_local else None)
        address = address_of(host, listening)
        say(address)
        if browser and _has_screen():
            threading.Timer(0.5, webbrowser.open, [address]).start()
        config = uvicorn.Config(app, log_level="warning", server_header=False)
        with _exit_on_sigterm():
            uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end Python as an exit does: uvicorn raises it once more when it is done.

    By itself that would leave the folder of uploads behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _has_screen() -> bool:
    """Whether a browser with windows can open here; one for terminals would take this one."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
