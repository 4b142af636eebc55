"""Encode a call of `encode_prompt`, and let the pipeline draw it over time where it asks for it."""

from __future__ import annotations

import weakref
from dataclasses import fields
from typing import Any

from clipcond.conditioning.settled import SettlesTexts
from clipcond.pipelines.prompt_embeds import EncodePromptArguments, PromptEmbeds
from clipcond.pipelines.steps.drawing import StepsOfPipeline
from clipcond.pipelines.steps.encoding import EncodedCall, Make
from clipcond.pipelines.steps.plan import changes, plan_steps
from clipcond.pipelines.steps.position import StepCount, likely_steps
from clipcond.pipelines.steps.refusals import check_pipeline

__all__ = ["encode_over_time", "stop_drawing"]

_STEPS: weakref.WeakKeyDictionary[Any, StepsOfPipeline] = weakref.WeakKeyDictionary()


def encode_over_time(
    pipe: object,
    conditioner: SettlesTexts,
    call: EncodePromptArguments,
    make: Make,
    step_count: StepCount,
) -> PromptEmbeds:
    """Encode a call; if a prompt of it changes over the steps or has parts, draw it so.

    Hooks are on the pipeline's denoisers only while such a prompt is drawn.

    Args:
        make: encodes a call without editing and AND.
        step_count: how steps are counted, see `Position`.
    Raises:
        PipelineError: the pipeline cannot draw such a prompt.
    """
    n_steps = likely_steps(pipe)
    plan = plan_steps(call, conditioner, n_steps) if changes(call, conditioner) else None
    if plan is None:
        steps = _STEPS.get(pipe)
        if steps is not None and not steps.keep(getattr(call, f.name) for f in fields(call)):
            stop_drawing(pipe)
        return make(call)
    check_pipeline(pipe, plan)
    encoded = EncodedCall(call, plan, conditioner, make)
    steps = _STEPS.setdefault(pipe, StepsOfPipeline(pipe))
    steps.put_on(encoded, step_count)
    return encoded.shown()


def stop_drawing(pipe: object) -> None:
    """Take the hooks off the pipeline's denoisers, and forget its prompts."""
    steps = _STEPS.pop(pipe, None)
    if steps is not None:
        steps.take_off()
