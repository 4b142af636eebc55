"""Hold the settings of a run, and check that a resumed run has the same ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from clipcond.arguments import type_name
from clipcond.errors import ArgumentError, TrainingError, UnknownNameError, excerpt

PRECISIONS = ("no", "fp16", "bf16")
DEVICES = ("cpu", "cuda", "mps")
MAX_SEED = 2**64 - 1  # that torch takes
MAX_SIZE = 2**16  # of a batch and its like: more can only be a mistake


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How a training loop runs; only `seed` and `precision` change its result.

    Args:
        seed: seeds all random choices.
        device: "cuda", "mps" or "cpu"; None = what accelerate finds first.
        precision: "no", "fp16" or "bf16"; None = bf16 on CUDA where it can, else fp16; "no"
            elsewhere.
        save_every: seconds between checkpoints.
        tensorboard: the folder for its logs; None = no logs.
        quiet: show neither progress nor messages.
    """

    seed: int = 0
    device: str | None = None
    precision: str | None = None
    save_every: float = 120.0
    tensorboard: str | Path | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        for name, known in (("precision", PRECISIONS), ("device", DEVICES)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise UnknownNameError(name, value, known)
        check_whole("seed", self.seed, 0, MAX_SEED)
        check_number("save_every", _finite(self.save_every), 0)  # infinite = never


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """What `align` trains, on which layers, and for how long.

    Args:
        adapter: "resampler" or "linear".
        hidden, heads, layers: the resampler's sizes; None = chosen by the tower's width.
        clip_skips: layers of the tower; each pair of a batch is read at one drawn at random.
        teacher_clip_skips: the teacher's layer for each of them, or one for all; None = the same
            numbers.
        dialect: how the prompts of both texts are parsed and weighted.
        text_steps, unet_steps: steps of the two stages; 0 leaves the stage out.
        text_batch, unet_batch: pairs per step and process.
        text_lr, unet_lr: peak learning rates.
        drop: share of pairs that are replaced by two empty prompts.
        contrast: weight of the loss `contrast` of the text stage.
        features: weight of the loss `features` of the UNet stage.
        reads: weight of the losses `read` and `pooled` in the UNet stage.
        guidance: guidance scale of the teacher's denoising, which makes the UNet stage's latents.
        denoising_steps: steps of that denoising from noise to picture.
        max_chunks: longer pairs are skipped.
        cache_gb: GB of encoded pairs kept on disk; other pairs are encoded whenever they are drawn.
        gradient_checkpointing: the UNet stage takes less memory and a third more time.
    """

    adapter: str = "resampler"
    hidden: int | None = None
    heads: int | None = None
    layers: int | None = None
    clip_skips: tuple[int, ...] = (1, 2)
    teacher_clip_skips: tuple[int, ...] | None = None
    dialect: str = "a1111"
    text_steps: int = 3000
    unet_steps: int = 1000
    text_batch: int = 64
    unet_batch: int = 16
    text_lr: float = 5e-3
    unet_lr: float = 1e-3
    drop: float = 0.1
    contrast: float = 0.1
    features: float = 0.1
    reads: float = 0.25
    guidance: float = 1.0
    denoising_steps: int = 10
    max_chunks: int = 4
    cache_gb: float = 8.0
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        for name in ("text_batch", "unet_batch", "denoising_steps", "max_chunks"):
            check_whole(name, getattr(self, name), 1, MAX_SIZE)
        for name in ("text_steps", "unet_steps"):
            check_whole(name, getattr(self, name), 0)
        for name in ("contrast", "features", "reads", "guidance"):
            check_number(name, getattr(self, name), 0)
        check_number("cache_gb", _finite(self.cache_gb), 0)  # infinite = no bound
        for name in ("text_lr", "unet_lr"):
            check_number(name, getattr(self, name))
        if not self.text_steps and not self.unet_steps:
            raise TrainingError("there is nothing to train: both stages have 0 steps")
        if not 0 <= self.drop < 1:
            raise TrainingError(f"drop is a share from 0 to below 1, not {self.drop!r}")
        for name in ("clip_skips", "teacher_clip_skips"):
            _check_clip_skips(name, getattr(self, name))
        if len(self.paired_teacher_skips) != len(self.clip_skips):
            raise TrainingError(
                f"{len(self.clip_skips)} clip skips of the tower, but "
                f"{len(self.paired_teacher_skips)} of the teacher: they pair one to one"
            )

    @property
    def paired_teacher_skips(self) -> tuple[int, ...]:
        """The teacher's clip skip for each of the tower's."""
        if self.teacher_clip_skips is None:
            return self.clip_skips
        if len(self.teacher_clip_skips) == 1:  # one for all
            return self.teacher_clip_skips * len(self.clip_skips)
        return self.teacher_clip_skips


def _check_clip_skips(name: str, value: object) -> None:
    """Refuse what is no tuple of layers; the teacher's may be None."""
    is_given = isinstance(value, list | tuple) and len(value) > 0
    if not is_given and (value is not None or name == "clip_skips"):
        one = f" For one layer write ({value},)." if isinstance(value, int) else ""
        wanted = "a tuple of one layer or more, such as (1, 2); 1 is the last layer"
        raise TrainingError(f"{name} is {wanted}, not {value!r}", one.strip())
    for each in value if isinstance(value, list | tuple) else ():
        check_whole(f"each of {name}", each, 1)


def check_number(name: str, value: float, least: float | None = None) -> None:
    """Refuse a number that is below `least`, not above 0 without it, or not finite.

    Raises:
        TrainingError: names it.
    """
    is_number = isinstance(value, (int, float)) and value != math.inf
    if not is_number or not (value > 0 if least is None else least <= value):
        wanted = "a number above 0" if least is None else f"at least {least}"
        raise TrainingError(f"{name} is {wanted}, not {value!r}")


def check_whole(name: str, value: int, least: int, most: float = math.inf) -> None:
    """Refuse what is no whole number from `least` to `most`.

    Raises:
        TrainingError: names it.
    """
    if type(value) is not int:
        raise TrainingError(f"{name} is a whole number, not {value!r}")
    check_number(name, value, least)
    if value > most:
        raise TrainingError(f"{name} is at most {most}, not {value!r}")


def _finite(value: float) -> float:
    return 1e9 if value == math.inf else value


Settings = TypeVar("Settings")


def check_settings(name: str, value: Settings | None, kind: type[Settings]) -> Settings:
    """Return the settings that were given, or those of the defaults for None.

    Raises:
        ArgumentError: they are of another class; names this one and its fields.
    """
    if value is None:
        return kind()
    if not isinstance(value, kind):
        known = [each.name for each in fields(kind)]  # type: ignore[arg-type]  # a dataclass
        given = value.items() if isinstance(value, Mapping) else ()
        example = ", ".join(f"{key}={each!r}" for key, each in given if key in known) or "..."
        raise ArgumentError(
            f"{name} is of the class {kind.__name__}, not {type_name(value)}: {value!r:.60}",
            f"Write {name}={kind.__name__}({excerpt(example)}). It has {', '.join(known)}.",
        )
    return value


def plain_values(settings: object) -> dict[str, Any]:
    """List the fields of a settings dataclass as JSON gives them back, for a checkpoint."""
    return dict(json.loads(json.dumps(asdict(settings))))  # type: ignore[call-overload]


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], folder: str) -> None:
    """Refuse to go on with a run that was started with other arguments.

    Raises:
        TrainingError: names each difference.
    """
    different = [
        f"  {name}: {before.get(name)!r} then, {now.get(name)!r} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if different:
        raise TrainingError(
            f"the run in {folder!r} was started with other arguments:\n" + "\n".join(different),
            "Give the same to go on with it; to start over, delete that folder or name another "
            "with run=.",
        )
