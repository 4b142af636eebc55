"""Draw pictures with a pipeline and save them with the settings that made them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.regions import region_arguments
from clipcond.errors import ArgumentError, warn
from clipcond.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipcond.metadata import Parameters
    from clipcond.pipelines.picture_batches import Encoded
    from clipcond.pipelines.protocols import ConditionedPipeline


@dataclass
class Artist:
    """A pipeline, and what its pictures' settings say of how it was built.

    `inversions`: the hash of each one's file, or "", by its name.
    """

    pipe: ConditionedPipeline
    built_with: dict[str, object]
    inversions: dict[str, str] = field(default_factory=dict, kw_only=True)

    def most_at_once(self, job: PictureJob) -> int:
        """Count how many pictures like this one may be drawn at once."""
        from clipcond.pipelines.own_settings import own_size
        from clipcond.pipelines.picture_batches import most_at_once

        return most_at_once(self.pipe, *(sides(job.size) if job.size else own_size(self.pipe)))

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
        from clipcond.pipelines.own_settings import picture_call

        with wrong_use():
            call = picture_call(
                self.pipe,
                job.prompt,
                job.negative,
                steps=job.steps,
                guidance=job.guidance,
                clip_skip=job.clip_skip,
                size=sides(job.size) if job.size else None,
            )
        return call | region_arguments(job.regions, job.base_share)

    def _parameters(self, job: PictureJob) -> Parameters:
        """List what the picture's file says of it."""
        from clipcond.metadata.drawn import parameters_of
        from clipcond.metadata.regions import written_regions

        regions = written_regions(job.regions, job.base_share)
        built = {**_templates(job), **self.built_with, **regions}
        prompts = (job.prompt, job.negative)
        call = self._call(job)
        return parameters_of(self.pipe, call, prompts, job.seed, built, self.inversions)


def _templates(job: PictureJob) -> dict[str, str]:
    """Name a picture's templates as Dynamic Prompts does; those that are."""
    named = {"Template": job.template, "Negative Template": job.negative_template}
    return {name: text for name, text in named.items() if text}


def sides(size: str) -> tuple[int, int]:
    """Return width and height of WIDTHxHEIGHT in pixels."""
    width, height = map(int, size.split("x"))
    return width, height


@contextmanager
def wrong_use() -> Iterator[None]:
    """Make wrong use of an option out of a wrong argument."""
    try:
        yield
    except ArgumentError as error:
        raise typer.BadParameter(error.message) from None


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
