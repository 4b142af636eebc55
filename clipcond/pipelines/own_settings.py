"""Look up what a pipeline draws with where nothing is said, and check the size and the steps."""

from __future__ import annotations

import math
from inspect import signature
from typing import Any

from clipcond.errors import ArgumentError, warn
from clipcond.model_defaults import own_defaults
from clipcond.pipelines.protocols import ConditionedPipeline

# A picture with sides this many times those the model was made for is noise, and may take all
# memory there is.
MAX_ENLARGED = 8
WARN_ENLARGED = 2
USUAL_STEPS = 20


def call_default(pipe: ConditionedPipeline, name: str) -> object:
    """Look up an argument's default in the pipeline's calls: the model's own if it has one."""
    return signature(type(pipe).__call__).parameters[name].default


def own_steps(pipe: ConditionedPipeline) -> int:
    """Look up how many denoising steps the model names as best, or else the usual number."""

    named = own_defaults(getattr(pipe, "text_encoder", None))
    return int(named.get("num_inference_steps", USUAL_STEPS))


def own_size(pipe: ConditionedPipeline) -> tuple[int, int]:
    """Look up the width and height in pixels that the model was made for."""
    own = pipe.unet.config["sample_size"]
    height, width = (own, own) if isinstance(own, int) else own
    return width * pipe.vae_scale_factor, height * pipe.vae_scale_factor


def side_multiple(pipe: ConditionedPipeline) -> int:
    """Return the number of pixels that the sides of a picture are multiples of."""
    return math.lcm(8, pipe.vae_scale_factor)  # diffusers wants 8, whatever the autoencoder


def check_size(pipe: ConditionedPipeline, width: int, height: int) -> None:
    """Refuse sizes that the model cannot make, and warn of those that it makes badly.

    Raises:
        ArgumentError: the sides are no multiples of what they have to be, or too long.
    """
    own_width, own_height = own_size(pipe)
    size, multiple = f"size={width}x{height}", side_multiple(pipe)
    if width % multiple or height % multiple:
        near = "x".join(str(max(1, round(side / multiple)) * multiple) for side in (width, height))
        raise ArgumentError(
            f"{size}: sides are multiples of {multiple} for this model, such as {near}"
        )
    enlarged = max(width / own_width, height / own_height)
    made_for = f"{size}: this model was made for {own_width}x{own_height}"
    if enlarged > MAX_ENLARGED:
        most = f"{own_width * MAX_ENLARGED}x{own_height * MAX_ENLARGED}"
        raise ArgumentError(f"{made_for}; at most {most}")
    if enlarged > WARN_ENLARGED:
        what = "pictures more than twice that wide or high repeat themselves"
        warn(f"{made_for}; {what}")


def check_steps(pipe: ConditionedPipeline, steps: int) -> None:
    """Refuse more steps than the model was trained with.

    Raises:
        ArgumentError: they are too many.
    """
    config = pipe.scheduler.config
    # The offset moves every step; the last of all training steps would go beyond their end.
    most = config.get("num_train_timesteps", steps) - config.get("steps_offset", 0)
    if steps > most:
        raise ArgumentError(f"steps={steps}: this model has {most} steps at most")


def picture_call(
    pipe: ConditionedPipeline,
    prompt: str,
    negative: str,
    *,
    steps: int | None = None,
    guidance: float | None = None,
    clip_skip: int | None = None,
    size: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Make the arguments of a pipeline's call for a picture, but for the generator.

    Args:
        steps, guidance, clip_skip, size: None = the model's own.
        size: width and height in pixels.
    Raises:
        ArgumentError: the model cannot make this size, or so many steps.
    """
    if size is None:
        size = own_size(pipe)
    else:
        check_size(pipe, *size)
    steps = own_steps(pipe) if steps is None else steps
    check_steps(pipe, steps)
    return {
        "prompt": prompt,
        "negative_prompt": negative,
        "num_inference_steps": steps,
        "guidance_scale": call_default(pipe, "guidance_scale") if guidance is None else guidance,
        "width": size[0],
        "height": size[1],
        **({} if clip_skip is None else {"clip_skip": clip_skip}),
    }
