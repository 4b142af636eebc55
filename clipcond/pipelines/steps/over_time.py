"""Encode a pipeline's prompts, and let it draw them over time where they ask for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from clipcond.pipelines.family import Encoding
from clipcond.pipelines.steps.drawing import StepsOfPipeline
from clipcond.pipelines.steps.encoding import EncodedCall
from clipcond.pipelines.steps.plan import Arguments, changes, plan_steps
from clipcond.pipelines.steps.position import StepCount, likely_steps
from clipcond.pipelines.steps.refusals import check_pipeline

_STEPS: weakref.WeakKeyDictionary[Any, StepsOfPipeline] = weakref.WeakKeyDictionary()


def encode_over_time(
    encoding: Encoding,
    arguments: Arguments,
    encode: Callable[[Arguments], Any],
    step_count: StepCount,
) -> Any:
    """Encode a call; if a prompt of it changes over the steps or has parts, draw it so.

    Hooks are on the pipeline's denoisers only while such a prompt is drawn.

    Args:
        arguments: of the pipeline's method for prompts.
        encode: answers the arguments of a call that is the same at all steps.
        step_count: how steps are counted, see `Position`.
    Raises:
        PipelineError: the pipeline cannot draw such a prompt.
    """
    pipe, names, plan = encoding.pipe, encoding.family.returns, None
    if names and changes(arguments, encoding.conditioner):
        plan = plan_steps(arguments, encoding.conditioner, likely_steps(pipe))
    if plan is None:
        steps = _STEPS.get(pipe)
        if steps is not None and not steps.keep(arguments.values()):
            stop_drawing(pipe)
        return encode(arguments)
    check_pipeline(pipe, plan)
    encoded = EncodedCall(arguments, plan, encoding.conditioner, names, encode)
    _STEPS.setdefault(pipe, StepsOfPipeline(pipe)).put_on(encoded, step_count)
    return encoded.shown()


def stop_drawing(pipe: object) -> None:
    """Take the hooks off the pipeline's denoisers, and forget its prompts."""
    steps = _STEPS.pop(pipe, None)
    if steps is not None:
        steps.take_off()
