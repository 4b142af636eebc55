"""Measure how long a text tower takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import perf_counter

import torch

from clipcond.towers.protocol import TextTower, TowerOutput


def time_tower(tower: TextTower, on_call: Callable[[float], object]) -> None:
    """Let each call of a tower's `encode` tell how many seconds it took, from now on."""
    encode = tower.encode

    @wraps(encode)
    def timed(*args: object, **kwargs: object) -> TowerOutput:
        start = perf_counter()
        output: TowerOutput = encode(*args, **kwargs)  # type: ignore[arg-type]
        if output.hidden.is_cuda:
            torch.cuda.synchronize()
        on_call(perf_counter() - start)
        return output

    object.__setattr__(tower, "encode", timed)
