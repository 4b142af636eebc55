"""Draw pictures with a pipeline and save them with the settings that made them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import typer

from clipcond import __version__
from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.regions import region_arguments
from clipcond.errors import warn
from clipcond.model_defaults import own_defaults
from clipcond.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipcond.metadata import Parameters
    from clipcond.pipelines.picture_batches import Encoded
    from clipcond.pipelines.protocols import ConditionedPipeline

# A picture with sides this many times those the model was made for is noise, and may take all
# memory there is.
MAX_ENLARGED = 8
WARN_ENLARGED = 2
USUAL_STEPS = 20


@dataclass
class Artist:
    """A pipeline, and what its pictures' settings say of how it was built."""

    pipe: ConditionedPipeline
    built_with: dict[str, object]

    def most_at_once(self, job: PictureJob) -> int:
        """Count how many pictures like this one may be drawn at once."""
        from clipcond.pipelines.picture_batches import most_at_once

        sides = job.size.split("x") if job.size else own_size(self.pipe)
        width, height = map(int, sides)
        return most_at_once(self.pipe, width, height)

    def encode(self, job: PictureJob) -> Encoded | None:
        """Encode a picture's texts; None = they change from step to step, or are several.

        Raises:
            BadParameter: the model cannot make this size, or so many steps.
            ClipcondError: the prompt cannot be used.
        """
        from clipcond.pipelines.picture_batches import encode_alone

        if job.regions:
            return None  # their texts are encoded in the call
        return encode_alone(self.pipe, self._call(job))

    def draw(
        self, jobs: Sequence[PictureJob], encoded: Sequence[Encoded], label: str
    ) -> list[Image]:
        """Draw one picture, or several with equal settings at once.

        Args:
            encoded: of each of several its texts, in equal shapes; of one it may be empty.
        Raises:
            BadParameter: the model cannot make this size, or so many steps.
            ClipcondError: the prompt cannot be used.
        """
        from clipcond.pipelines.picture_batches import each_as_alone, join_encoded

        call, seeds = self._call(jobs[0]), [job.seed for job in jobs]
        progress = Progress(label, call["num_inference_steps"])
        if len(jobs) == 1:
            return draw(self.pipe, seeds, progress, call)
        del call["prompt"], call["negative_prompt"]
        with each_as_alone(self.pipe, len(jobs)):
            return draw(self.pipe, seeds, progress, {**call, **join_encoded(encoded)})

    def save(self, image: Image, job: PictureJob) -> dict[str, object]:
        """Write a picture; return what it was made with, for JSON.

        Raises:
            ClipcondError: the file cannot be written.
        """
        from clipcond.metadata import save_picture

        parameters, made = self.describe(job)
        save_picture(image, job.output, parameters.as_written())
        return made

    def describe(self, job: PictureJob) -> tuple[Parameters, dict[str, object]]:
        """List what a picture's file says of it, and what it was made with, for JSON."""
        made = self._parameters(job)
        return made, {
            "path": str(job.output),
            **({"line": job.line} if job.line else {}),
            "prompt": job.prompt,
            "negative": job.negative,
            **({"regions": [*job.regions]} if job.regions else {}),
            "seed": job.seed,
            "steps": made.steps,
            "guidance": made.guidance,
            "clip_skip": made.clip_skip,
            "size": "x".join(map(str, made.size or ())),
            **{name.lower().replace(" ", "_"): text for name, text in _templates(job).items()},
        }

    def check(self, job: PictureJob) -> tuple[int, int]:
        """Refuse a picture that the model cannot draw; return its width and height.

        Raises:
            BadParameter: the model cannot make this size, or so many steps.
            TowerError: its text tower does not have this layer.
        """
        call = self._call(job)
        self.pipe.conditioner.layers(job.clip_skip)
        return call["width"], call["height"]

    def _call(self, job: PictureJob) -> dict[str, Any]:
        """Make the arguments of the pipeline's call, but for the generator."""
        width, height = picture_size(self.pipe, job.size)
        steps = own_steps(self.pipe) if job.steps is None else job.steps
        check_steps(self.pipe, steps)
        own = call_default(self.pipe, "guidance_scale")
        return {
            "prompt": job.prompt,
            "negative_prompt": job.negative,
            "num_inference_steps": steps,
            "guidance_scale": own if job.guidance is None else job.guidance,
            "width": width,
            "height": height,
            **({} if job.clip_skip is None else {"clip_skip": job.clip_skip}),
            **region_arguments(job.regions, job.base_share),
        }

    def _parameters(self, job: PictureJob) -> Parameters:
        """List what the picture's file says of it."""
        from clipcond.metadata import Parameters
        from clipcond.metadata.calls import SPACING
        from clipcond.metadata.regions import written_regions
        from clipcond.pipelines.schedulers import sampler_and_schedule_type

        call, conditioner = self._call(job), self.pipe.conditioner
        sampler, schedule_type = sampler_and_schedule_type(self.pipe.scheduler)
        built = {name: str(value) for name, value in self.built_with.items() if value is not None}
        spacing = self.pipe.scheduler.config.get("timestep_spacing")
        if schedule_type is None and spacing is not None:
            built[SPACING] = spacing
        dtype = str(self.pipe.unet.dtype).removeprefix("torch.")
        if dtype != "float32":
            built["Precision"] = dtype
        named = {"Dialect": conditioner.dialect.name, "Version": f"clipcond {__version__}"}
        return Parameters(
            job.prompt,
            job.negative,
            steps=call["num_inference_steps"],
            sampler=sampler,
            schedule_type=schedule_type,
            guidance=call["guidance_scale"],
            seed=job.seed,
            size=(call["width"], call["height"]),
            clip_skip=conditioner.clip_skip if job.clip_skip is None else job.clip_skip,
            others={
                **_templates(job),
                **built,
                **written_regions(job.regions, job.base_share),
                **named,
            },
        )


def _templates(job: PictureJob) -> dict[str, str]:
    """Name a picture's templates as Dynamic Prompts does; those that are."""
    named = {"Template": job.template, "Negative Template": job.negative_template}
    return {name: text for name, text in named.items() if text}


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


def picture_size(pipe: ConditionedPipeline, size: str | None) -> tuple[int, int]:
    """Return width and height in pixels, and refuse sizes that the model cannot make."""
    own_width, own_height = own_size(pipe)
    if size is None:
        return own_width, own_height
    width, height = (int(side) for side in size.split("x"))
    multiple = math.lcm(8, pipe.vae_scale_factor)  # diffusers wants 8, whatever the autoencoder
    if width % multiple or height % multiple:
        near = "x".join(str(max(1, round(side / multiple)) * multiple) for side in (width, height))
        raise typer.BadParameter(
            f"--size {size}: sides are multiples of {multiple} for this model, such as {near}"
        )
    enlarged = max(width / own_width, height / own_height)
    made_for = f"--size {size}: this model was made for {own_width}x{own_height}"
    if enlarged > MAX_ENLARGED:
        most = f"{own_width * MAX_ENLARGED}x{own_height * MAX_ENLARGED}"
        raise typer.BadParameter(f"{made_for}; at most {most}")
    if enlarged > WARN_ENLARGED:
        what = "pictures more than twice that wide or high repeat themselves"
        warn(f"{made_for}; {what}")
    return width, height


def check_steps(pipe: ConditionedPipeline, steps: int) -> None:
    """Refuse more steps than the model was trained with."""
    config = pipe.scheduler.config
    # The offset moves every step; the last of all training steps would go beyond their end.
    most = config.get("num_train_timesteps", steps) - config.get("steps_offset", 0)
    if steps > most:
        raise typer.BadParameter(f"--steps {steps}: this model has {most} steps at most")


def draw(
    pipe: ConditionedPipeline, seeds: Sequence[int], progress: Progress, call: dict[str, Any]
) -> list[Image]:
    """Draw a picture of each seed, the same on every device."""
    import torch

    steps, n_shown = call["num_inference_steps"], 0

    def count_step(_: object, i: int, _t: object, tensors: dict[str, Any]) -> dict[str, Any]:
        nonlocal n_shown
        # Heun's sampler goes twice through all steps but one
        n_done = (i + 1) * steps // max(getattr(pipe, "num_timesteps", steps), i + 1)
        if n_done > n_shown:
            progress.advance(n_done - n_shown)
        n_shown = n_done
        return tensors

    # CPU generators give the same noise on every device
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    generator = generators if len(generators) > 1 else generators[0]
    with progress:
        result = pipe(**call, generator=generator, callback_on_step_end=count_step)
    for flagged in getattr(result, "nsfw_content_detected", None) or ():  # SDXL has no checker
        if flagged:
            warn("the model's safety checker blanked a picture")
    images: list[Image] = result.images
    return images
