"""Encode a pipeline's prompts, and let it draw them over time where they ask for it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from clipcond.errors import PipelineError
from clipcond.pipelines.call_context import regions_of
from clipcond.pipelines.families.words import as_negatives
from clipcond.pipelines.family import Encoding
from clipcond.pipelines.steps.calls import (
    asks_itself,
    at_end,
    given_tensors,
    is_drawing,
    reads_negative,
)
from clipcond.pipelines.steps.drawing import StepsOfPipeline
from clipcond.pipelines.steps.encoding import Encode, EncodedCall
from clipcond.pipelines.steps.nesting import STEPS, rest, steps_midway, stop_drawing
from clipcond.pipelines.steps.plan import Arguments, changes, plan_steps
from clipcond.pipelines.steps.position import StepCount, likely_steps
from clipcond.pipelines.steps.refusals import check_pipeline, no_texts, regions_traced
from clipcond.pipelines.steps.regions import encode_regions
from clipcond.pipelines.steps.rows import read_serials
from clipcond.pipelines.steps.watching import WATCHERS

_PROMPTS = ("prompt", "prompt_2")  # of methods that are called for negatives again


def encode_over_time(
    encoding: Encoding, arguments: Arguments, encode: Encode, step_count: StepCount
) -> tuple[Any, ...]:
    """Encode a call; if a prompt of it changes over the steps or has parts, draw it so.

    Hooks are on the pipeline's denoisers only while such a prompt is drawn. Where the pipeline is
    not drawing, as the user calls its method, the embeddings are those of one encoding.

    Args:
        arguments: of the pipeline's method for prompts.
        encode: answers the arguments of a call that is the same at all steps.
        step_count: how steps are counted, see `Position`.
    Raises:
        PipelineError: the pipeline cannot draw such a prompt.
    """
    pipe, family, conditioner = encoding.pipe, encoding.family, encoding.conditioner
    if not is_drawing(pipe):
        return encode(arguments)
    steps = STEPS.get(pipe)
    is_attached = family.method in vars(pipe)  # its calls end as `running` says
    if is_attached and steps_midway(pipe) is not None and not asks_itself(pipe):
        return encode(arguments)  # a callback asks, while the pipeline draws on
    is_negative = family.negatives_apart and reads_negative(pipe, arguments)
    if steps is not None and not is_negative:
        steps.keep([*arguments.values(), *given_tensors(pipe)])
    plan, is_watched, encoded = None, pipe in WATCHERS, None
    regional = regions_of(pipe)
    if regional is not None:
        if is_watched:
            raise regions_traced()
        encoded = encode_regions(encoding, arguments, encode, regional)
    elif is_watched or changes(arguments, conditioner, negative=is_negative):
        of_call = {"negative": is_negative, "limited": family.n_chunks is None}
        plan = plan_steps(arguments, conditioner, likely_steps(pipe), **of_call)
    if plan is None and is_watched:
        raise no_texts(pipe)
    if plan is not None:
        check_pipeline(pipe, family, plan)
        encoded = EncodedCall(arguments, plan, conditioner, family, encode, is_negative=is_negative)
    if encoded is not None:
        steps = STEPS.setdefault(pipe, StepsOfPipeline(pipe))
        steps.put_on(encoded, step_count)
        answer = encoded.shown()
    else:
        if is_negative:
            texts = {name: arguments[name] for name in _PROMPTS if name in arguments}
            read = {name: as_negatives(conditioner, each) for name, each in texts.items()}
            arguments = {**arguments, **read}
        answer = encode(arguments)
    if steps is not None and is_negative:
        steps.set_negative(answer)
    if steps is not None and not steps.is_needed:
        stop_drawing(pipe)
    elif steps is not None and not is_attached:
        at_end(pipe, rest)  # a modular pipeline
    return answer


def check_given(pipe: object, arguments: Arguments) -> None:
    """Refuse marked rows that this pipeline does not know: they are no embeddings of a text.

    Raises:
        PipelineError: names the argument.
    """
    steps = STEPS.get(pipe)
    for name, value in arguments.items():
        if not (isinstance(value, Tensor) and value.is_floating_point() and value.ndim > 1):
            continue
        known = steps.find(value) if steps is not None else None
        rows = known or [None] * len(value)
        serials = read_serials(value)
        if any(n and row is None for n, row in zip(serials, rows, strict=True)):
            raise PipelineError(
                f"{name} are not embeddings of a text: a call of a pipeline used them, while it "
                "drew, for a prompt that changes over the steps.",
                "Pass the prompt itself, or what pipe.encode_prompt() gives outside of a call.",
            )
