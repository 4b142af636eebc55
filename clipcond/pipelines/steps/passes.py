"""Mix the passes of a denoiser: one for each part of AND, by A1111's formula.

    out = sum_i w_i c_i + (1 - sum_i w_i) u

c_i is what a call gives with part i, u what it gives with the negative. After the pipeline's own
guidance, u + g (out - u), that is u + g sum_i w_i (c_i - u); it is defined without guidance too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipcond.errors import PipelineError
from clipcond.pipelines.steps.encoding import NEGATIVE_OF, Row
from clipcond.pipelines.steps.plan import is_mixture, rest_of
from clipcond.pipelines.steps.rows import list_tensors, map_tensors

NEGATIVE = -1  # the pass with the negatives in the place of the prompts
Rows = Sequence[Row | None]


@dataclass(frozen=True, slots=True)
class Mixture:
    """The passes that one call of a denoiser takes besides its own, with the first parts.

    Args:
        rows: the rows of text in the call.
        step: counted from 0.
        outputs: pass -> what it gave.
    """

    rows: Rows
    step: int
    outputs: dict[int, Any]

    def mix(self, output: object) -> object:
        """Put the mixture into the rows of an output that belong to prompts with parts."""
        others = {n: iter(list_tensors(each)) for n, each in self.outputs.items()}
        return map_tensors(
            output, lambda own: self._mixed(own, {n: next(each) for n, each in others.items()})
        )

    def _mixed(self, own: Tensor, others: dict[int, Tensor]) -> Tensor:
        rows = _rows_of_output(self.rows, len(own))
        mixed = own.clone()
        exact = torch.promote_types(own.dtype, torch.float32)
        for i, row in enumerate(rows):
            if row is None or row.is_negative or not is_mixture(parts := row.parts(self.step)):
                continue
            terms = [(own if n == 0 else others[n], i, w) for n, (_, w) in enumerate(parts)]
            rest = rest_of(parts)
            if rest != 0.0:
                place = _place_of_negative(rows, i)
                terms.append((others[NEGATIVE], i, rest) if place is None else (own, place, rest))
            mixed[i] = sum(tensor[at].to(exact) * weight for tensor, at, weight in terms)
        return mixed


def has_mixture(rows: Rows, step: int) -> bool:
    """Whether a prompt in a call has parts at a step."""
    own = (row for row in rows if row is not None and not row.is_negative)
    return any(is_mixture(row.parts(step)) for row in own)


def passes_of(rows: Rows, step: int) -> list[int]:
    """List the passes that a call takes besides its own."""
    own = [row for row in rows if row is not None and not row.is_negative]
    n_parts = max((len(row.parts(step)) for row in own), default=1)
    passes = list(range(1, n_parts))
    negatives = {row.pair for row in rows if row is not None and row.is_negative}
    alone = [row for row in own if row.pair not in negatives]
    if any(rest_of(row.parts(step)) != 0.0 for row in alone):
        passes.append(NEGATIVE)
    return passes


def lacks_negative(row: Row | None, step: int) -> bool:
    """Whether a mixture takes something of a negative that nobody has encoded."""
    if row is None or row.is_negative or row.encoded.negative is not None:
        return False
    has_own = NEGATIVE_OF + row.slot in row.encoded.tables
    return not has_own and rest_of(row.parts(step)) != 0.0


def _place_of_negative(rows: Rows, i: int) -> int | None:
    """Find the output of the negative of output i, in a batch of [negatives, prompts]."""
    row = rows[i]
    own = [k for k, each in enumerate(rows) if each == row]
    pair = None if row is None else row.pair
    negatives = [
        k for k, each in enumerate(rows) if each and each.is_negative and each.pair == pair
    ]
    return negatives[own.index(i) % len(negatives)] if negatives else None


def _rows_of_output(rows: Rows, n: int) -> Rows:
    """Find which text each of n outputs belongs to; videos have a row of text for each frame.

    Raises:
        PipelineError: outputs and rows of text do not correspond.
    """
    n_each, odd = divmod(len(rows), n)
    groups = [rows[i * n_each : (i + 1) * n_each] for i in range(n)]
    if odd or any(each != group[0] for group in groups for each in group):
        raise PipelineError(
            f"AND cannot be drawn here: {len(rows)} rows of text give {n} outputs.",
            "Write the prompt without AND.",
        )
    return [group[0] for group in groups]
