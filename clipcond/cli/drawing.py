"""Define `clipcond generate`."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipcond import __version__
from clipcond.cli.console import waiting
from clipcond.cli.options import (
    ClipSkip,
    Dialect,
    ExtraNetworks,
    Fullwidth,
    Inversion,
    Prompt,
    Tower,
    check_text,
)
from clipcond.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["generate"]

MAX_SEED = 2**64 - 1  # what torch's generators take
MAX_COUNT = 10_000
MAX_GUIDANCE = 100
# A picture with sides this many times those the model was made for is noise, and may take all
# memory there is.
MAX_ENLARGED = 8


def _check_guidance(value: float) -> float:
    if not 0 <= value <= MAX_GUIDANCE:  # False for NaN too
        raise typer.BadParameter(f"a number from 0 to {MAX_GUIDANCE} is needed, not {value}")
    return value


def _check_size(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value):
        raise typer.BadParameter(f"{value!r} is no WIDTHxHEIGHT, such as 512x768")
    return value


def _check_png(value: Path) -> Path:
    if value.suffix.lower() != ".png":
        raise typer.BadParameter(f"{str(value)!r}: pictures are written as .png")
    return value


def generate(
    prompt: Prompt,
    negative: Annotated[
        str, typer.Option("-n", "--negative", callback=check_text, help="What to keep out.")
    ] = "",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="M", help="Folder, .safetensors file or Hub id.", show_default="embedded"
        ),
    ] = None,
    tower: Tower = None,
    adapter: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What maps another tower into the model's text space."),
    ] = None,
    allow_unaligned: Annotated[
        bool,
        typer.Option(
            "--allow-unaligned", help="Only warn where tower and model do not belong together."
        ),
    ] = False,
    inversion: Inversion = None,
    clip_skip: ClipSkip = 2,
    dialect: Dialect = "a1111",
    fullwidth: Fullwidth = None,
    extra_networks: ExtraNetworks = None,
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 20,
    guidance: Annotated[
        float, typer.Option(callback=_check_guidance, help="How closely to follow the prompt.")
    ] = 5.0,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Same seed, same picture.")] = 0,
    count: Annotated[
        int, typer.Option(min=1, max=MAX_COUNT, help="Pictures to make, with seed, seed + 1, ...")
    ] = 1,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", callback=_check_size, show_default="the model's")
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", callback=_check_png, help="With --count, -1, -2, ... are added."
        ),
    ] = Path("out.png"),
) -> None:
    """Make pictures of a prompt and write them as PNG files."""
    paths = _number_paths(output, count)
    if seed + count - 1 > MAX_SEED:
        raise typer.BadParameter(f"--seed plus --count goes beyond {MAX_SEED}")
    from clipcond.metadata.png import check_writable, parameters_text, save_png

    for path in paths:
        check_writable(path)
    with waiting("loading"):
        from clipcond.conditioning.dialects import find_dialect
        from clipcond.pipelines import build_pipeline

        pipe = build_pipeline(
            model,
            tower=tower,
            adapter=adapter,
            allow_unaligned=allow_unaligned,
            clip_skip=clip_skip,
            dialect=find_dialect(dialect),
            fullwidth=fullwidth,
            extra_networks=extra_networks,
        )
        for file in inversion or ():
            pipe.conditioner.load_inversion(file)
    width, height = _picture_size(pipe, size)
    _check_steps(pipe, steps)
    pipe.set_progress_bar_config(disable=True)
    call = {
        "prompt": prompt,
        "negative_prompt": negative,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "width": width,
        "height": height,
    }
    settings = {
        "Steps": steps,
        "Sampler": type(pipe.scheduler).__name__.removesuffix("Scheduler"),
        "CFG scale": f"{guidance:g}",
        "Seed": seed,
        "Size": f"{width}x{height}",
        "Model": "embedded" if model is None else Path(model).stem,
        **({} if tower is None else {"Tower": tower}),
        **({} if adapter is None else {"Adapter": adapter.stem}),
        "Clip skip": clip_skip,
        "Dialect": dialect,
        "Version": f"clipcond {__version__}",
    }
    for i, path in enumerate(paths):
        label = f"{i + 1} of {count}: step" if count > 1 else "step"
        image = _draw(pipe, seed + i, Progress(label, steps), call)
        save_png(image, path, parameters_text(prompt, negative, {**settings, "Seed": seed + i}))
        print(path, flush=True)


def _number_paths(output: Path, count: int) -> list[Path]:
    if count == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{i}") for i in range(1, count + 1)]


def _picture_size(pipe: Any, size: str | None) -> tuple[int, int]:
    """Return width and height in pixels, and refuse sizes that the model cannot make."""
    own = pipe.unet.config.sample_size
    own_height, own_width = (own, own) if isinstance(own, int) else own
    own_width, own_height = own_width * pipe.vae_scale_factor, own_height * pipe.vae_scale_factor
    if size is None:
        return own_width, own_height
    width, height = (int(side) for side in size.split("x"))
    multiple = math.lcm(8, pipe.vae_scale_factor)  # diffusers wants 8, whatever the autoencoder
    if width % multiple or height % multiple:
        near = "x".join(str(max(1, round(side / multiple)) * multiple) for side in (width, height))
        raise typer.BadParameter(
            f"--size {size}: sides are multiples of {multiple} for this model, such as {near}"
        )
    if width > own_width * MAX_ENLARGED or height > own_height * MAX_ENLARGED:
        raise typer.BadParameter(
            f"--size {size}: this model was made for {own_width}x{own_height}; "
            f"at most {own_width * MAX_ENLARGED}x{own_height * MAX_ENLARGED}"
        )
    return width, height


def _check_steps(pipe: Any, steps: int) -> None:
    config = pipe.scheduler.config
    # The offset moves every step; the last of all training steps would go beyond their end.
    most = config.get("num_train_timesteps", steps) - config.get("steps_offset", 0)
    if steps > most:
        raise typer.BadParameter(f"--steps {steps}: this model has {most} steps at most")


def _draw(pipe: Any, seed: int, progress: Progress, call: dict[str, Any]) -> Image:
    import torch

    def count_step(_: Any, _i: int, _t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        progress.advance()
        return tensors

    # a CPU generator gives the same noise on every device
    generator = torch.Generator("cpu").manual_seed(seed)
    with progress:
        result = pipe(**call, generator=generator, callback_on_step_end=count_step)
    if any(getattr(result, "nsfw_content_detected", None) or ()):  # SDXL has no safety checker
        print("clipcond: warning: the model's safety checker blanked a picture", file=sys.stderr)
    image: Image = result.images[0]
    return image
