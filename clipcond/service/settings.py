"""Hold what the service is started with, and what requests can ask of it at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clipcond.conditioning.cache import CACHE_BYTES

MOST_STEPS = 150
MOST_PIXELS = 2048 * 2048  # of a picture
MAX_SEED = 2**64 - 1  # what torch's generators take
MAX_GUIDANCE = 100
MOST_ISSUES = 100  # in an answer
MOST_TEXT = 200  # characters of a word that an issue is about


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps the service alive.

    Args:
        batch: prompts and negatives encoded at once, and in one request.
        wait: seconds that a request may wait for others to be encoded with.
        queue: requests at work or waiting; more get 429.
        drawings: pictures at work or waiting; more get 429.
        prompt: characters of a prompt.
        body: bytes of a request.
        chunks: of a prompt, which is cut with an issue.
        timeout, draw_timeout: seconds for a request, and for one of /generate; then it gets 504.
        drain: seconds in which what is at work may end when the service is stopped.
        cache_bytes: of encoded chunks.
    """

    batch: int = 32
    wait: float = 0.002
    queue: int = 256
    drawings: int = 8
    prompt: int = 20_000
    body: int = 2**20
    chunks: int = 8
    timeout: float = 30.0
    draw_timeout: float = 300.0
    drain: float = 30.0
    cache_bytes: int = CACHE_BYTES


def as_written(text: str) -> str:
    """Leave a message as it is."""
    return text


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What the service is started with.

    Args:
        model, tower, adapter, device, dtype, allow_pickle: as for `build_pipeline`.
        inversions: files of textual inversions that prompts can name.
        text_only: load the text tower alone: there is no /generate.
        dialect, clip_skip, weighting: where a request names none; None = as the model, the dialect.
        limits: what requests can ask for at most.
        token: what each request needs, as "Authorization: Bearer ..."; None = nothing.
        log_prompts: whether prompts are in the log.
        reword: words a message of clipcond for requests: fields instead of Python's arguments.
    """

    model: str | None = None
    tower: str | None = None
    adapter: Path | None = None
    inversions: tuple[Path, ...] = ()
    device: str | None = None
    dtype: str | None = None
    allow_pickle: bool = False
    text_only: bool = False
    dialect: str = "a1111"
    clip_skip: int | None = None
    weighting: str | None = None
    limits: Limits = field(default_factory=Limits)
    token: str | None = field(default=None, repr=False)
    log_prompts: bool = False
    reword: Callable[[str], str] = as_written
