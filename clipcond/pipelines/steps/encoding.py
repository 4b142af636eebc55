"""Encode all texts of a call over time, and mark the rows that the pipeline gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clipcond.conditioning.settled import SettlesTexts
from clipcond.errors import collect_warnings
from clipcond.pipelines.prompt_embeds import EncodePromptArguments, PromptEmbeds
from clipcond.pipelines.steps.plan import Part, Plan, plan_steps
from clipcond.pipelines.steps.rows import Slot

__all__ = ["EncodedCall", "Make", "Row"]

Make = Callable[[EncodePromptArguments], PromptEmbeds]
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

    def variant(self, step: int, part: int | None) -> Tensor:
        """Take what is there at a step: [...] of a part of the prompt; None = of its negative."""
        return self.encoded.slots[self.slot].table[self.place(step, part)]

    def place(self, step: int, part: int | None) -> int:
        """Find the place of that in the table; further parts than there are repeat the last."""
        parts = self.parts(step)
        wants_negative = self.is_negative or part is None
        chosen = parts[0] if wants_negative else parts[min(part or 0, len(parts) - 1)]
        return chosen[0] + (self.encoded.n_pairs if wants_negative else 0)

    def parts(self, step: int) -> tuple[Part, ...]:
        """List the parts of the prompt at a step."""
        return self.encoded.plan.parts(self.index, step)


class EncodedCall:
    """A call of `encode_prompt` whose prompts change over the steps, or have parts."""

    def __init__(
        self,
        call: EncodePromptArguments,
        plan: Plan,
        conditioner: SettlesTexts,
        make: Make,
    ) -> None:
        self._call, self._conditioner, self._make = call, conditioner, make
        self._n_steps = 0
        self.is_used = False
        self.plan, self.slots = plan, dict[str, Slot]()
        made = self._encode()
        self.n_pairs = len(plan.texts)
        last = [row[-1][1][0][0] for row in plan.rows]
        shown = {name: tensor[last] for name, tensor in _tensors(made).items()}
        for name, tensor in _tensors(made).items():
            if name.startswith(_NEGATIVE) or not tensor.is_floating_point():
                continue
            both = _both(name, shown)
            table = torch.cat([_tensors(made)[each] for each in both])
            self.slots[name] = slot = Slot(table, torch.cat([shown[each] for each in both]))
            shown.update(zip(both, slot.markers.split(len(last)), strict=False))
        self._shown = made._replace(**shown)

    def shown(self) -> PromptEmbeds:
        """What the pipeline gets: marked rows, each as often as it wants pictures of a prompt."""
        n = self._call.num_images_per_prompt
        found = _tensors(self._shown)
        if not self._call.do_classifier_free_guidance:
            found = {name: each for name, each in found.items() if not name.startswith(_NEGATIVE)}
        rows = {name: each.repeat_interleave(n, dim=0) for name, each in found.items()}
        return PromptEmbeds(**{"negative_embeds": None, **rows})

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
        self._n_steps, known = n_steps, self.plan.texts
        self.plan = plan_steps(self._call, self._conditioner, n_steps) or self.plan
        if self.plan.texts == known:
            return False
        with collect_warnings(shown=False):
            made = _tensors(self._encode())
        self.n_pairs = len(self.plan.texts)
        for name, slot in self.slots.items():
            slot.table = torch.cat([made[each] for each in _both(name, made)])
        return True

    def _encode(self) -> PromptEmbeds:
        call = self.plan.call
        if self.plan.needs_negative:  # though the pipeline does without
            call = replace(call, do_classifier_free_guidance=True)
        return self._make(call)


def _tensors(made: PromptEmbeds) -> dict[str, Tensor]:
    return {name: each for name, each in made._asdict().items() if isinstance(each, Tensor)}


def _both(name: str, made: Mapping[str, Tensor]) -> list[str]:
    """Name the tensors of the prompts and of their negatives, if there are any."""
    return [each for each in (name, _NEGATIVE + name) if each in made]
