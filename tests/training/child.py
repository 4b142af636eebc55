"""One run of `align` or `tune_tower` in a process of its own, which a signal may end at a step.

What interrupts it does so from within, so nothing depends on how fast this machine is.
"""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

from clipcond.adapters import AlignmentRecord
from clipcond.training import LoopSettings, TuneSettings, align, tune_tower
from clipcond.training.loop import Loop
from tests.training.made import QUIET, few_measures, lines, settings, teacher, tower_zh, write
from tests.training.pictures import write_captions, write_vision

__all__ = ["CHOICES", "MIXED", "run", "run_and_print", "run_tuning"]

# BREAK makes pairs of two groups; a bound of a fifth of a megabyte leaves states to encode when
# they are drawn; at this rate six steps come nearer on pairs that were held out, too
MIXED = [*lines(), "a red cat BREAK a dog\t红色的猫 BREAK 狗", "a (red:1.3) cat\t(红色:1.3)的猫"]
CHOICES = {
    "text_steps": 6, "unet_steps": 6, "text_lr": 2e-2, "cache_gb": 2e-4, "denoising_steps": 3,
}  # fmt: skip


def run(folder: Path, name: str, **loop) -> AlignmentRecord:
    """A whole run, or the rest of one; a checkpoint after each step."""
    every_step: LoopSettings = replace(QUIET, save_every=0.0, **loop)
    pairs, output = write(folder, MIXED), folder / f"{name}.safetensors"
    # in half precision, six steps come nearer by less than the fewest measures can show
    with few_measures(2 if "precision" in loop else 1):
        return align(
            teacher(), tower_zh(), pairs, output, settings=settings(**CHOICES), loop=every_step
        )


def run_tuning(folder: Path, name: str, pictures: Path | None = None, **loop) -> dict[str, float]:
    """A whole run of `tune_tower`, or the rest of one; a checkpoint after each step.

    A run knows its pictures by their paths: one that goes on in another folder names the first.
    """
    every_step: LoopSettings = replace(QUIET, save_every=0.0, **loop)
    pictures = pictures or folder
    for kind in ("vision", "captions"):
        (pictures / kind).mkdir(exist_ok=True)
    return tune_tower(
        tower_zh(), write_vision(pictures / "vision"), write_captions(pictures / "captions"),
        folder / name, settings=TuneSettings(steps=5, batch=3, lr=1e-3), loop=every_step,
    )  # fmt: skip


def stopping(sent: str, stage: str, step: str) -> None:
    """Let this process get a signal when it begins a step, having written the one before."""
    run_step = Loop._run_step

    def stops(loop: Loop, running) -> dict[str, float]:
        if (running.stage.name, running.step) == (stage, int(step)):
            os.kill(os.getpid(), getattr(signal, sent))
        return run_step(loop, running)

    Loop._run_step = stops  # type: ignore[method-assign]


def run_and_print(folder: Path, name: str, *stop: str) -> None:
    """Run and print the losses reached; a name that begins with "tuned" is one of `tune_tower`.

    Args:
        stop: the name of a signal, and the stage and step at which this process gets it.
    """
    if stop:
        stopping(*stop)
    if name.startswith("tuned"):
        print(json.dumps(run_tuning(folder, name, quiet=False)))
    else:
        print(json.dumps(dict(run(folder, name, quiet=False).losses)))
