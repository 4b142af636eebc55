"""Check that a model's UNet can do a task: diffusers finds out while it draws."""

from __future__ import annotations

from clipcond.errors import PipelineError
from clipcond.pipelines.prompt_embeds import config_of

# What diffusers' inpainting pipelines take: latents; latents, a mask and the masked picture's.
_INPAINTING = (4, 9)
_TASKS = ("text2image", "image2image", "inpainting")


def check_task(pipe: object, task: str, name: str) -> None:
    """Refuse a pipeline whose UNet has not the number of channels that its task needs.

    Raises:
        PipelineError: says how many it has, and for which tasks it can be built.
    """
    n = config_of(getattr(pipe, "unet", None)).get("in_channels")
    n_latents = config_of(getattr(pipe, "vae", None)).get("latent_channels")
    if n is None or n_latents is None or _can_do(task, n, n_latents):
        return
    known = [repr(each) for each in _TASKS if _can_do(each, n, n_latents)]
    needed = "4 or 9" if task == "inpainting" else f"{n_latents}, as its latents have"
    raise PipelineError(
        f"{name!r} cannot be used for {task}: its UNet reads {n} channels, and diffusers' "
        f"{type(pipe).__name__} needs {needed}.",
        f"Say task={' or '.join(known)}, or take another model."
        if known
        else "Open it with the class of diffusers that it is made for, and attach() that.",
    )


def _can_do(task: str, n: int, n_latents: int) -> bool:
    return n in _INPAINTING if task == "inpainting" else n == n_latents
