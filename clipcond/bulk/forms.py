"""Bring conditionings into the form in which they are kept, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from clipcond.conditioning.alone import ConditionedAlone
from clipcond.errors import UnknownNameError

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


def store(made: Sequence[ConditionedAlone], form: Form) -> list[Stored | str]:
    """Bring conditionings into a form, all at once: one copy from the device.

    Returns:
        of each what is kept, or why it cannot be kept: it has no pooled vector, or values beyond
        what the dtype can hold.
    """
    if not made:
        return []
    rows = [_kept_rows(each, form) for each in made]
    embeds = [each.conditioning.embeds[0] for each in made]
    parts = [
        e if len(r) == len(e) else e[r.to(e.device)] for e, r in zip(embeds, rows, strict=True)
    ]
    kept, scales, errors = _cast(torch.cat(parts), form.dtype)
    vectors, scales_of_vectors, errors_of_vectors = _pooled(made, form)
    stored: list[Stored | str] = []
    start = 0
    for i, each in enumerate(made):
        here = slice(start, start := start + len(rows[i]))
        vector = None if vectors is None else vectors[i]
        error = max(errors[here].tolist(), default=0.0)
        if errors_of_vectors is not None:
            error = max(error, float(errors_of_vectors[i]))
        if form.keep == "pooled" and vector is None:
            stored.append("the tower gives no pooled vector that is read: say pooled=True")
        elif not math.isfinite(error):
            stored.append(f"it has values beyond what {form.dtype} can hold: keep bfloat16 or int8")
        else:
            own = torch.zeros(len(embeds[i]), dtype=torch.bool)
            own[list(each.rows)] = True
            own_scales = None if scales is None else scales[here]
            scale = None if scales_of_vectors is None else scales_of_vectors[i : i + 1]
            stored.append(
                Stored(
                    *(len(own), rows[i].int(), own[rows[i]], kept[here], own_scales),
                    *(vector, scale, error),
                )
            )
    return stored


def _kept_rows(each: ConditionedAlone, form: Form) -> Tensor:
    """List the rows that are kept, int64."""
    if form.keep == "trimmed":
        return torch.tensor(each.rows, dtype=torch.int64)
    return torch.arange(each.conditioning.embeds.shape[1] if form.keep == "full" else 0)


def _pooled(
    made: Sequence[ConditionedAlone], form: Form
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    pooled = [each.conditioning.pooled for each in made]
    given = [each for each in pooled if each is not None]
    return _cast(torch.cat(given), form.dtype) if given else (None, None, None)


def _cast(values: Tensor, dtype: StoredDtype) -> tuple[Tensor, Tensor | None, Tensor]:
    """Cast rows [n D] on the CPU; return them, the scales of int8, and the relative errors [n].

    Where a value is beyond what the dtype can hold, the error is infinite.
    """
    given = values.detach().to("cpu", torch.float32)
    scales = None
    if dtype == "int8":
        scales = (given.abs().amax(1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        kept = (given / scales[:, None]).round().to(torch.int8)
    else:
        kept = given.to(DTYPES[dtype])
    difference = (restore_rows(kept, scales) - given).double().norm(dim=1)  # squares overflow
    errors = difference / given.double().norm(dim=1).clamp(min=1e-12)
    return kept, scales, errors.where(kept.isfinite().all(1), torch.inf)


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
