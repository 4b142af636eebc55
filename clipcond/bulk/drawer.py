"""Draw the pictures of prompts in batches, each with what its file says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from clipcond.bulk.identity import Json, identity_of, settings_of
from clipcond.bulk.prompts import MAX_SEED, PicturePrompt
from clipcond.checkpoints.hashes import module_hash
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.errors import ArgumentError, ClipcondWarning, LimitError, first_line
from clipcond.metadata.drawn import Opened, open_pipeline, parameters_of
from clipcond.pipelines.own_settings import own_size, picture_call
from clipcond.pipelines.picture_batches import (
    Encoded,
    decoded_singly,
    each_as_alone,
    encode_alone,
    in_parts,
    join_encoded,
    most_at_once,
    of_equal_shapes,
)
from clipcond.pipelines.protocols import ConditionedPipeline

if TYPE_CHECKING:
    from PIL.Image import Image

PictureModel: TypeAlias = "str | PathLike[str] | Callable[[], ConditionedPipeline] | None"
# What one more try may mend, or less of other work: no fault of a row.
OF_THE_MACHINE = (MemoryError, torch.cuda.OutOfMemoryError)
BLANKED = "the model's safety checker blanked it"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture to draw: a row, which of its pictures this is, from 0, and the seed."""

    row: PicturePrompt
    copy: int
    seed: int

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from all others of the list."""
        return self.row.number, self.copy


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A picture that is drawn.

    Args:
        parameters: the text for its file.
        settings: what it was drawn with, as plain JSON.
        issues: the codes of its prompts' issues, and other warnings.
    """

    image: Image
    parameters: str
    settings: Mapping[str, object]
    issues: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Planned:
    """The arguments of a picture's call, and its encoded texts if it may be in a batch."""

    wanted: Wanted
    call: dict[str, Any]
    encoded: Encoded | None
    issues: tuple[str, ...]


class PictureDrawer:
    """Draws pictures of prompts; can be pickled, and loads its model once a process.

    Args:
        model: as for `build_pipeline`; or a function that makes a pipeline with a Conditioner.
        negative, steps, guidance, size: of rows that do not say their own; None = the model's own.
        seed: of a row that has none: this seed plus the row's place among all, from 0.
        size: width and height in pixels.
        scheduler: a sampler's name; None = the model's own.
        inversions: files of textual inversions, written in prompts by their names.
        batch_size: how many pictures are drawn at once; it can change the last bits. None = as many
            as keep the bits of single pictures: up to seven small ones on a CPU, one on a GPU.
        choices: arguments of `build_pipeline` (`dialect`, `clip_skip`, `tower`, `device`, ...).
    Raises:
        LimitError: a seed or a batch size that cannot be.
        ArgumentError: choices beside a function, which makes its pipeline itself.
    """

    def __init__(
        self,
        model: PictureModel = None,
        *,
        negative: str = "",
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        size: tuple[int, int] | None = None,
        scheduler: str | None = None,
        inversions: Sequence[str | PathLike[str]] = (),
        batch_size: int | None = None,
        **choices: Any,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
            raise LimitError(f"seed is a whole number from 0 to {MAX_SEED}, not {seed!r}")
        if batch_size is not None and batch_size < 1:
            raise LimitError(f"batch_size is a whole number from 1, not {batch_size!r}")
        if callable(model) and (choices or scheduler or inversions):
            raise ArgumentError("a function makes its pipeline itself: it takes no choices")
        self.negative, self.seed, self.batch_size = negative, seed, batch_size
        self.steps, self.guidance, self.size = steps, guidance, size
        self._model, self._scheduler = model, scheduler
        self._inversions, self._choices = [Path(each) for each in inversions], choices
        self._opened: Opened | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded model out: each process loads its own."""
        return {**vars(self), "_opened": None}

    def load(self) -> Opened:
        """Load the model, once a process.

        Raises:
            CheckpointError: as for `build_pipeline`.
        """
        if self._opened is None:
            model = self._model
            if callable(model):
                self._opened = Opened(model(), {}, {})
                self._opened.pipe.set_progress_bar_config(disable=True)
            else:
                self._opened = open_pipeline(
                    model, self._scheduler, self._inversions, self._choices
                )
        return self._opened

    def unload(self) -> None:
        """Let the model go; the next picture loads it again."""
        self._opened = None

    def identity(self) -> dict[str, Any]:
        """Describe what decides the pictures, as plain JSON: model, reading and settings."""
        pipe, built_with, inversions = self.load()
        call = picture_call(
            pipe, "", self.negative, steps=self.steps, guidance=self.guidance, size=self.size
        )
        scheduler = {
            name: value
            for name, value in sorted(pipe.scheduler.config.items())
            if not name.startswith("_") and isinstance(value, str | int | float | None)
        }
        return {
            "unet": _part(pipe.components["unet"]),
            "vae": _part(pipe.components["vae"]),
            "scheduler": {"class": type(pipe.scheduler).__name__, **scheduler},
            **identity_of(pipe.conditioner),
            "reading": {name: value for name, value in built_with.items() if value is not None},
            "inversion_files": inversions,
            "negative": self.negative,
            "seed": self.seed,
            "steps": call["num_inference_steps"],
            "guidance": call["guidance_scale"],
            "size": f"{call['width']}x{call['height']}",
            "batch_size": self.batch_size,
            "device": pipe.device.type,
            "dtype": str(pipe.unet.dtype).removeprefix("torch."),
        }

    def parts(self, wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
        """Cut pictures into what is drawn together; the same ones are always cut alike."""
        return in_parts(wanted, _settings_of, self._most)

    def _most(self, wanted: Wanted) -> int:
        return self.batch_size or self._most_as_alone(wanted.row.size or self.size)

    def _most_as_alone(self, size: tuple[int, int] | None) -> int:
        pipe = self.load().pipe
        return most_at_once(pipe, *(size or own_size(pipe)))

    def draw(self, part: Sequence[Wanted]) -> list[Drawn | str]:
        """Draw pictures with equal settings; in place of one that cannot be drawn, say why.

        Raises:
            MemoryError, OutOfMemoryError: there is not enough memory for a single one.
        """
        planned = [self._plan(each, is_alone=len(part) == 1) for each in part]
        good = [each for each in planned if isinstance(each, _Planned)]
        drawn: dict[tuple[int, int], Drawn | str] = {}
        for run, encoded in of_equal_shapes(good, [each.encoded for each in good]):
            for each, result in zip(run, self._draw(run, encoded), strict=True):
                drawn[each.wanted.key] = result
        return [drawn[each.wanted.key] if isinstance(each, _Planned) else each for each in planned]

    def _plan(self, wanted: Wanted, *, is_alone: bool) -> _Planned | str:
        row, pipe = wanted.row, self.load().pipe
        with collect_warnings(shown=False, deep=True) as warned:
            try:
                call = picture_call(
                    pipe,
                    row.prompt,
                    self.negative if row.negative is None else row.negative,
                    steps=self.steps if row.steps is None else row.steps,
                    guidance=self.guidance if row.guidance is None else row.guidance,
                    clip_skip=row.clip_skip,
                    size=row.size or self.size,
                )
                encoded = None if is_alone else encode_alone(pipe, call)
            except Exception as error:  # one row must not cost the others, whatever it does
                return _reason(error)
        return _Planned(wanted, call, encoded, _issues_of(warned))

    def _draw(self, run: Sequence[_Planned], encoded: Sequence[Encoded]) -> list[Drawn | str]:
        """Draw pictures at once; where that fails, one by one."""
        with collect_warnings(shown=False, deep=True) as warned:
            try:
                images, blanked = self._call(run, encoded)
            except Exception as error:  # of a prompt, numbers that are not finite, ...
                if len(run) == 1 and isinstance(error, OF_THE_MACHINE):
                    raise
                if len(run) == 1:
                    return [_reason(error)]
                return [result for each in run for result in self._draw([each], [])]
        own = _issues_of(warned) if len(run) == 1 else ()
        return [
            self._described(each, image, (*each.issues, *own, *[BLANKED] * is_blank))
            for each, image, is_blank in zip(run, images, blanked, strict=True)
        ]

    def _call(
        self, run: Sequence[_Planned], encoded: Sequence[Encoded]
    ) -> tuple[list[Image], list[bool]]:
        """Call the pipeline; return its pictures, and which of them its safety checker blanked."""
        pipe, call = self.load().pipe, dict(run[0].call)
        # CPU generators give the same noise on every device
        generators = [torch.Generator("cpu").manual_seed(each.wanted.seed) for each in run]
        together: Any = nullcontext()
        if len(run) > 1:
            del call["prompt"], call["negative_prompt"]
            call |= join_encoded(encoded)
            is_as_alone = len(run) <= self._most_as_alone((call["width"], call["height"]))
            together = each_as_alone(pipe, len(run)) if is_as_alone else decoded_singly(pipe)
        with together:
            result = pipe(**call, generator=generators if len(run) > 1 else generators[0])
        flagged = getattr(result, "nsfw_content_detected", None)  # SDXL has no checker
        return result.images, [*map(bool, flagged)] if flagged else [False] * len(run)

    def _described(self, each: _Planned, image: Image, issues: Sequence[str]) -> Drawn:
        pipe, built_with, inversions = self.load()
        call, seed = each.call, each.wanted.seed
        prompts = (call["prompt"], call["negative_prompt"])
        made = parameters_of(pipe, call, prompts, seed, built_with, inversions)
        settings = {
            "prompt": made.prompt,
            "negative": made.negative,
            "seed": seed,
            "steps": made.steps,
            "guidance": made.guidance,
            "clip_skip": made.clip_skip,
            "size": f"{call['width']}x{call['height']}",
        }
        return Drawn(image, made.as_written(), settings, tuple(dict.fromkeys(issues)))


def _settings_of(wanted: Wanted) -> tuple[object, ...]:
    row = wanted.row
    return row.steps, row.guidance, row.clip_skip, row.size


def _issues_of(warned: Sequence[ClipcondWarning]) -> tuple[str, ...]:
    """Name what was warned of: the codes of prompts' issues, else the warnings."""
    return tuple(dict.fromkeys(getattr(each, "code", "") or first_line(each) for each in warned))


def _reason(error: Exception) -> str:
    return getattr(error, "message", "") or first_line(error)


def _part(model: torch.nn.Module) -> Json:
    """Describe a part of a pipeline: its weights, and the settings that it computes with."""
    settings = settings_of(getattr(model, "config", None))
    return {"weights": module_hash(model), "settings": settings}
