"""Add up the attention to each token of each text, on the CPU in float32, within a limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipcond.errors import PipelineError

MIB = 2**20
ALL_STEPS = -1  # in the place of a step, where they are added up


@dataclass(frozen=True, slots=True)
class Key:
    """What a sum is of: one text, for one picture, in one layer."""

    layer: str
    picture: int
    text: int


@dataclass(slots=True)
class Sum:
    """The sum over calls: of shape [heads T n], or [1 T n] where heads are averaged.

    T tokens of text, n places of the picture; `n_calls` is how many were added.
    """

    total: Tensor
    n_calls: int = 0


class Sums:
    """All sums of a call of a pipeline.

    Args:
        each_step, each_head: whether those are kept apart.
        max_bytes: of all sums together.
    Attributes:
        n_bytes: what they take.
        steps: those that were added up.
    """

    def __init__(self, each_step: bool, each_head: bool, max_bytes: int) -> None:
        self.each_step, self.each_head, self.max_bytes = each_step, each_head, max_bytes
        self.n_bytes = 0
        self.steps: set[int] = set()
        self._found: dict[Key, dict[int, Sum]] = {}

    def add(
        self,
        keys: Sequence[Key],
        step: int,
        parts: Iterable[Tensor],
        tokens: Sequence[Sequence[int]],
    ) -> None:
        """Add one call of a layer.

        Args:
            keys: of each of the p pictures in it.
            step: counted from 0.
            parts: [p heads places S], consecutive places.
            tokens: for each picture, the rows of S that hold its tokens.
        Raises:
            PipelineError: all sums would take more than `max_bytes`.
        """
        chosen: list[list[Tensor]] = [[] for _ in keys]
        for part in parts:
            for i, rows in enumerate(tokens):
                each = part[i][..., list(rows)]  # [heads places T]
                shown = each if self.each_head else each.mean(0, keepdim=True)
                chosen[i].append(shown.transpose(-1, -2))
        self.steps.add(step)
        own = step if self.each_step else ALL_STEPS
        for key, pieces in zip(keys, chosen, strict=True):
            made = torch.cat(pieces, dim=-1).cpu()
            sums = self._found.setdefault(key, {})
            if own not in sums:
                self._take(made.nbytes)
                sums[own] = Sum(torch.zeros_like(made))
            sums[own].total += made
            sums[own].n_calls += 1

    def of(self, key: Key) -> Mapping[int, Sum]:
        """Find the sums of a text in a layer: by steps, or one for `ALL_STEPS`."""
        return self._found.get(key, {})

    def _take(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes
        if self.n_bytes <= self.max_bytes:
            return
        choices = ["layers=... for some layers only"]
        choices += ["each_step=False"] if self.each_step else []
        choices += ["each_head=False"] if self.each_head else []
        raise PipelineError(
            f"The heat maps of this call take more than the {self.max_bytes / MIB:.4g} MiB that "
            "max_bytes= allows.",
            f"Trace with {', or '.join([*choices, 'a higher max_bytes='])}.",
        )
