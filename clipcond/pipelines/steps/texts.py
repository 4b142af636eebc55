"""Put the texts of a step into the arguments of a denoiser, and all that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from clipcond.errors import PipelineError
from clipcond.pipelines.steps.encoding import LENGTHS, Place, Row
from clipcond.pipelines.steps.passes import NEGATIVE, Rows
from clipcond.pipelines.steps.residuals import Residuals
from clipcond.pipelines.steps.rows import map_tensors

__all__ = ["Found", "TextsOfStep"]

_MOST_BUILT = 16  # tensors kept for the next steps

Found = dict[int, Rows]  # id of a tensor in a call -> its rows
CallArguments = tuple[tuple[Any, ...], dict[str, Any]]


class TextsOfStep:
    """The rows of text for the passes of a step.

    Args:
        find: finds the marked rows in a tensor, if there are any.
    """

    def __init__(self, find: Callable[[Tensor], Rows | None]) -> None:
        self.step = -1
        self._find = find
        self.forget()

    def forget(self) -> None:
        """Forget tensors that were built: other texts were encoded."""
        self._built: dict[tuple[object, ...], Tensor] = {}

    def put(
        self, arguments: CallArguments, found: Found, n: int, residuals: Residuals
    ) -> CallArguments:
        """Put the texts of pass `n` into the arguments of a call, and what depends on them."""
        part = None if n == NEGATIVE else n

        def change(tensor: Tensor) -> Tensor:
            rows = found.get(id(tensor))
            if rows is None:
                return residuals.of_pass(tensor, n)
            return self._build(tensor, [self._place(row, part) for row in rows])

        args, kwargs = map_tensors(arguments, change)
        rows = max(found.values(), key=len)
        family = next(row.encoded.family for row in rows if row is not None)
        for argument in family.follows.keys() & kwargs.keys():
            name = family.follows[argument]
            own, axis = kwargs[argument], family.axes.get(name, 0)
            if isinstance(own, Tensor):
                places = [self._place(row, part, name) for row in rows]
                kwargs[argument] = self._build(own.movedim(axis, 0), places).movedim(0, axis)
        for rope, argument in family.cut.items():
            places = [self._place(row, part, LENGTHS) for row in rows]
            lengths = [int(place[0][place[1]]) for place in places if place is not None]
            if len(lengths) == len(rows):  # a callback has put in none
                kwargs[argument] = kwargs[argument][:, : max(lengths)]
                kwargs[rope] = torch.arange(max(lengths), device=kwargs[argument].device)
        return args, kwargs

    def _place(self, row: Row | None, part: int | None, name: str = "") -> Place | None:
        """Find the row for a part at this step; None = the one that is there."""
        if row is None:
            return None
        name, negative = name or row.slot, row.encoded.negative
        if part is not None or row.is_negative or negative is None:
            return row.place(name, self.step, part)
        i = row.index * len(negative["embeds"]) // len(row.encoded.plan.rows)
        found = self._find(negative["embeds"])
        marked = None if found is None else found[i]
        return (negative[name], i) if marked is None else self._place(marked, 0, name)

    def _build(self, tensor: Tensor, found: Sequence[Place | None]) -> Tensor:
        places = [place for place in found if place is not None]
        if len(places) < len(found):
            each = [
                own if place is None else place[0][place[1]].to(own)
                for place, own in zip(found, tensor, strict=True)
            ]
            if len({own.shape for own in each}) > 1:
                raise PipelineError(
                    "A callback has replaced some of the embeddings of a prompt that changes over "
                    "the steps by others of another length.",
                    "Replace all of them, or write prompts that are equally long.",
                )
            return torch.stack(each)
        key = (*((id(table), place) for table, place in places), tensor.dtype, tensor.device)
        if key not in self._built:
            self._built = dict(list(self._built.items())[1 - _MOST_BUILT :])
            self._built[key] = torch.stack([table[at] for table, at in places]).to(tensor)
        return self._built[key]
