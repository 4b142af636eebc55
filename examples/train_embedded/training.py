"""The loop shared by every stage: accelerate, cosine schedule, EMA, progress, exact resume.

Data are drawn from `random.Random(seed, step, rank)`, so a run that was killed and resumed sees
what an uninterrupted one would have seen.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from diffusers.training_utils import EMAModel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

Losses = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run needs to know besides its model. `lr` is the peak, after `warmup` steps."""

    name: str
    folder: Path
    steps: int
    batch: int
    lr: float
    seed: int = 0
    warmup: int = 100
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0
    save_every: float = 120.0  # seconds between checkpoints
    stop_after: float = math.inf  # seconds; the run can be resumed
    betas: tuple[float, float] = (0.9, 0.99)


def arguments(description: str, **defaults: float) -> argparse.ArgumentParser:
    """The options every stage has; `defaults` are its steps, batch and lr."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all stages")
    parser.add_argument("--steps", type=int, default=int(defaults["steps"]))
    parser.add_argument("--batch", type=int, default=int(defaults["batch"]), help="per process")
    parser.add_argument("--lr", type=float, default=defaults["lr"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stop-after", type=float, default=math.inf, metavar="SECONDS")
    return parser


def plan(name: str, options: argparse.Namespace, **extra: float) -> Plan:
    """The Plan that the command line asks for."""
    return Plan(
        name=name,
        folder=options.runs / name,
        steps=options.steps,
        batch=options.batch,
        lr=options.lr,
        seed=options.seed,
        stop_after=options.stop_after,
        **extra,  # type: ignore[arg-type]
    )


def rng_at(seed: int, step: int, rank: int) -> random.Random:
    """The source of step `step`'s data in process `rank`."""
    return random.Random(f"{seed}/{step}/{rank}")


def learning_rate(plan: Plan, step: int) -> float:
    """Linear warm-up, then half a cosine down to 2 % of the peak."""
    if step < plan.warmup:
        return plan.lr * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def _save(path: Path, state: dict[str, object]) -> None:
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def _optimizer(plan: Plan, model: nn.Module) -> torch.optim.AdamW:
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.lr, betas=plan.betas, fused=True)


def train(
    plan: Plan,
    model: nn.Module,
    loss_of: Callable[[nn.Module, random.Random, int], Losses],
    on_save: Callable[[nn.Module, int], None] | None = None,
) -> nn.Module:
    """Train `model` in place and return it with its EMA weights.

    Args:
        loss_of: (model, rng, step) -> losses; their sum is minimised.
        on_save: called with the EMA-weighted model at the end.
    """
    views = DistributedDataParallelKwargs(gradient_as_bucket_view=True)
    accelerator = Accelerator(kwargs_handlers=[views])
    plan.folder.mkdir(parents=True, exist_ok=True)
    checkpoint = plan.folder / "last.pt"
    optimizer = _optimizer(plan, model)
    ema = EMAModel(model.parameters(), decay=plan.ema)
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        ema.load_state_dict(state["ema"])
        start = state["step"]
        for group in optimizer.param_groups:
            group["fused"] = True  # whatever wrote the checkpoint
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    ema.to(accelerator.device)
    step = _loop(plan, accelerator, wrapped, model, optimizer, ema, loss_of, start)
    if step >= plan.steps and accelerator.is_main_process:
        ema.copy_to(model.parameters())
        if on_save:
            on_save(model, step)
    accelerator.end_training()
    return model


def _loop(
    plan: Plan,
    accelerator: Accelerator,
    wrapped: nn.Module,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: EMAModel,
    loss_of: Callable[[nn.Module, random.Random, int], Losses],
    start: int,
) -> int:
    began = saved = time.monotonic()
    main = accelerator.is_main_process
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    log_path = plan.folder / "log.txt" if main else os.devnull
    bar = Progress(*columns, disable=not main, refresh_per_second=1)
    with open(log_path, "a", encoding="utf-8", buffering=1) as log, bar:
        task = bar.add_task(plan.name, total=plan.steps, completed=start, losses="")
        for step in range(start, plan.steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(plan, step)
            losses = loss_of(wrapped, rng_at(plan.seed, step, accelerator.process_index), step)
            accelerator.backward(torch.stack(list(losses.values())).sum())
            accelerator.clip_grad_norm_(wrapped.parameters(), plan.clip)
            optimizer.step()
            optimizer.zero_grad()
            ema.step(model.parameters())
            if main and step % 50 == 0:
                text = " ".join(f"{name} {value.item():.4f}" for name, value in losses.items())
                bar.update(task, losses=text)
                print(f"{time.monotonic() - began:8.0f} s  step {step}  {text}", file=log)
            bar.update(task, advance=1)
            now = time.monotonic()
            late = torch.tensor(float(now - began > plan.stop_after or step + 1 == plan.steps))
            stop = bool(accelerator.reduce(late.to(accelerator.device)).item())
            if main and (stop or now - saved > plan.save_every):
                saved = now
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                _save(plan.folder / "last.pt", state | {"ema": ema.state_dict(), "step": step + 1})
            if stop:
                return step + 1
    return max(start, plan.steps)
