"""Bring conditionings into the form in which they are kept, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from clipcond.conditioning.alone import ConditionedAlone
from clipcond.errors import BulkError, UnknownNameError

Keep: TypeAlias = Literal["full", "trimmed", "pooled"]
StoredDtype: TypeAlias = Literal["float32", "float16", "bfloat16", "int8"]
DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int8": torch.int8,
}


@dataclass(frozen=True, slots=True)
class Form:
    """What is kept of a conditioning.

    Args:
        keep: "full" = all rows; "trimmed" = those that are not padding; "pooled" = the pooled
            vector alone.
        dtype: of what is kept. "int8" has a scale for each row, the largest of its values / 127.
    Raises:
        UnknownNameError: there is no such form or dtype.
    """

    keep: Keep = "trimmed"
    dtype: StoredDtype = "float16"

    def __post_init__(self) -> None:
        if self.keep not in get_args(Keep):
            raise UnknownNameError("form", self.keep, get_args(Keep))
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)


@dataclass(frozen=True, slots=True)
class Stored:
    """One caption's conditioning as it is kept, on the CPU.

    Args:
        length: S, how many rows the conditioning has.
        rows: int32 [n], which of them are kept, ascending; all S in form "full", none in "pooled".
        own: bool [n], which of those belong to the prompt; the others are padding.
        embeds: [n D] in the stored dtype.
        scales: float32 [n], of int8; else None.
        pooled: [P] in the stored dtype, or None; `pooled_scale` is its scale, float32 [1].
        error: the largest relative error of a row: |kept - computed| / |computed|.
    """

    length: int
    rows: Tensor
    own: Tensor
    embeds: Tensor
    scales: Tensor | None
    pooled: Tensor | None
    pooled_scale: Tensor | None
    error: float


def store(alone: ConditionedAlone, form: Form) -> Stored:
    """Bring a conditioning into a form.

    Raises:
        BulkError: it has no pooled vector to keep, or values beyond what the dtype can hold.
    """
    conditioning = alone.conditioning
    embeds, pooled = conditioning.embeds[0], conditioning.pooled
    length, own = len(embeds), torch.zeros(len(embeds), dtype=torch.bool)
    own[list(alone.rows)] = True
    if form.keep == "pooled":
        if pooled is None:
            raise BulkError(
                "the tower gives no pooled vector that is read, so there is nothing to keep",
                "Keep 'trimmed' or 'full', or say pooled=True.",
            )
        embeds, rows = embeds[:0], torch.empty(0, dtype=torch.int32)
    elif form.keep == "trimmed":
        rows = torch.tensor(alone.rows, dtype=torch.int32)
        embeds = embeds[rows.long().to(embeds.device)]
    else:
        rows = torch.arange(length, dtype=torch.int32)
    kept, scales, error = _cast(embeds, form.dtype)
    vector, scale = None, None
    if pooled is not None:
        vectors, scale, error_pooled = _cast(pooled[:1], form.dtype)
        vector, error = vectors[0], max(error, error_pooled)
    return Stored(length, rows, own[rows.long()], kept, scales, vector, scale, error)


def _cast(values: Tensor, dtype: StoredDtype) -> tuple[Tensor, Tensor | None, float]:
    """Cast rows [n D] on the CPU; return them, the scales of int8, and the largest error."""
    given = values.detach().to("cpu", torch.float32)
    scales = None
    if dtype == "int8":
        scales = (given.abs().amax(1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        kept = (given / scales[:, None]).round().to(torch.int8)
    else:
        kept = given.to(DTYPES[dtype])
    if not bool(kept.isfinite().all()):
        raise BulkError(
            f"a value of {given.abs().max():.3g} is beyond what {dtype} can hold",
            "Keep bfloat16 or int8.",
        )
    difference = (restore_rows(kept, scales) - given).norm(dim=1)
    error = (difference / given.norm(dim=1).clamp(min=1e-12)).max().item() if len(given) else 0.0
    return kept.contiguous(), scales, error


def restore_rows(values: Tensor, scales: Tensor | None) -> Tensor:
    """Make float32 of kept rows [n D], or of one [D] with a scale of [1]."""
    restored = values.to(torch.float32)
    if scales is None:
        return restored
    return restored * (scales[:, None] if restored.ndim > 1 else scales)


def padded(values: Tensor, rows: Tensor, length: int, padding: Tensor | None) -> Tensor:
    """Put kept rows [n D] back to their places among S: [S D].

    Args:
        padding: [L D], what other rows are: row i is padding[i % L]; None = zeros.
    """
    if len(values) == length:
        return values
    if padding is None:
        whole = values.new_zeros(length, values.shape[1])
    else:
        whole = padding.to(values.dtype).repeat(-(-length // len(padding)), 1)[:length]
    whole[rows.long()] = values
    return whole


def largest_error(stored: Sequence[Stored]) -> float:
    """Find the largest relative error of some captions."""
    return max((each.error for each in stored), default=0.0)
