"""Encode all texts of a call over time, and mark the rows that the pipeline gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.conditioning.settled import SettlesTexts
from clipcond.pipelines.steps.plan import NUMBERS, Arguments, Part, Plan, plan_steps
from clipcond.pipelines.steps.rows import Slot

Encode = Callable[[Arguments], Sequence[Tensor | None]]
_GUIDED = "do_classifier_free_guidance"
_NEGATIVE = "negative_"


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
    def table(self) -> Tensor:
        """All variants of all rows [V ...]."""
        return self.encoded.slots[self.slot].table

    def place(self, step: int, part: int | None) -> int:
        """Find the variant of a step: of a part of the prompt, or of its negative for None.

        Of a part beyond the last one, the last.
        """
        parts = self.parts(step)
        if self.is_negative or part is None:
            return parts[0][0] + self.encoded.n_pairs
        return parts[min(part, len(parts) - 1)][0]

    def parts(self, step: int) -> tuple[Part, ...]:
        """List the parts of the prompt at a step."""
        return self.encoded.plan.parts(self.index, step)


class EncodedCall:
    """A call for embeddings whose prompts change over the steps, or have parts.

    Args:
        arguments: of the method that the pipeline called.
        plan: for the number of steps that is to be expected.
        names: of what `encode` returns; those of negatives begin with `negative_`.
        encode: what the method does for prompts without editing and AND.
    """

    def __init__(
        self,
        arguments: Arguments,
        plan: Plan,
        conditioner: SettlesTexts,
        names: Sequence[str],
        encode: Encode,
    ) -> None:
        self.plan, self._arguments, self._conditioner = plan, arguments, conditioner
        self._names, self._encode = names, encode
        self._n_steps = 0
        self.is_used = False
        self.slots: dict[str, Slot] = {}
        made = self._made()
        last = [row[-1][1][0][0] for row in plan.rows]
        self._shown = {name: each[last] for name, each in made.items()}
        for name, each in made.items():
            if name.startswith(_NEGATIVE) or not each.is_floating_point():
                continue
            both = _both(name, made)
            shown = torch.cat([self._shown[own] for own in both])
            self.slots[name] = slot = Slot(torch.cat([made[own] for own in both]), shown)
            markers = torch.split(slot.markers, len(last))
            self._shown.update(zip(both, markers, strict=True))

    @property
    def n_pairs(self) -> int:
        """How many pairs of a prompt and a negative are encoded."""
        return len(self.plan.texts)

    def shown(self) -> tuple[Tensor | None, ...]:
        """What the pipeline gets: marked rows, each as often as it wants pictures of a prompt."""
        n = next((self._arguments[name] for name in NUMBERS if name in self._arguments), 1)
        rows = {name: each.repeat_interleave(n, dim=0) for name, each in self._shown.items()}
        if not self._arguments.get(_GUIDED, True):
            rows = {name: each for name, each in rows.items() if not name.startswith(_NEGATIVE)}
        return tuple(rows.get(name) for name in self._names)

    def row(self, slot: str, place: int) -> Row:
        """Name the marked row at a place: the prompts come first, then their negatives."""
        n = len(self.plan.rows)
        return Row(self, slot, place % n, is_negative=place >= n)

    def settle(self, n_steps: int) -> bool:
        """Plan for this number of steps, and encode again if other texts are needed.

        Returns:
            whether that was so.
        """
        if n_steps == self._n_steps:
            return False
        self._n_steps = n_steps
        plan = plan_steps(self._arguments, self._conditioner, n_steps, again=True) or self.plan
        known = plan.with_pairs_of(self.plan)
        if known is not None:
            self.plan = known
            return False
        self.plan = plan
        with collect_warnings(shown=False):
            made = self._made()
        for name, slot in self.slots.items():
            slot.table = torch.cat([made[each] for each in _both(name, made)])
        return True

    def _made(self) -> dict[str, Tensor]:
        arguments: dict[str, Any] = dict(self.plan.arguments)
        if self.plan.needs_negative and _GUIDED in arguments:  # though the pipeline does without
            arguments[_GUIDED] = True
        made = dict(zip(self._names, self._encode(arguments), strict=True))
        return {name: each for name, each in made.items() if isinstance(each, Tensor)}


def _both(name: str, made: Mapping[str, Tensor]) -> list[str]:
    """Name the tensors of the prompts and of their negatives, if there are any."""
    return [each for each in (name, _NEGATIVE + name) if each in made]
