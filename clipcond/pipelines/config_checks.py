"""Check the configurations of a model's parts before anything is built from them.

diffusers takes any value: a text where a number belongs fails while a picture is drawn, and a size
of 1e9 asks for as much memory. Here each value is compared with its default in the class, and sizes
with the tensors that the part has.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clipcond.checkpoints.header import Entry
from clipcond.errors import CheckpointError, excerpt
from clipcond.files import read_json
from clipcond.pipelines.protocols import Scheduler

LARGEST = 65_536  # of any size in a configuration; a larger one must be that of a tensor
# Bounds of single values: [least, most].
_RANGES: Mapping[str, tuple[float, float]] = {
    "num_train_timesteps": (1, 100_000),
    "beta_start": (0, 1),
    "beta_end": (0, 1),
    "solver_order": (1, 10),
    "scaling_factor": (1e-6, 1000),
    "sample_size": (1, 2048),
    "downsample_padding": (0, 8),
    "norm_eps": (0, 1),
}
# Numbers of modules in each block of a model.
_COUNTS = ("layers_per_block", "transformer_layers_per_block")
PER_LAYER = 16  # tensors that a layer in each block has at least, on the way down and up


def check_model_config(path: Path, kind: type, entries: Mapping[str, Entry]) -> None:
    """Check the config.json of a UNet or VAE against its class and its tensors.

    Args:
        path: the config.json.
        kind: the diffusers class that it describes.
        entries: the part's tensors; none, if they are not known.
    Raises:
        CheckpointError: a value is of another type than in the class, or too large; says which.
    """
    config = read_json(path)
    largest = max((n for entry in entries.values() for n in entry.shape), default=0)
    _check_values(path, config, kind, max(largest, LARGEST), least=0)
    blocks = config.get("block_out_channels")
    n_blocks = len(blocks) if isinstance(blocks, list) else 1
    for name in _COUNTS if entries else ():
        value = config.get(name)
        for n in value if isinstance(value, list) else [value]:
            if isinstance(n, int) and n * n_blocks * PER_LAYER > max(len(entries), 4 * PER_LAYER):
                raise _wrong(path, name, value, f"fewer, for there are {len(entries)} tensors")


def check_scheduler_config(path: Path, kind: type) -> None:
    """Check a scheduler_config.json against the class of its scheduler.

    Raises:
        CheckpointError: as for `check_model_config`.
    """
    _check_values(path, read_json(path), kind, LARGEST, least=-LARGEST)


def try_scheduler(scheduler: Scheduler) -> None:
    """Take one step with a copy of a scheduler: an unknown setting fails here, not while drawing.

    Raises:
        Exception: whatever the scheduler raises; ValueError if its numbers are not finite.
    """
    trial, still = type(scheduler).from_config(scheduler.config), torch.zeros(1, 4, 8, 8)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        trial.set_timesteps(10)  # as few as every kind can take
        time = trial.timesteps[0]
        sample = trial.scale_model_input(still + 1, time)
        after = trial.step(still, time, sample, return_dict=False)[0]
    if not bool(torch.isfinite(after).all()):
        raise ValueError("one step gives NaN or infinite values")


def _check_values(
    path: Path, config: Mapping[str, Any], kind: type, most: int, *, least: int
) -> None:
    for name, parameter in inspect.signature(kind).parameters.items():
        value = config.get(name)
        if value is None or name == "self":
            continue
        takes_list = re.search("tuple|list|Tuple|List", str(parameter.annotation))
        if isinstance(value, list) and not takes_list and parameter.default is not None:
            raise _wrong(path, name, value, "one value, not a list")
        for each in value if isinstance(value, list) else [value]:
            expected = _expected(parameter, each)
            if name in _RANGES and not isinstance(each, int | float):
                expected = "a number"
            if expected and not (isinstance(value, list) and isinstance(each, list)):
                raise _wrong(path, name, value, expected)
            if isinstance(each, int | float):
                low, high = _RANGES.get(name, (least, most))
                if not (math.isfinite(each) and low <= each <= high):
                    raise _wrong(path, name, value, f"a number from {low} to {high}")


def _expected(parameter: inspect.Parameter, value: object) -> str:
    """Say what a value should be by a parameter's default; "" if it is that."""
    default = parameter.default
    if isinstance(default, tuple | list) and default:
        default = default[0]
    if type(default) is int and "float" in str(parameter.annotation):
        default = float(default)
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if isinstance(default, float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number else "a number"
    if isinstance(default, str):
        return "" if isinstance(value, str | bool) else "a text"
    return ""


def _wrong(path: Path, name: str, value: object, expected: str) -> CheckpointError:
    shown = excerpt(repr(value))
    return CheckpointError(
        f"{path} says {name} {shown}, expected {expected}", path, "Download or save it again."
    )
