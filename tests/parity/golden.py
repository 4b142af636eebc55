"""The golden data of one tool: its cases and tensors, and how far ours may be from them."""

import gzip
import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import inf, isnan
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file

from tests.failures import failures_of

DATA = Path(__file__).parent.parent / "data"
# Of the reference's largest value. Both sides run the same modules on the same ids; batches of
# another size, and rows that only ours encodes, round differently in the last places.
TOLERANCE = 1e-5

T = TypeVar("T")


@lru_cache
def cases_of(tool: str) -> dict[str, Any]:
    """Everything in the tool's compressed JSON (`zcat` shows one case a line)."""
    return json.loads(gzip.decompress((DATA / f"{tool}.json.gz").read_bytes()))


@lru_cache
def tensors_of(tool: str) -> dict[str, torch.Tensor]:
    """Everything in the tool's safetensors."""
    return load_file(DATA / f"{tool}.safetensors")


def difference(ours: torch.Tensor, reference: torch.Tensor) -> float:
    """The largest difference, as a share of the reference's largest value (at least 1).

    inf if anything is NaN: comparisons with NaN are False, and `max([0.0, nan])` is 0.0.
    """
    if ours.shape[-1] != reference.shape[-1]:
        ours = ours[..., ::8]  # most of the reference keeps every eighth column only
    assert ours.shape == reference.shape
    largest = ((ours - reference).abs().max() / reference.abs().max().clamp(min=1)).item()
    return inf if isnan(largest) else largest


def failures(
    cases: Iterable[T], check: Callable[[T], None], name: Callable[[T], object] = str
) -> list[str]:
    """Check every case, and list those that fail, with the reason."""
    return failures_of(check, cases, name)


def case_id(case: dict[str, Any]) -> str:
    """What a golden case is called."""
    return case["id"]
