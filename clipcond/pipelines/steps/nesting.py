"""Know what each pipeline draws over time, and keep calls of it apart, one inside another too."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from clipcond.errors import PipelineError
from clipcond.pipelines.regions.region import Regional
from clipcond.pipelines.steps.calls import is_drawing
from clipcond.pipelines.steps.drawing import StepsOfPipeline
from clipcond.pipelines.steps.refusals import DENOISERS
from clipcond.pipelines.steps.rows import map_tensors
from clipcond.pipelines.steps.watching import unwatched

STEPS: weakref.WeakKeyDictionary[Any, StepsOfPipeline] = weakref.WeakKeyDictionary()


@contextmanager
def running(pipe: object) -> Iterator[None]:
    """Run a call of a pipeline in this context, perhaps within another one that draws over time.

    The outer one, whose callback makes this call, goes on with its own prompts, and with the
    pipeline's and its schedulers' values of before. Copies of a pipeline share its scheduler.
    """
    is_inner = any(steps_midway(each) is not None for each in list(STEPS))
    outer, kept = steps_midway(pipe), _values(pipe) if is_inner else []
    if outer is not None:
        outer.pause()
        del STEPS[pipe]
    try:
        with nullcontext() if outer is None else unwatched(pipe):
            yield
    finally:
        for own, values in kept:
            vars(own).update(values)
        if outer is not None:
            stop_drawing(pipe)
            STEPS[pipe] = outer
            outer.resume()


def rest(pipe: object) -> None:
    """Take the hooks off a pipeline's denoisers, now that its call ends."""
    steps = STEPS.get(pipe)
    if steps is not None:
        steps.rest()


def steps_midway(pipe: object) -> StepsOfPipeline | None:
    """Find what a pipeline is drawing over time now, in this thread; None = nothing."""
    steps = STEPS.get(pipe)
    return steps if steps is not None and steps.is_midway and is_drawing(pipe) else None


def check_regions_drawn(pipe: object, regional: Regional) -> None:
    """Refuse to return a picture whose regions were not drawn.

    Raises:
        PipelineError: the pipeline has encoded no prompt, or called no model with it.
    """
    steps = STEPS.get(pipe)
    if steps is None or not steps.has_drawn(regional):
        raise PipelineError(
            f"This {type(pipe).__name__} has not drawn the regions of its call: it did not ask for "
            "the prompt, or drew nothing with it.",
            "Draw without regions=.",
        )


def follow_models(pipe: object, name: str) -> None:
    """Draw on with a denoiser that was put in the place of another one during a call."""
    steps = steps_midway(pipe) if name in DENOISERS else None
    if steps is not None:
        steps.resume()


def check_idle(pipe: object) -> None:
    """Refuse to detach a pipeline while it draws over time.

    Raises:
        PipelineError: it is in the middle of a call.
    """
    if steps_midway(pipe) is not None:
        raise PipelineError(
            "This pipeline is drawing a prompt that changes over the steps or has parts: it cannot "
            "be detached before that call ends.",
            "Call detach(pipe) after it.",
        )


def stop_drawing(pipe: object) -> None:
    """Take the hooks off the pipeline's denoisers, and forget its prompts."""
    steps = STEPS.pop(pipe, None)
    if steps is not None:
        steps.take_off()


def without_marks(pipe: object, output: object) -> object:
    """Give what a pipeline returns embeddings of its last text where it has marked rows."""
    steps = STEPS.get(pipe)
    return output if steps is None else map_tensors(output, steps.unmarked)


def _values(pipe: object) -> list[tuple[object, dict[str, Any]]]:
    """Copy what a call changes of a pipeline and its schedulers: not tensors, which are new."""
    own = {name: value for name, value in vars(pipe).items() if name.startswith("_")}
    schedulers = [value for name, value in vars(pipe).items() if name.endswith("scheduler")]
    lists = (list, dict)
    return [
        (pipe, own),
        *(
            (each, {n: type(v)(v) if type(v) in lists else v for n, v in vars(each).items()})
            for each in schedulers
            if hasattr(each, "__dict__")
        ),
    ]
