"""Encode all texts of a call over time, and mark the rows that the pipeline gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.conditioning.settled import SettlesTexts
from clipcond.conditioning.token_rows import EncodedPrompt, note_tokens
from clipcond.pipelines.family import Family
from clipcond.pipelines.steps.plan import (
    NUMBERS,
    Arguments,
    Part,
    Plan,
    plan_steps,
    warn_undrawn,
)
from clipcond.pipelines.steps.rows import MarkedRows, read_serials

if TYPE_CHECKING:
    from clipcond.pipelines.steps.regions import RegionTexts

Encode = Callable[[Arguments], tuple[Tensor | None, ...]]
Place = tuple[Tensor, int]  # rows, and which of them
NEGATIVE_OF = "negative_"  # what the names of negatives begin with
LENGTHS = "lengths"  # of texts; the pipeline has where each ends in a row of all
_GUIDED = "do_classifier_free_guidance"
TEXT = "embeds"  # the rows of text
_MARKED = (TEXT, "pooled")  # the others cannot be recognised, or are the same at all steps


@dataclass(frozen=True, slots=True)
class Row:
    """A marked row: a prompt of a batch, or its negative, in one argument of the denoiser."""

    encoded: EncodedCall
    slot: str
    index: int
    is_negative: bool

    @property
    def pair(self) -> tuple[int, int]:
        """What a prompt and its negative have in common."""
        return id(self.encoded), self.index

    @property
    def unmarked(self) -> Tensor:
        """The row itself, as it is shown but for the mark."""
        name = NEGATIVE_OF + self.slot if self.is_negative else self.slot
        return self.encoded.slots[name].shown[self.index]

    def place(self, name: str, step: int, part: int | None) -> Place:
        """Find the variant of a step: of a part of the prompt, or of its negative for None.

        Of a part beyond the last one, the last.

        Args:
            name: which of all that is encoded.
        """
        parts, tables = self.parts(step), self.encoded.tables
        if self.is_negative or part is None:
            return tables.get(NEGATIVE_OF + name, tables[name]), parts[0][0]
        return tables[name], parts[min(part, len(parts) - 1)][0]

    def parts(self, step: int) -> tuple[Part, ...]:
        """List the parts of the prompt at a step."""
        return self.encoded.plan.parts(self.index, step)


class EncodedCall:
    """A call for embeddings whose prompts change over the steps, or have parts.

    Args:
        arguments: of the method that the pipeline called.
        plan: for the number of steps that is to be expected.
        family: names what `encode` returns.
        encode: what the method does for prompts without editing and AND.
        is_negative: whether the call is for negatives, which the method has as its prompts.
    """

    tokens: Sequence[EncodedPrompt]  # of each pair of texts of the plan, those of the prompt

    def __init__(
        self,
        arguments: Arguments,
        plan: Plan,
        conditioner: SettlesTexts,
        family: Family,
        encode: Encode,
        *,
        is_negative: bool = False,
    ) -> None:
        self.plan, self.arguments, self._conditioner = plan, arguments, conditioner
        self.family, self._encode, self._is_negative = family, encode, is_negative
        self._n_steps = 0
        self.is_used = False
        self.negative: dict[str, Tensor] | None = None  # of another call of the method
        self.regions: RegionTexts | None = None
        self.tables = self._made()
        last = [row[-1][1][0][0] for row in plan.rows]
        self._shown = {name: each[last] for name, each in self.tables.items()}
        names = [name for name in self._shown if name.removeprefix(NEGATIVE_OF) in _MARKED]
        self.slots = {name: MarkedRows(self._shown[name]) for name in names}
        self._shown.update({name: slot.markers for name, slot in self.slots.items()})

    def shown(self) -> tuple[Any, ...]:
        """Make what the pipeline gets: marked rows, once for each picture of a prompt."""
        n = next((self.arguments[name] for name in NUMBERS if name in self.arguments), 1)
        rows: dict[str, Tensor] = {}
        for name, each in self._shown.items():
            if self.arguments.get(_GUIDED, True) or not name.startswith(NEGATIVE_OF):
                repeated = each.repeat_interleave(n, dim=0)
                rows[name] = repeated.movedim(0, self._axis(name))
        pairs = zip(self.family.returns, self._answer, strict=True)
        return tuple(value if name in ("", LENGTHS) else rows.get(name) for name, value in pairs)

    @property
    def with_regions(self) -> tuple[EncodedCall, ...]:
        """This call, and what encodes the texts of each of its regions."""
        return (self,) if self.regions is None else (self, *self.regions.calls)

    def row(self, name: str, place: int) -> Row:
        """Name a marked row of a prompt or negative."""
        slot = name.removeprefix(NEGATIVE_OF)
        return Row(self, slot, place, is_negative=slot != name)

    def rows_of(self, values: Sequence[object]) -> dict[str, Tensor]:
        """Name the rows among values that the family's method encodes; the batch comes first."""
        pairs = zip(self.family.returns, values, strict=True)
        return {
            name: each.diff() if name == LENGTHS else each.movedim(self._axis(name), 0)
            for name, each in pairs
            if name and isinstance(each, Tensor)
        }

    def _axis(self, name: str) -> int:
        return self.family.axes.get(name.removeprefix(NEGATIVE_OF), 0)

    def settle(self, n_steps: int, n_drawn: int) -> bool:
        """Plan for this number of steps, and encode again if other texts are needed.

        Args:
            n_drawn: how many of the steps are drawn, from the first on.
        Returns:
            whether that was so.
        """
        if n_steps == self._n_steps:
            return False
        self._n_steps, is_negative = n_steps, self._is_negative
        of_call = {
            **{"again": True, "negative": is_negative},
            "limited": self.family.n_chunks is None,
        }
        warn_undrawn(
            self.arguments, self._conditioner, n_steps, n_drawn=n_drawn, negative=is_negative
        )
        plan = plan_steps(self.arguments, self._conditioner, n_steps, **of_call) or self.plan
        known = plan.with_pairs_of(self.plan)
        if known is not None:
            self.plan = known
            return False
        self.plan = plan
        with collect_warnings(shown=False):
            self.tables = self._made()
        return True

    def _made(self) -> dict[str, Tensor]:
        arguments: dict[str, Any] = dict(self.plan.arguments)
        if self.plan.needs_negative and _GUIDED in arguments:  # though the pipeline does without
            arguments[_GUIDED] = True
        with note_tokens() as noted:
            self._answer = self._encode(arguments)
        self.tokens = next(iter(noted), ())
        return self.rows_of(self._answer)


def recognise(
    tensor: Tensor, slots: Sequence[tuple[EncodedCall, str, MarkedRows]]
) -> list[Row | None] | None:
    """Find which marked rows those of a tensor are; None if none of them is one."""
    rows: list[Row | None] = []
    for serial, own in zip(read_serials(tensor), tensor, strict=True):
        places = ((each, name, slot.place(serial, own)) for each, name, slot in slots if serial)
        hits = (each.row(name, place) for each, name, place in places if place is not None)
        rows.append(next(hits, None))
    return None if all(row is None for row in rows) else rows
