"""The loop of every trained stage: a share of the time, exact resume, EMA, bfloat16 on a GPU.

The first steps of a stage measure how long one takes; that fixes the number of steps, which is kept
in the checkpoint. From then on all depends on the seed alone: a run that was stopped and started
again gives what an undisturbed one gives.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .render import seeded
from .settings import Work

Losses = dict[str, Tensor]
MEASURED = (6, 18)  # steps between which time is taken: the first compile and warm up
SAVE_EVERY = 60.0  # seconds
SHOW_EVERY = 50  # steps
LATE = 1.15  # of a stage's time: then it ends, whatever was planned
WARMUP = 0.04  # of the steps


@dataclass(frozen=True, slots=True)
class Now:
    """Where a stage is: its step, what share of its steps is done, and the step's own chance."""

    step: int
    done: float
    generator: torch.Generator


LossOf = Callable[[nn.Module, Now], Losses]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the loop knows of a stage besides its model."""

    name: str
    work: Work
    ema: float = 0.998
    weight_decay: float = 0.01

    @property
    def folder(self) -> Path:
        """Its place in the runs."""
        return self.work.runs / self.name


class Average:
    """The exponential moving average of a model's parameters, warmed up."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.averages = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the averages towards the parameters."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)

    @torch.no_grad()
    def copy_to_model(self) -> None:
        """Replace the parameters by their averages."""
        torch._foreach_copy_(self.parameters, self.averages)


def rate_at(peak: float, step: int, steps: int | None) -> float:
    """Warm up, then half a cosine to 1 % of the peak; before `steps` is known, warm up."""
    if steps is None:
        return peak * (step + 1) / (MEASURED[1] * 4)
    warmup = max(MEASURED[1] * 4, int(WARMUP * steps))
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def optimizer_of(stage: Stage, model: nn.Module) -> torch.optim.AdamW:
    """AdamW, without decay of norms and biases."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": stage.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = stage.work.rate(stage.name)
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True)


def _wait(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()


def train(
    stage: Stage,
    model: nn.Module,
    loss_of: LossOf,
    stop_after: int | None = None,
) -> nn.Module:
    """Train `model` in place; it has its averaged weights at the end.

    Args:
        loss_of: (model, now) -> losses, whose sum is minimised.
        stop_after: steps after which the loop returns unfinished, for tests of resuming.
    Raises:
        SystemExit: a loss is not finite.
    """
    stage.folder.mkdir(parents=True, exist_ok=True)
    model.to(stage.work.device).train()
    optimizer, average = optimizer_of(stage, model), Average(model, stage.ema)
    path = stage.folder / "last.pt"
    step, steps = 0, stage.work.steps.get(stage.name)
    if path.exists():
        step, steps = _restore(path, model, optimizer, average, stage.work.device)
    step, spent = _run(stage, model, loss_of, optimizer, average, step, steps, stop_after)
    print(f"{stage.name}: {step} steps, {spent:.0f} s", flush=True)
    average.copy_to_model()
    return model.eval()


def _run(
    stage: Stage,
    model: nn.Module,
    loss_of: LossOf,
    optimizer: torch.optim.AdamW,
    average: Average,
    step: int,
    steps: int | None,
    stop_after: int | None,
) -> tuple[int, float]:
    work = stage.work
    peak, budget = work.rate(stage.name), work.seconds(stage.name)
    began = saved = measured = _wait(work.device)
    first = step
    while steps is None or step < steps:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(peak, step, steps)
        generator = seeded(work.device, stage.name, work.seed, step)
        with torch.autocast(work.device, torch.bfloat16, enabled=work.bfloat16):
            losses = loss_of(model, Now(step, step / steps if steps else 0.0, generator))
        total = torch.stack(list(losses.values())).sum()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update(step)
        if step % SHOW_EVERY == 0:
            _show(stage, step, steps, losses, time.monotonic() - began)
        step += 1
        if steps is None and step - first == MEASURED[0]:
            measured = _wait(work.device)
        if steps is None and step - first == MEASURED[1]:
            now = _wait(work.device)
            each = (now - measured) / (MEASURED[1] - MEASURED[0])
            steps = max(MEASURED[1] * 4, step + int((budget - (now - began)) / each))
        now = time.monotonic()
        late = stage.name not in work.steps and now - began > LATE * budget
        stopped = stop_after is not None and step >= stop_after
        if late or stopped or step == steps or now - saved > SAVE_EVERY:
            saved = now
            _save(stage.folder / "last.pt", model, optimizer, average, step, steps)
        if late or stopped:
            break
    return step, _wait(work.device) - began


def _show(stage: Stage, step: int, steps: int | None, losses: Losses, spent: float) -> None:
    values = {name: value.item() for name, value in losses.items()}
    line = " ".join(f"{name} {value:.4f}" for name, value in values.items())
    print(f"{stage.name} {step}/{steps or '?'} {spent:.0f} s  {line}", flush=True)
    if not all(map(math.isfinite, values.values())):
        raise SystemExit(f"{stage.name}: a loss is not finite at step {step}: {line}")


def _save(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.AdamW,
    average: Average,
    step: int,
    steps: int | None,
) -> None:
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    state |= {"averages": average.averages, "step": step, "steps": steps}
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def _restore(
    path: Path, model: nn.Module, optimizer: torch.optim.AdamW, average: Average, device: str
) -> tuple[int, int | None]:
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    for ours, theirs in zip(average.averages, state["averages"], strict=True):
        ours.copy_(theirs)
    return state["step"], state["steps"]
