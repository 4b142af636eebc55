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
import inspect
import weakref
from collections.abc import Mapping
from contextlib import nullcontext
from os import PathLike
from typing import Any, cast

import torch
from torch import Tensor

from clipcond.adapters import Adapter
from clipcond.checkpoints.textual_inversions import hand_on
from clipcond.conditioning.conditioner import Conditioner
from clipcond.errors import PipelineError
from clipcond.pipelines import compatibility
from clipcond.pipelines.call_context import regions_of
from clipcond.pipelines.clip_skip_counts import warn_of_clip_skip
from clipcond.pipelines.families import Family, companions_of, family_of
from clipcond.pipelines.family import METHODS
from clipcond.pipelines.further_methods import other_methods, use_own_call
from clipcond.pipelines.lora_scale import lora_scaled
from clipcond.pipelines.own_calls import use_own_calls
from clipcond.pipelines.own_encoders import towers_of
from clipcond.pipelines.own_images import give_images
from clipcond.pipelines.pairing import check_pairs
from clipcond.pipelines.prompt_embeds import (
    check_width,
    components_of,
    make_prompt_embeds,
    may_change,
    model_dtype,
    read_arguments,
)
from clipcond.pipelines.protocols import ConditionedPipeline, DiffusersPipeline
from clipcond.pipelines.steps import (
    WATCHERS,
    StepCount,
    check_given,
    check_step_count,
    encode_over_time,
    stop_drawing,
)
from clipcond.pipelines.subclasses import renew_when_read
from clipcond.towers import TextTower

# What a text tower computes in; a UNet may be stored in less.
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def attachment_of(pipe: object) -> Attachment | None:
    """Find the pipeline's Attachment; None = the pipeline is not attached."""
    found = (getattr(pipe, "__dict__", {}).get(name) for name in METHODS)
    return next((each for each in found if isinstance(each, Attachment)), None)


class Attachment:
    """A substitute for one pipeline's `encode_prompt`: the same arguments and kind of result."""

    _pipe: weakref.ref[ConditionedPipeline]
    family: Family
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
    def __signature__(self) -> inspect.Signature:
        stock = getattr(type(self.pipe), self.family.method)  # family_of found it
        return inspect.signature(stock.__get__(self.pipe))

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
        made._made, made._made_from = None, ()
        return made

    @property
    def pipe(self) -> ConditionedPipeline:
        pipe = self._pipe()
        if pipe is None:
            raise PipelineError("The pipeline of this encode_prompt no longer exists.")
        return pipe

    @property
    def conditioner(self) -> Conditioner:
        """The pipeline's Conditioner; a new one if its text encoder or tokenizer was replaced.

        The new one gets the textual inversions of the old one, as far as they fit.
        """
        conditioner: Conditioner | None = vars(self.pipe).get(self.family.conditioner)
        is_own, ids = conditioner is self._made, map(id, components_of(self))
        if conditioner is None or (is_own and list(ids) != list(map(id, self._made_from))):
            conditioner = vars(self.pipe)[self.family.conditioner] = self.make_conditioner()
        return conditioner

    @property
    def can_encode(self) -> bool:
        """Whether there is a tower, or all that one is made of."""
        return self.tower is not None or None not in components_of(self)

    def explain_clip_skip(self, clip_skip: int | None) -> None:
        """Warn once of a clip skip that a call was given: it may be counted as diffusers does."""
        if self.explains_clip_skip and clip_skip is not None and self.can_encode:
            self.explains_clip_skip = not warn_of_clip_skip(clip_skip, self.conditioner)

    def make_conditioner(self) -> Conditioner:
        """Make a Conditioner of the choices and of the pipeline's towers of now."""
        pipe, family = self.pipe, self.family
        towers = [self.tower] if self.tower is not None else towers_of(pipe, family)
        if self.adapter is None:
            check_width(sum(tower.width for tower in towers), pipe)
        self._made_from = components_of(self)
        own = {"adapter": self.adapter, "reads": family.reads if self.adapter is None else None}
        limit = family.limit(self.choices.get("max_chunks"))
        self._made = Conditioner(*towers, **{**self.choices, **own, "max_chunks": limit})
        before = vars(self.pipe).get(self.family.conditioner)
        if self.tower is None and isinstance(before, Conditioner):
            hand_on(before.towers, towers)
        return give_images(self._made, pipe, before)

    def move_tower(self, device: torch.device | None) -> None:
        """Move a tower that was opened by name to the pipeline's device and dtype."""
        tower, dtype = self.tower, model_dtype(self.pipe)
        if tower is None or self.tower_name is None or dtype not in _DTYPES:
            return
        device = tower.device if device is None else torch.device(device)
        if (tower.device, tower.dtype) != (device, dtype):
            tower.model.to(device, dtype)  # type: ignore[attr-defined]  # load_tower's have one

    @torch.no_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> object:
        (bound := self.__signature__.bind(*args, **kwargs)).apply_defaults()
        given = bound.arguments
        if any(isinstance(each, list | tuple | Tensor) for each in given.values()):
            check_pairs(given)
            check_given(self.pipe, given)
        call = read_arguments(self.pipe, given)
        self.explain_clip_skip(given.get("clip_skip"))
        self.move_tower(call.device)
        self._drew_over_time = self._drew_over_time or may_change(given)
        is_special = self.pipe in WATCHERS or regions_of(self.pipe) is not None
        if self._drew_over_time or is_special:
            answer = encode_over_time(self, given, self.encode_plain, self.step_count)
        else:
            answer = self.encode_plain(given)
        family, is_guided = self.family, call.do_classifier_free_guidance
        return family.join(answer, is_guided=is_guided) if family.joins else answer

    def encode_plain(self, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
        """Answer the arguments of a call that is the same at all steps: the family's `returns`."""
        family = self.family
        if family.encode is not None:
            return family.encode(self, arguments)
        call = read_arguments(self.pipe, arguments)
        encoders, scale = family.encoder_names, call.lora_scale
        with nullcontext() if scale is None else lora_scaled(self.pipe, encoders, scale):
            made = make_prompt_embeds(self, call)
        return tuple(getattr(made, name) for name in family.returns)


def _conditioner_names(pipe: object) -> list[str]:
    """List the attributes of an attached pipeline that hold a Conditioner."""
    attached = attachment_of(pipe)
    return [] if attached is None else [each.conditioner for each in attached.families]
