"""The loop of every stage: accelerate, a schedule, an average of weights, checkpoints.

All that is drawn comes from `random.Random(seed, stage, step, process)`, and a checkpoint holds
everything else that a step depends on. So a run that was killed and resumed computes, on the same
machine and with as many processes and threads, what an uninterrupted one would have computed.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from clipcond.errors import TrainingError
from clipcond.training.accelerator import accelerator_for
from clipcond.training.muon import BETAS, Muon, decayed
from clipcond.training.run_folder import write_whole
from clipcond.training.run_log import Telling, say, scalars
from clipcond.training.settings import LoopSettings, check_same

__all__ = ["Loop", "Losses", "Objective", "Stage"]

Losses = dict[str, Tensor]
SMOOTH = 0.98  # of the losses told
LAST = 0.02  # of the peak, that the learning rate comes down to


class Objective(Protocol):
    """What a stage minimises; `state` is what the next step depends on besides the weights."""

    def losses(self, model: nn.Module, rng: random.Random, step: int) -> Losses: ...
    def state(self) -> dict[str, Any]: ...
    def load(self, state: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """`steps` steps with learning rate `lr` at its peak.

    Args:
        warmup: steps of rising rate.
        decay: of the averaged weights; an average over about 1 / (1 - decay) steps.
        has_muon: for the matrices of linear layers, AdamW for all else.
    """

    name: str
    steps: int
    lr: float
    warmup: int = 100
    weight_decay: float = 0.01
    decay: float = 0.995
    clip: float = 1.0
    has_muon: bool = False

    def rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine."""
        warmup = min(self.warmup, self.steps // 10)
        if step < warmup:
            return self.lr * (step + 1) / warmup
        done = (step - warmup) / max(1, self.steps - warmup)
        return self.lr * (LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


class Loop:
    """Trains one model through stages, with one checkpoint file for all of them.

    Args:
        folder: of the run; its checkpoint is taken up.
        keys: all arguments that change the result, as plain values; the loop adds its own.
    Raises:
        TrainingError: the run in the folder was started with other arguments, or its checkpoint
            cannot be read.
    """

    def __init__(
        self, folder: Path, keys: Mapping[str, Any], settings: LoopSettings, model: nn.Module
    ) -> None:
        self.folder, self.settings = folder, settings
        self.accelerator = accelerator_for(settings)
        self.keys = {
            **keys,
            "seed": settings.seed,
            "precision": self.accelerator.mixed_precision,
            "processes": self.accelerator.num_processes,
        }
        self.path = folder / "checkpoint.pt"
        self._kept = self._read()
        self.finished: dict[str, dict[str, float]] = dict(self._kept.get("finished", {}))
        self.before = float(self._kept.get("seconds", 0.0))  # spent by the runs taken up
        self.began = time.monotonic()
        self.model = model
        if "model" in self._kept:
            model.load_state_dict(self._kept["model"])
        self._wrapped: nn.Module = self.accelerator.prepare(model)

    @property
    def seconds(self) -> float:
        """Spent on this run, with what was spent before it was taken up."""
        return self.before + time.monotonic() - self.began

    @property
    def is_new(self) -> bool:
        """Whether nothing was taken up."""
        return self.before == 0.0

    @property
    def is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.accelerator.device
        return device

    def begin(self) -> None:
        """Give all processes the main one's weights, where each has computed where to begin."""
        from accelerate.utils import broadcast

        for parameter in self.model.parameters():
            parameter.data.copy_(broadcast(parameter.data))

    def run(
        self,
        stage: Stage,
        objective: Objective,
        measured: Callable[[], dict[str, float]] | None = None,
    ) -> dict[str, float]:
        """Run a stage, or the rest of it; the model has its averaged weights afterwards.

        Args:
            measured: what to measure of the result.
        Returns:
            what was measured, or the losses reached, smoothed over the last steps.
        Raises:
            TrainingError: a loss is not finite; the last checkpoint stays.
        """
        if stage.name in self.finished or not stage.steps:
            return self.finished.get(stage.name, {})
        state = self._begun(stage, objective)
        try:
            self._steps(state)
        except KeyboardInterrupt:
            if self.is_main:
                say(f"stopped at step {state.step}; {self._place()}", self.settings)
            raise
        with torch.no_grad():
            for parameter, mean in zip(state.trained, state.average, strict=True):
                parameter.copy_(mean)
        self.finished[stage.name] = state.told if measured is None else measured()
        self._kept = {}
        self._write({"stage": None})
        if self.is_main:
            reached = self.finished[stage.name].items()
            text = " ".join(f"{name} {value:.4f}" for name, value in reached)
            say(f"{stage.name}: {text}", self.settings)
        return self.finished[stage.name]

    def _begun(self, stage: Stage, objective: Objective) -> _State:
        """A stage at its beginning, or where the checkpoint left it."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = self.accelerator.prepare(_optimizer(stage, self.model))
        average = [p.detach().clone() for p in trained]
        state = _State(stage, optimizer, trained, average, objective, 0, {})
        if self._kept.get("stage") != stage.name:
            return state
        kept = self._kept
        optimizer.load_state_dict(kept["optimizer"])
        for mean, value in zip(average, kept["average"], strict=True):
            mean.copy_(value)
        objective.load(kept["objective"][self.accelerator.process_index])
        state.step, state.told = kept["step"], dict(kept["told"])
        if self.accelerator.scaler is not None and kept["scaler"]:
            self.accelerator.scaler.load_state_dict(kept["scaler"])
        return state

    def _steps(self, state: _State) -> None:
        stage, saved = state.stage, time.monotonic()
        with Telling(stage.name, stage.steps, state.step, self.settings, self.is_main) as telling:
            while state.step < stage.steps:
                losses = self._step(state)
                kept = min(SMOOTH, state.step / (state.step + 10))
                for name, value in losses.items():
                    state.told[name] = kept * state.told.get(name, value) + (1 - kept) * value
                state.step += 1
                telling.step(state.step, state.told, losses)
                due = torch.tensor(float(time.monotonic() - saved >= self.settings.save_every))
                if self._agreed(due) and state.step < stage.steps:
                    self._write(self._checkpoint(state))
                    saved = time.monotonic()

    def _step(self, state: _State) -> dict[str, float]:
        stage, accelerator = state.stage, self.accelerator
        for group in state.optimizer.param_groups:
            group["lr"] = stage.rate(state.step)
        place = f"{self.settings.seed}/{stage.name}/{state.step}/{accelerator.process_index}"
        losses = state.objective.losses(self._wrapped, random.Random(place), state.step)
        accelerator.backward(torch.stack([losses[name] for name in losses]).sum())
        values = scalars(losses)
        norm = accelerator.clip_grad_norm_(state.trained, stage.clip)
        # with a scaler, a step whose gradients overflow is left out; that is how it finds its scale
        is_scaled = accelerator.scaler is not None
        is_finite = is_scaled or norm is None or bool(torch.isfinite(torch.as_tensor(norm)))
        if not all(map(math.isfinite, values.values())) or not is_finite:
            raise self._diverged(state, values)
        state.optimizer.step()
        state.optimizer.zero_grad()
        decay = min(stage.decay, (1 + state.step) / (10 + state.step))
        with torch.no_grad():
            torch._foreach_lerp_(state.average, list[Tensor](state.trained), 1 - decay)
        return values

    def _diverged(self, state: _State, values: Mapping[str, float]) -> TrainingError:
        told = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return TrainingError(
            f"stage {state.stage.name!r} diverged at step {state.step + 1}: the loss or its "
            f"gradient is not finite ({told}); {self._place()}",
            "Start anew with a lower learning rate, or with --precision no.",
        )

    def _place(self) -> str:
        """Which checkpoint there is."""
        if not self.path.is_file():
            return "no checkpoint was written yet"
        kept = self._read()
        place = f"step {kept['step']} of stage {kept['stage']!r}" if kept["stage"] else "before"
        return f"the checkpoint of {place} is kept in {str(self.folder)!r}"

    def _agreed(self, value: Tensor) -> bool:
        """Whether any process says so: all of them write, or none."""
        return bool(self.accelerator.reduce(value.to(self.device)).item())

    def _checkpoint(self, state: _State) -> dict[str, Any]:
        from accelerate.utils import gather_object

        scaler = self.accelerator.scaler
        return {
            "stage": state.stage.name,
            "step": state.step,
            "optimizer": state.optimizer.state_dict(),
            "average": state.average,
            "objective": gather_object([state.objective.state()]),
            "told": state.told,
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def _write(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint whole or not at all."""
        if not self.is_main:
            return
        more = {"keys": self.keys, "finished": self.finished, "seconds": self.seconds}
        whole = {"step": 0, **state, **more, "model": self.model.state_dict()}
        write_whole(self.path, lambda file: torch.save(whole, file))

    def _read(self) -> dict[str, Any]:
        if not self.path.is_file():
            return {}
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            keys = state["keys"]
        except Exception as error:  # torch.load fails with a dozen kinds
            raise TrainingError(
                f"the checkpoint {str(self.path)!r} cannot be read: {str(error).splitlines()[0]}",
                "Delete it to begin anew, or name another folder with --run.",
            ) from error
        check_same(keys, self.keys, str(self.folder))
        return state


@dataclass(slots=True)
class _State:
    """Where a stage is."""

    stage: Stage
    optimizer: Any
    trained: list[nn.Parameter]
    average: list[Tensor]
    objective: Objective
    step: int
    told: dict[str, float]


def _optimizer(stage: Stage, model: nn.Module) -> torch.optim.AdamW:
    if stage.has_muon:
        return Muon(model, stage.lr, stage.weight_decay)
    return torch.optim.AdamW(
        decayed(model.parameters(), stage.weight_decay), lr=stage.lr, betas=BETAS
    )
