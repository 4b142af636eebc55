"""Draw pictures for requests, one at a time, on a thread of its own."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.errors import ClipcondWarning, PromptWarning
from clipcond.metadata.drawn import parameters_of
from clipcond.metadata.pictures import picture_bytes
from clipcond.pipelines.own_settings import (
    call_default,
    check_size,
    check_steps,
    own_size,
    own_steps,
)
from clipcond.pipelines.schedulers import lent_scheduler, own_scheduler
from clipcond.pipelines.stoppable import draw_unless_stopped
from clipcond.prompt import Issue
from clipcond.service.answers import list_issues
from clipcond.service.models import Model
from clipcond.service.refusals import ClientGone, RequestError
from clipcond.service.request_fields import GenerateAsked
from clipcond.service.settings import MOST_ISSUES

if TYPE_CHECKING:
    from clipcond.pipelines.protocols import ConditionedPipeline

RANDOM_SEEDS = 2**32  # as A1111's page draws them


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture's file, what it says of itself, and what was said while it was drawn."""

    body: bytes
    seed: int
    parameters: str
    issues: list[dict[str, object]]


class PictureQueue:
    """The pipeline, and the queue for it.

    Args:
        most: pictures at work or waiting.
        reword: words a message and its remedy, in lines, for requests.
    """

    def __init__(self, model: Model, most: int, reword: Callable[[str], str]) -> None:
        self._model, self._most, self._reword = model, most, reword
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="drawing")
        self._turn = asyncio.Lock()
        self.n_inside = 0

    async def draw(self, asked: GenerateAsked) -> Drawn:
        """Draw a picture when it is its turn; cancelled, it stops at its next step.

        Raises:
            RequestError: 429, too many wait; 501, no model that draws was loaded.
            ClipcondError: what is asked for cannot be drawn.
        """
        if self._model.pipe is None:
            message = "pictures are not drawn here: the service was started with --text-only"
            raise RequestError(message, "", 501, "text-only")
        if self.n_inside >= self._most:
            message = f"{self.n_inside} pictures are drawn or wait already"
            raise RequestError(message, "Ask again later.", 429, "too-many-drawings")
        stop = threading.Event()
        self.n_inside += 1
        try:
            async with self._turn:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._thread, self._drawn, asked, stop.is_set)
        finally:
            stop.set()
            self.n_inside -= 1

    def close(self) -> None:
        """Let the thread end after the picture at work."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _drawn(self, asked: GenerateAsked, is_stopped: Callable[[], bool]) -> Drawn:
        model, pipe = self._model, self._model.pipe
        assert pipe is not None  # checked before
        seed = secrets.randbelow(RANDOM_SEEDS) if asked.seed < 0 else asked.seed
        reading = model.chosen(
            dialect=asked.dialect,
            clip_skip=asked.clip_skip,
            weighting=asked.weighting,
            normalize=asked.normalize,
            fullwidth=asked.fullwidth,
        )
        with collect_warnings(shown=False, deep=True) as warned:
            pipe.conditioner = model.conditioner(reading)
            pipe.scheduler = own_scheduler(pipe)
            if asked.scheduler is not None:
                pipe.scheduler = lent_scheduler(pipe, asked.scheduler, None)
            call = _call(pipe, asked)
            image = draw_unless_stopped(pipe, call, seed, is_stopped)
        if image is None:
            raise ClientGone
        named = {"Weighting": reading.weighting, "Normalize": reading.normalize}
        built = {**model.named, **named, "Full-width": reading.fullwidth}
        prompts = (asked.prompt, asked.negative)
        text = parameters_of(pipe, call, prompts, seed, built, model.inversions).as_written()
        body = picture_bytes(image, f".{asked.format}", text)
        return Drawn(body, seed, text, self._issues(warned, asked))

    def _issues(
        self, warned: list[ClipcondWarning], asked: GenerateAsked
    ) -> list[dict[str, object]]:
        """List what was said while a picture was drawn: of its prompts, and besides."""
        found: dict[str, list[Issue]] = {asked.prompt: [], asked.negative: []}
        for each in dict.fromkeys(warned):
            if isinstance(each, PromptWarning):
                said = each.message, each.position, each.remedy, each.code, each.words, each.prompt
                issue = Issue(*said)
            else:
                issue = Issue(str(each), 0, code="drawing")
            found.setdefault(issue.prompt, []).append(issue)
        listed: list[dict[str, object]] = []
        for prompt, issues in found.items():
            is_negative = prompt == asked.negative != asked.prompt
            own = [asked.negative if is_negative else asked.prompt]
            listed += list_issues(dict.fromkeys(issues), own, self._reword, negative=is_negative)
        return listed[:MOST_ISSUES]


def _call(pipe: ConditionedPipeline, asked: GenerateAsked) -> dict[str, Any]:
    """Make the arguments of the pipeline's call.

    Raises:
        ArgumentError: the model cannot make this size, or so many steps.
    """
    width, height = asked.sides or own_size(pipe)
    check_size(pipe, width, height)
    steps = own_steps(pipe) if asked.steps is None else asked.steps
    check_steps(pipe, steps)
    own = call_default(pipe, "guidance_scale")
    return {
        "prompt": asked.prompt,
        "negative_prompt": asked.negative,
        "num_inference_steps": steps,
        "guidance_scale": own if asked.guidance is None else asked.guidance,
        "width": width,
        "height": height,
    }
