"""Draw a picture that can be given up at each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from clipcond.pipelines.protocols import ConditionedPipeline

if TYPE_CHECKING:
    from PIL.Image import Image


def draw_unless_stopped(
    pipe: ConditionedPipeline,
    call: Mapping[str, Any],
    seed: int,
    is_stopped: Callable[[], bool],
    on_step: Callable[[int], object] = lambda done: None,
) -> Image | None:
    """Draw one picture; None if it was stopped.

    Args:
        call: arguments of the pipeline's call, num_inference_steps among them.
        seed: of the noise, which is the same on every device.
        is_stopped: asked before the first and after each step.
        on_step: called with the number of steps done.
    """
    stopped = False

    def after_step(_: object, i: int, _t: object, tensors: dict[str, Any]) -> dict[str, Any]:
        nonlocal stopped
        steps = call["num_inference_steps"]
        # Heun's sampler goes twice through all steps but one
        on_step((i + 1) * steps // max(getattr(pipe, "num_timesteps", steps), i + 1))
        if is_stopped():
            # diffusers' own way to leave the loop: the steps that remain do nothing
            vars(pipe)["_interrupt"] = stopped = True
        return tensors

    if is_stopped():
        return None
    generator = torch.Generator("cpu").manual_seed(seed)
    image: Image = pipe(**call, generator=generator, callback_on_step_end=after_step).images[0]
    return None if stopped else image
