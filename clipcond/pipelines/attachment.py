"""Put a Conditioner in the place of a pipeline's `encode_prompt`.

Two attributes of the pipeline *instance* change: `conditioner`, and `encode_prompt`, an
`Attachment` (some families call it otherwise); in few classes others, see `further_methods`.
The class stays the stock one or becomes a subclass of its name, so `save_pretrained` writes a stock
folder; the modules are not touched, so LoRA loaders, hooks and offloading find what they expect.
The Attachment is an object that knows its pipeline, not a closure: a copy of the pipeline gets a
copy that knows the new one.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Mapping
from os import PathLike
from typing import Any, cast

from clipcond.adapters import Adapter
from clipcond.checkpoints.textual_inversions import hand_on
from clipcond.conditioning.conditioner import Conditioner
from clipcond.pipelines import compatibility
from clipcond.pipelines.families import Family, companions_of, family_of
from clipcond.pipelines.family import METHODS
from clipcond.pipelines.further_methods import other_methods, use_own_call
from clipcond.pipelines.own_calls import AnswersPrompts, marks_of, use_own_calls
from clipcond.pipelines.own_encoders import towers_of
from clipcond.pipelines.own_images import give_images
from clipcond.pipelines.prompt_embeds import (
    check_width,
    components_of,
)
from clipcond.pipelines.protocols import ConditionedPipeline, DiffusersPipeline
from clipcond.pipelines.steps import (
    StepCount,
    check_step_count,
    stop_drawing,
)
from clipcond.pipelines.subclasses import renew_when_read
from clipcond.towers import TextTower


def attachment_of(pipe: object) -> Attachment | None:
    """Find the pipeline's Attachment; None = the pipeline is not attached."""
    found = (getattr(pipe, "__dict__", {}).get(name) for name in METHODS)
    return next((each for each in found if isinstance(each, Attachment)), None)


class Attachment(AnswersPrompts):
    """A substitute for one pipeline's `encode_prompt`: the same arguments and kind of result."""

    replaced: dict[str, Any]  # the pipeline's own values of `attributes`, for detach
    replaced_class: type  # and its own class

    def __init__(
        self,
        choices: Mapping[str, Any],
        tower: TextTower | str | PathLike[str] | None,
        adapter: Adapter | str | PathLike[str] | None,
        *,
        allow_unaligned: bool,
        allow_pickle: bool = False,
    ) -> None:
        """Open tower and adapter; `choices` are arguments of Conditioner, and `step_count`."""
        self.choices = {**choices}
        self.step_count: StepCount = check_step_count(self.choices.pop("step_count", "a1111"))
        self.tower_name = str(tower) if isinstance(tower, str | PathLike) else None
        self.tower = compatibility.open_tower(tower, allow_pickle=allow_pickle)
        self.adapter = compatibility.open_adapter(adapter)
        self.allow_unaligned = allow_unaligned
        self.explains_clip_skip = False
        self._drew_over_time = False
        self._made: Conditioner | None = None
        self._made_from: tuple[object, ...] = ()
        self._marks: list[tuple[object, ...]] = []

    def put_on(self, pipe: DiffusersPipeline) -> ConditionedPipeline:
        """Attach a pipeline; where that raises an error, the pipeline stays as it was."""
        conditioned, before = cast(ConditionedPipeline, pipe), attachment_of(pipe)
        # Weak, or the pipeline would be part of a cycle and `del pipe` would not free its memory.
        self._pipe = weakref.ref(conditioned)
        self.family = family_of(pipe)
        own = {name: vars(pipe)[name] for name in self.attributes if name in vars(pipe)}
        self.replaced = own if before is None else before.replaced
        self.replaced_class = type(pipe) if before is None else before.replaced_class
        if self.adapter is None and self.tower_name is not None:
            self.adapter = compatibility.embedded_adapter(self.tower_name, pipe)
        chosen = (self.tower, self.adapter)
        compatibility.check_chosen(pipe, self.family, *chosen, allow_unaligned=self.allow_unaligned)
        if self.can_encode:
            vars(pipe)[self.family.conditioner] = self.make_conditioner()
        vars(pipe)[self.family.method] = self
        self._put_others(pipe)
        pipe.__class__ = self.replaced_class
        use_own_calls(pipe, _conditioner_names)
        use_own_call(pipe)
        renew_when_read(pipe, {each.conditioner: each.method for each in self.families})
        return conditioned

    def take_off(self, pipe: object) -> None:
        """Detach the pipeline: it is as it was before."""
        stop_drawing(pipe)
        for name in self.attributes:
            vars(pipe).pop(name, None)
        vars(pipe).update(self.replaced)
        pipe.__class__ = self.replaced_class

    def copied(self, pipe: object) -> object:
        """Copy the pipeline, shallow, but for this Attachment, which has to know the copy."""
        twin, own = object.__new__(type(pipe)), copy.copy(self)
        own._pipe = weakref.ref(cast(ConditionedPipeline, twin))
        vars(twin).update({**vars(pipe), own.family.method: own})
        own._put_others(twin)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pipe": self.pipe}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _pipe=weakref.ref(state["_pipe"]))

    @property
    def families(self) -> tuple[Family, ...]:
        """The pipeline's family, and those of its further text encoders."""
        return (self.family, *companions_of(self.pipe))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of the pipeline that are replaced while it is attached."""
        names = [name for each in self.families for name in (each.method, each.conditioner)]
        return *names, *other_methods(self.pipe)

    def _put_others(self, pipe: object) -> None:
        """Replace the further methods of a pipeline's class that read prompts."""
        for family in companions_of(pipe):
            vars(pipe)[family.method] = self._companion(family)
        for name, make in other_methods(pipe).items():
            vars(pipe)[name] = make(self)

    def _companion(self, family: Family) -> Attachment:
        """Make the attachment of a further method: its own text encoder, at its last layer."""
        made = copy.copy(self)
        made.family, made.tower, made.tower_name, made.adapter = family, None, None, None
        made.choices = {**self.choices, "clip_skip": 1, "layer": None}
        made._made, made._made_from, made._marks = None, (), []
        return made

    def make_conditioner(self) -> Conditioner:
        """Make a Conditioner of the choices and of the pipeline's towers of now."""
        pipe, family = self.pipe, self.family
        towers = [self.tower] if self.tower is not None else towers_of(pipe, family)
        if self.adapter is None:
            check_width(sum(tower.width for tower in towers), pipe)
        self._made_from = components_of(self)
        self._marks = marks_of(self._made_from)
        own = {"adapter": self.adapter, "reads": family.reads if self.adapter is None else None}
        limit = family.limit(self.choices.get("max_chunks"))
        self._made = Conditioner(*towers, **{**self.choices, **own, "max_chunks": limit})
        before = vars(self.pipe).get(self.family.conditioner)
        if self.tower is None and isinstance(before, Conditioner):
            hand_on(before.towers, towers)
        return give_images(self._made, pipe, before)


def _conditioner_names(pipe: object) -> list[str]:
    """List the attributes of an attached pipeline that hold a Conditioner."""
    attached = attachment_of(pipe)
    return [] if attached is None else [each.conditioner for each in attached.families]
