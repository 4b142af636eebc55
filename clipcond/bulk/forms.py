"""Bring conditionings into the form in which they are kept, and back."""

from __future__ import annotations

import math
from bisect import bisect_right
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
        keep: "full" = all rows; "trimmed" = those that are not padding, and of each run of padding
            the mean; "pooled" = the pooled vector alone.
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
        rows: int32 [n], which of them are kept; all S in form "full", none in "pooled". In form
            "trimmed" first the prompt's own, ascending; then -1 - i for the mean of the padding
            from row i on.
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
    parts = [*map(_select, embeds, rows)]
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
            own = torch.isin(rows[i], torch.tensor(each.rows, dtype=torch.int64))
            own_scales = None if scales is None else scales[here]
            scale = None if scales_of_vectors is None else scales_of_vectors[i : i + 1]
            stored.append(
                Stored(
                    *(len(embeds[i]), rows[i].int(), own, kept[here], own_scales),
                    *(vector, scale, error),
                )
            )
    return stored


def _kept_rows(each: ConditionedAlone, form: Form) -> Tensor:
    """List what is kept as `Stored.rows` has it, int64."""
    length = each.conditioning.embeds.shape[1]
    if form.keep != "trimmed":
        return torch.arange(length if form.keep == "full" else 0)
    ends = zip((-1, *each.rows), (*each.rows, length), strict=True)
    runs = [-1 - (before + 1) for before, after in ends if after - before > 1]
    return torch.tensor([*each.rows, *runs], dtype=torch.int64)


def _select(whole: Tensor, rows: Tensor) -> Tensor:
    """Take what is kept out of a conditioning's rows [S D]: [n D]."""
    runs = [whole[start:stop].mean(0, keepdim=True) for start, stop in _runs(rows, len(whole))]
    if not runs and len(rows) == len(whole):
        return whole
    return torch.cat([whole[rows[rows >= 0].to(whole.device)], *runs])


def _runs(rows: Tensor, length: int) -> list[tuple[int, int]]:
    """List where each run of padding begins and ends."""
    listed = rows.tolist()
    own, starts = [row for row in listed if row >= 0], [-1 - row for row in listed if row < 0]
    stops = [*own, length]
    return [(start, stops[bisect_right(own, start)]) for start in starts]


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


def restored(values: Tensor, rows: Tensor, length: int) -> Tensor:
    """Put kept rows [n D] back to their places: [S D]; padding is its run's mean."""
    is_own = rows >= 0
    if len(values) == length and bool(is_own.all()):
        return values
    whole = values.new_empty(length, values.shape[1])
    whole[rows[is_own].long()] = values[is_own]
    for (start, stop), mean in zip(_runs(rows, length), values[~is_own], strict=True):
        whole[start:stop] = mean
    return whole
