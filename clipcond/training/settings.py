"""What a run is asked to do, and the check that a resumed one is asked the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clipcond.errors import TrainingError, UnknownNameError

__all__ = [
    "PRECISIONS",
    "AlignSettings",
    "LoopSettings",
    "check_positive",
    "check_same",
    "stated",
]

PRECISIONS = ("no", "fp16", "bf16")


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How the loop runs; nothing here but `seed` and `precision` changes a result.

    Args:
        seed: of everything that is drawn.
        device: "cuda", "mps" or "cpu"; None = the first there is.
        precision: "no", "fp16" or "bf16"; None = bf16 on CUDA where it can, else fp16; "no"
            elsewhere.
        save_every: seconds between checkpoints.
        tensorboard: a folder for its logs, or None.
        quiet: no progress bar, no lines.
    """

    seed: int = 0
    device: str | None = None
    precision: str | None = None
    save_every: float = 120.0
    tensorboard: str | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.precision is not None and self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        _at_least("save_every", min(self.save_every, 1e9), 0)  # never, if it is infinite
        if self.device is not None and self.device not in ("cpu", "cuda", "mps"):
            raise UnknownNameError("device", self.device, ("cpu", "cuda", "mps"))


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """What is trained on what, and how long.

    Args:
        adapter: "resampler" or "linear".
        hidden, heads, layers: the resampler's sizes; None = chosen for the UNet.
        clip_skips: the layers of the tower, drawn in turn.
        teacher_clip_skips: the teacher's layer for each of them; None = the same numbers.
        dialect: how both sides' prompts are read and weighted.
        text_steps, unet_steps: of the two stages; 0 = without it.
        text_batch, unet_batch: pairs a step, in each process.
        text_lr, unet_lr: peak learning rates.
        drop: share of empty prompts, on both sides at once.
        contrast: weight of the contrastive term of the first stage.
        features: weight of the UNet's block features beside its prediction.
        reads: weight of reads and pooled vectors in the second stage, beside its prediction.
        guidance: of the teacher's own denoising, whose states the second stage looks at.
        denoising_steps: how many steps that takes from noise to picture.
        max_chunks: pairs that need more are skipped.
        cache_gb: of states kept on disk; what does not fit is encoded whenever it is drawn.
        gradient_checkpointing: less memory in the UNet stage, a third more time.
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
            _at_least(name, getattr(self, name), 1)
        for name in ("text_steps", "unet_steps", "contrast", "features", "reads", "guidance"):
            _at_least(name, getattr(self, name), 0)
        _at_least("cache_gb", min(self.cache_gb, 1e9), 0)  # without a bound, if it is infinite
        for name in ("text_lr", "unet_lr"):
            check_positive(name, getattr(self, name))
        if not self.text_steps and not self.unet_steps:
            raise TrainingError("there is nothing to train: both stages have 0 steps")
        if not 0 <= self.drop < 1:
            raise TrainingError(f"drop is a share from 0 to below 1, not {self.drop!r}")
        if not self.clip_skips or len(self.layers_of_teacher) != len(self.clip_skips):
            raise TrainingError(
                f"{len(self.clip_skips)} clip skips of the tower, but "
                f"{len(self.layers_of_teacher)} of the teacher: they pair one to one"
            )

    @property
    def layers_of_teacher(self) -> tuple[int, ...]:
        if self.teacher_clip_skips is None:
            return self.clip_skips
        if len(self.teacher_clip_skips) == 1:  # one for all
            return self.teacher_clip_skips * len(self.clip_skips)
        return self.teacher_clip_skips


def check_positive(name: str, value: float) -> None:
    """Refuse what is not finite or not above 0.

    Raises:
        TrainingError: says which.
    """
    if not 0 < value < math.inf:
        raise TrainingError(f"{name} is a number above 0, not {value!r}")


def _at_least(name: str, value: float, least: float) -> None:
    if not least <= value < math.inf:
        raise TrainingError(f"{name} is at least {least}, not {value!r}")


def stated(settings: Any) -> dict[str, Any]:
    """The fields of a settings object, for a checkpoint."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(settings).items()
    }


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
            "Give the same to go on with it; to begin anew, delete that folder or name another "
            "with --run.",
        )
