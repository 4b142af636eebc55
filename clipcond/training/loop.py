"""Run the stages of a training with accelerate, and write checkpoints to go on from.

All random choices come from `random.Random(seed, stage, step, process)`, and a checkpoint holds
everything else that a step depends on. So a run that was killed and resumed computes, on the same
machine and with as many processes and threads, what an uninterrupted one would have computed.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import TrainingError
from clipcond.files import disk_errors
from clipcond.progress import Progress
from clipcond.training.accelerator import FROZEN_DTYPES, open_accelerator
from clipcond.training.checkpoint import CHECKPOINT, read_checkpoint, resuming, write_checkpoint
from clipcond.training.reporting import open_tensorboard, report
from clipcond.training.run_folder import Records, load_or_compute, remove_run
from clipcond.training.settings import LoopSettings, check_same
from clipcond.training.stage import Objective, Stage

SMOOTH = 0.98  # of the losses shown
DECAY = 0.995  # of the averaged weights: an average over about 200 steps
MAX_NORM = 1.0  # of all gradients together
N_LINES = 20  # in a log, over a stage


def check_gradients() -> None:
    """Refuse to train where gradients are switched off.

    Raises:
        TrainingError: says what switches them off.
    """
    is_inference = torch.is_inference_mode_enabled()
    if is_inference or not torch.is_grad_enabled():
        what = "torch.inference_mode()" if is_inference else "torch.no_grad()"
        raise TrainingError(
            f"nothing can be trained under {what}: gradients are switched off",
            "Call it outside of that, or inside of torch.enable_grad()."
            if not is_inference
            else "Call it outside of that.",
        )


@dataclass(slots=True)
class _Running:
    """A stage, with the parameters it trains, their average, and the step it has come to."""

    stage: Stage
    objective: Objective
    optimizer: Any
    trained: list[nn.Parameter]
    average: list[Tensor]
    step: int
    smoothed: dict[str, float]


class Loop:
    """Train one model through stages, with one checkpoint file for all of them.

    Args:
        folder: of the run; a checkpoint in it is resumed.
        keys: all arguments that change the result, as plain values; the loop adds its own.
    Raises:
        TrainingError: the run in the folder was started with other arguments, or its checkpoint
            cannot be read.
    """

    def __init__(
        self, folder: Path, keys: Mapping[str, Any], settings: LoopSettings, model: nn.Module
    ) -> None:
        with disk_errors(f"the folder {str(folder)!r} cannot be made", TrainingError):
            folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.settings, self.model = folder, settings, model
        self.accelerator: Any = open_accelerator(settings)
        self.is_main = bool(self.accelerator.is_main_process)
        self.device: torch.device = self.accelerator.device
        self.frozen_dtype = FROZEN_DTYPES[self.accelerator.mixed_precision]
        self.path, self._kept = folder / CHECKPOINT, "no checkpoint was written yet"
        self._keys = {
            **keys,
            "seed": settings.seed,
            "precision": self.accelerator.mixed_precision,
            "processes": self.accelerator.num_processes,
        }
        self._resumed = read_checkpoint(self.path)
        if self._resumed:
            check_same(self._resumed["keys"], self._keys, str(folder))
            self._kept = self._describe(self._resumed)
            with resuming(self.path):
                model.load_state_dict(self._resumed["model"])
        self.is_new = not self._resumed
        self.finished: dict[str, dict[str, float]] = dict(self._resumed.get("finished", {}))
        self._start = time.monotonic() - float(self._resumed.get("seconds", 0.0))
        self._wrapped: nn.Module = self.accelerator.prepare(model)

    @property
    def seconds(self) -> float:
        """The time spent on this run, also before it was resumed."""
        return time.monotonic() - self._start

    def progress(self, label: str, total: int, done: int = 0) -> Progress:
        """Show progress, from the main process only."""
        silent = self.settings.quiet or not self.is_main or not total
        return Progress(label, total, done=done, n_lines=N_LINES, silent=silent)

    @contextmanager
    def storing(self, label: str, total: int) -> Iterator[Callable[..., Records]]:
        """Yield `load_or_compute` with progress; the main process computes before the others."""
        with self.progress(label, total) as progress, self.accelerator.main_process_first():
            yield partial(load_or_compute, advance=progress.advance, writes=self.is_main)

    def finish(self, save: Callable[[], object], *, keep: bool) -> None:
        """Save the result from the main process; remove the run's folder unless it is kept."""
        if self.is_main:
            save()
            if not keep:
                remove_run(self.folder)
        self.accelerator.wait_for_everyone()

    def share_weights(self) -> None:
        """Copy the main process's weights to all, where each has computed its own."""
        from accelerate.utils import broadcast

        for parameter in self.model.parameters():
            parameter.data.copy_(broadcast(parameter.data))

    def run(
        self, stage: Stage, objective: Objective, measure: Callable[[], dict[str, float]]
    ) -> dict[str, float]:
        """Run a stage, or the rest of it; the model has its averaged weights afterwards.

        Returns:
            what `measure` gave at the end.
        Raises:
            TrainingError: a loss is not finite; the last checkpoint stays.
        """
        if stage.name in self.finished or not stage.steps:
            return self.finished.get(stage.name, {})
        running = self._begin(stage, objective)
        try:
            self._run_steps(running)
        except KeyboardInterrupt:
            report(f"stopped at step {running.step}; {self._kept}", self.settings)
            raise
        with torch.no_grad():
            for parameter, mean in zip(running.trained, running.average, strict=True):
                parameter.copy_(mean)
        reached = self.finished[stage.name] = measure()
        self._resumed = {}
        self._write({"stage": None, "step": 0})
        report(f"{stage.name}: {_show(reached)}", self.settings)
        return reached

    def _begin(self, stage: Stage, objective: Objective) -> _Running:
        """Begin a stage, or go on where the checkpoint left it."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = self.accelerator.prepare(stage.optimizer(self.model))
        average = [p.detach().clone() for p in trained]
        running = _Running(stage, objective, optimizer, trained, average, 0, {})
        if self._resumed:
            with resuming(self.path):
                self._resume(running, self._resumed)
        return running

    def _resume(self, running: _Running, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint: within this stage, or at its start after another.

        Raises:
            ValueError: a state that this run cannot come to.
        """
        stage, step = running.stage, state["step"]
        if state["stage"] is None and step == 0 and self.finished:
            return
        if state["stage"] != stage.name or not 0 < step < stage.steps:
            raise ValueError(f"it is at step {step} of {state['stage']!r}, not in {stage.name!r}")
        running.optimizer.load_state_dict(state["optimizer"])
        for mean, value in zip(running.average, state["average"], strict=True):
            if mean.shape != value.shape:
                raise ValueError(f"an average has shape {tuple(value.shape)}")
            mean.copy_(value)
        running.objective.load(state["objective"][self.accelerator.process_index])
        running.step, running.smoothed = step, dict(state["smoothed"])
        if self.accelerator.scaler is not None and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    def _run_steps(self, running: _Running) -> None:
        stage, smoothed, saved = running.stage, running.smoothed, time.monotonic()
        with (
            self.progress(stage.name, stage.steps, running.step) as progress,
            open_tensorboard(self.settings) as board,
        ):
            while running.step < stage.steps:
                losses = self._run_step(running)
                kept = min(SMOOTH, running.step / (running.step + 10))
                running.step += 1
                for name, value in losses.items():
                    smoothed[name] = kept * smoothed.get(name, value) + (1 - kept) * value
                    if board is not None:
                        board.add_scalar(f"{stage.name}/{name}", value, running.step)
                progress.advance(text=_show(smoothed))
                due = torch.tensor(float(time.monotonic() - saved >= self.settings.save_every))
                # if it is due in any process, all write
                is_due = bool(self.accelerator.reduce(due.to(self.device)).item())
                if is_due and running.step < stage.steps:
                    self._write(self._checkpoint(running))
                    saved = time.monotonic()

    def _run_step(self, running: _Running) -> dict[str, float]:
        stage, step, accelerator = running.stage, running.step, self.accelerator
        for group in running.optimizer.param_groups:
            group["lr"] = stage.rate(step)
        rng = random.Random(f"{self.settings.seed}/{stage.name}/{step}/{accelerator.process_index}")
        losses = running.objective.losses(self._wrapped, rng)
        accelerator.backward(torch.stack(list(losses.values())).sum())
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        norm = accelerator.clip_grad_norm_(running.trained, MAX_NORM)
        # with a scaler, a step whose gradients overflow is left out; that is how it finds its scale
        is_scaled = accelerator.scaler is not None
        is_finite = is_scaled or norm is None or bool(torch.isfinite(torch.as_tensor(norm)))
        if not all(map(math.isfinite, values.values())) or not is_finite:
            shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
            raise TrainingError(
                f"stage {stage.name!r} diverged at step {step + 1}: the loss or its gradient is "
                f"not finite ({shown}); {self._kept}",
                "Start over with a lower learning rate, or with precision='no'.",
            )
        running.optimizer.step()
        running.optimizer.zero_grad()
        decay = min(DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(running.average, list[Tensor](running.trained), 1 - decay)
        return values

    def _describe(self, state: Mapping[str, Any]) -> str:
        place = f"step {state['step']} of stage {state['stage']!r}" if state["stage"] else "before"
        return f"the checkpoint of {place} is kept in {str(self.folder)!r}"

    def _checkpoint(self, running: _Running) -> dict[str, Any]:
        from accelerate.utils import gather_object

        scaler = self.accelerator.scaler
        return {
            "stage": running.stage.name,
            "step": running.step,
            "optimizer": running.optimizer.state_dict(),
            "average": running.average,
            "objective": gather_object([running.objective.state()]),
            "smoothed": running.smoothed,
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def _write(self, state: Mapping[str, Any]) -> None:
        if self.is_main:
            more = {"keys": self._keys, "finished": self.finished, "seconds": self.seconds}
            write_checkpoint(self.path, {**state, **more, "model": self.model.state_dict()})
        self._kept = self._describe(state)


def _show(losses: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in losses.items())
