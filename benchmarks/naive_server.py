"""What `clipcond serve` is measured against: a thread for each request, which encodes it alone.

    python -m benchmarks.naive_server

The same framework, server, model, Conditioner and form of answer; it prints its address.
"""

from __future__ import annotations

import asyncio

import uvicorn
from fastapi import Body, FastAPI, Response
from safetensors.torch import save

from clipcond import Conditioner, load_tower
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.hosts import address_of, listen

HOST = "127.0.0.1"


def make_app() -> FastAPI:
    """Make the application."""
    conditioner, app = Conditioner(load_tower("embedded")), FastAPI()

    @app.post("/encode")
    def encode(prompt: str = Body(embed=True)) -> Response:
        with collect_warnings(shown=False):
            made = conditioner(prompt)
        return Response(save({"embeds": made.embeds}), media_type="application/x-safetensors")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ready"}

    return app


def main() -> None:
    """Serve until a signal ends it."""
    with listen(HOST, 0) as listening:
        config = uvicorn.Config(make_app(), log_level="error", access_log=False)
        print(address_of(HOST, listening), flush=True)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
