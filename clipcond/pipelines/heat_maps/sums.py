"""Add up the attention to each token of each text, on the CPU in float32, within a limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clipcond.errors import PipelineError

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Key:
    """Which sum: of one text, for one picture, in one layer; `step` is -1 for all of them."""

    layer: str
    picture: int
    text: int
    step: int


@dataclass(slots=True)
class Sum:
    """The sum over calls: of shape [heads T n], or [1 T n] where heads are averaged.

    T tokens of text, n places of the picture; `n_calls` is how many were added.
    """

    total: Tensor
    n_calls: int = 0


@dataclass(frozen=True, slots=True)
class Sums:
    """All sums of a call of a pipeline.

    Args:
        each_step, each_head: whether those are kept apart.
        max_bytes: of all sums together.
    """

    each_step: bool
    each_head: bool
    max_bytes: int
    found: dict[Key, Sum] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """How many bytes the sums take."""
        return sum(each.total.nbytes for each in self.found.values())

    def add(
        self,
        keys: Sequence[Key],
        parts: Iterable[Tensor],
        tokens: Sequence[Sequence[int]],
    ) -> None:
        """Add one call of a layer.

        Args:
            keys: of each of the p pictures in it.
            parts: [p heads places S], consecutive places.
            tokens: for each picture, the rows of S that hold its tokens.
        Raises:
            PipelineError: all sums would take more than `max_bytes`.
        """
        own = [key if self.each_step else Key(key.layer, key.picture, key.text, -1) for key in keys]
        chosen: list[list[Tensor]] = [[] for _ in keys]
        for part in parts:
            for i, rows in enumerate(tokens):
                each = part[i][..., list(rows)]  # [heads places T]
                shown = each if self.each_head else each.mean(0, keepdim=True)
                chosen[i].append(shown.transpose(-1, -2))
        for key, pieces in zip(own, chosen, strict=True):
            made = torch.cat(pieces, dim=-1).cpu()
            if key not in self.found:
                self._check(self.n_bytes + made.nbytes)
                self.found[key] = Sum(torch.zeros_like(made))
            self.found[key].total += made
            self.found[key].n_calls += 1

    def of(self, layer: str, picture: int, text: int) -> Iterator[tuple[int, Sum]]:
        """Yield (step, sum) of a text in a layer; the step is -1 where they are not apart."""
        for key, each in self.found.items():
            if (key.layer, key.picture, key.text) == (layer, picture, text):
                yield key.step, each

    def _check(self, needed: int) -> None:
        if needed <= self.max_bytes:
            return
        choices = ["layers=... for some layers only"]
        choices += ["each_step=False"] if self.each_step else []
        choices += ["each_head=False"] if self.each_head else []
        raise PipelineError(
            f"The heat maps of this call take more than the {self.max_bytes / MIB:.4g} MiB that "
            "max_bytes= allows.",
            f"Trace with {', or '.join([*choices, 'a higher max_bytes='])}.",
        )
