"""Put the texts of a step into the arguments of a denoiser, and all that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

from clipcond.errors import PipelineError
from clipcond.pipelines.steps.encoding import LENGTHS, TEXT, Place, Row
from clipcond.pipelines.steps.passes import NEGATIVE, Rows
from clipcond.pipelines.steps.refusals import strange_rows
from clipcond.pipelines.steps.residuals import Residuals
from clipcond.pipelines.steps.rows import map_tensors

_MOST_BUILT = 16  # tensors kept for the next steps

Found: TypeAlias = dict[int, Rows]  # id of a tensor in a call -> its rows
CallArguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]


class TextsOfStep:
    """The rows of text for the passes of a step."""

    def __init__(self) -> None:
        self.step = -1
        self.forget()

    def forget(self) -> None:
        """Forget tensors that were built: other texts were encoded."""
        # with the tables: an id is another tensor's, once its own is gone
        self._built: dict[tuple[object, ...], tuple[list[Tensor], Tensor]] = {}

    def put(
        self,
        arguments: CallArguments,
        found: Found,
        n: int,
        residuals: Residuals,
        find: Callable[[Tensor], Rows | None],
    ) -> CallArguments:
        """Put the texts of a pass into the arguments of a call, and what depends on them.

        Args:
            found: the marked rows in the arguments.
            n: which pass.
            residuals: of the ControlNet's passes.
            find: finds the marked rows in a tensor, if there are any.
        """
        place = partial(self._place, part=None if n == NEGATIVE else n, find=find)

        def change(tensor: Tensor) -> Tensor:
            rows = found.get(id(tensor))
            if rows is None:
                return residuals.of_pass(tensor, n)
            built = self._build(tensor, [place(row) for row in rows])
            return self._with_regions(built, rows, place)

        args, kwargs = cast(CallArguments, map_tensors(arguments, change))
        self._follow(kwargs, max(found.values(), key=len), place)
        return args, kwargs

    def _with_regions(
        self, built: Tensor, rows: Rows, place: Callable[[Row], Place | None]
    ) -> Tensor:
        """Put the texts of regions behind those of the call, if it has any: [b S D]."""
        regions = next(row.encoded for row in rows if row is not None).regions
        if regions is None or any(row is not None and row.slot != TEXT for row in rows):
            return built
        known = [row for row in rows if row is not None and row.encoded.regions is regions]
        if len(known) < len(rows):
            raise strange_rows()
        texts = [self._build(built, [place(row) for row in each]) for each in regions.rows(known)]
        return torch.cat([built, *texts], dim=1)

    def _follow(
        self, kwargs: dict[str, Any], rows: Rows, place: Callable[..., Place | None]
    ) -> None:
        """Put in what goes with the rows of text, and cut them to the longest text."""
        family = next(row.encoded.family for row in rows if row is not None)
        for argument in family.follows.keys() & kwargs.keys():
            name = family.follows[argument]
            own, axis = kwargs[argument], family.axes.get(name, 0)
            if isinstance(own, Tensor):
                places = [place(row, name=name) for row in rows]
                kwargs[argument] = self._build(own.movedim(axis, 0), places).movedim(0, axis)
        for rope, argument in family.cut.items():
            places = [place(row, name=LENGTHS) for row in rows]
            lengths = [int(each[0][each[1]]) for each in places if each is not None]
            if len(lengths) == len(rows):  # a callback has put in none
                kwargs[argument] = kwargs[argument][:, : max(lengths)]
                kwargs[rope] = torch.arange(max(lengths), device=kwargs[argument].device)

    def _place(
        self,
        row: Row | None,
        part: int | None,
        find: Callable[[Tensor], Rows | None],
        name: str = "",
    ) -> Place | None:
        """Find the row for a part at this step; None = the one that is there."""
        if row is None:
            return None
        name, negative = name or row.slot, row.encoded.negative
        if part is not None or row.is_negative or negative is None:
            return row.place(name, self.step, part)
        i = row.index * len(negative["embeds"]) // len(row.encoded.plan.rows)
        found = find(negative["embeds"])
        marked = None if found is None else found[i]
        return (negative[name], i) if marked is None else self._place(marked, 0, find, name)

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
            built = torch.stack([table[at] for table, at in places]).to(tensor)
            self._built[key] = [table for table, _ in places], built
        return self._built[key][1]
