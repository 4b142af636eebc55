"""What runs in a call of an attached pipeline: its own `__call__`, and what answers its prompts."""

from __future__ import annotations

import functools
import inspect
import math
import weakref
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor

from clipcond.conditioning.conditioner import Conditioner
from clipcond.errors import ArgumentError, PipelineError
from clipcond.model_defaults import own_defaults
from clipcond.pipelines.call_context import REGIONS, drawing_regions
from clipcond.pipelines.clip_skip_counts import warn_of_clip_skip
from clipcond.pipelines.families import Family
from clipcond.pipelines.lora_scale import lora_scaled
from clipcond.pipelines.pairing import check_conditioner, check_pairs
from clipcond.pipelines.prompt_embeds import (
    components_of,
    make_prompt_embeds,
    may_change,
    model_dtype,
    read_arguments,
)
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.regions.region import Region, read_regions
from clipcond.pipelines.steps import (
    STEPS,
    WATCHERS,
    StepCount,
    check_given,
    check_regions_drawn,
    encode_over_time,
    follow_models,
    rest,
    running,
)
from clipcond.pipelines.subclasses import same_named, signature_of
from clipcond.towers import TextTower

_OWN_DEFAULTS = ("guidance_scale", "num_inference_steps")
_FURTHER = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    for name, kind in (("regions", Sequence[Region | str] | None), ("base_share", float | None))
]

_STEPS, _SCHEDULES = "num_inference_steps", ("timesteps", "sigmas")

ConditionerNames = Callable[[object], list[str]]  # of an attached pipeline


# What a text tower computes in; a UNet may be stored in less.
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


class AnswersPrompts:
    """What an Attachment does in a call of its pipeline: it answers in place of `encode_prompt`."""

    _pipe: weakref.ref[ConditionedPipeline]
    family: Family
    tower: TextTower | None
    tower_name: str | None
    step_count: StepCount
    explains_clip_skip: bool
    _drew_over_time: bool
    _made: Conditioner | None
    _made_from: tuple[object, ...]
    _marks: list[tuple[object, ...]]

    @abstractmethod
    def make_conditioner(self) -> Conditioner:
        """Make a Conditioner of the choices and of the pipeline's towers of now."""

    @property
    def __signature__(self) -> inspect.Signature:
        stock = getattr(type(self.pipe), self.family.method)  # family_of found it
        return inspect.signature(stock.__get__(self.pipe))

    @property
    def pipe(self) -> ConditionedPipeline:
        pipe = self._pipe()
        if pipe is None:
            raise PipelineError(
                "The pipeline of this encode_prompt no longer exists.",
                "Keep it in a variable, such as pipe, and call pipe.encode_prompt(...).",
            )
        return pipe

    @property
    def conditioner(self) -> Conditioner:
        """The pipeline's Conditioner; a new one if its text encoder or tokenizer was replaced.

        The new one gets the textual inversions of the old one, as far as they fit.
        """
        conditioner: Conditioner | None = vars(self.pipe).get(self.family.conditioner)
        is_own, marks = conditioner is self._made, marks_of(components_of(self))
        if conditioner is None or (is_own and marks != self._marks):
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
        is_special = self.pipe in WATCHERS or REGIONS.get()[1] is not None
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


def use_own_calls(pipe: object, conditioner_names: ConditionerNames) -> None:
    """Keep a pipeline's calls apart, and give them the model's own defaults, if it names some.

    diffusers keeps defaults in the signature of the class's `__call__`.
    """
    named = own_defaults(getattr(pipe, "text_encoder", None))
    accepted = signature_of(type(pipe)).parameters
    own = tuple((name, named[name]) for name in _OWN_DEFAULTS if name in named and name in accepted)
    pipe.__class__ = _with_calls(cast(Any, type(pipe)), own, conditioner_names)


@functools.cache
def _with_calls(
    stock: type[ConditionedPipeline],
    own: tuple[tuple[str, float], ...],
    conditioner_names: ConditionerNames,
) -> type:
    """Make a subclass whose `__call__` has these defaults, takes regions, and runs as `running`."""
    signature, values = signature_of(stock), dict(own)
    takes_regions = _FURTHER[0].name in signature.parameters  # a call of ours, of a class attached

    @functools.wraps(stock.__call__)
    def call(
        self: ConditionedPipeline,
        *args: Any,
        regions: Sequence[Region | str] | None = None,
        base_share: float | None = None,
        **kwargs: Any,
    ) -> object:
        given = {**dict(zip(signature.parameters, (self, *args), strict=False)), **kwargs}
        _check_numbers(given)
        missing = {name: value for name, value in own if name not in given}
        has_regions = regions is not None or base_share is not None
        regional = read_regions(regions, base_share) if has_regions else None
        if takes_regions:
            kwargs |= {"regions": regions, "base_share": base_share}
        has_regions = regional is not None or REGIONS.get()[1] is not None
        own_regions = drawing_regions(self, regional) if has_regions else nullcontext()
        with running(self) if STEPS else nullcontext(), own_regions:
            try:
                result = stock.__call__(self, *args, **kwargs, **missing)
                if regional is not None and not takes_regions:
                    check_regions_drawn(self, regional)
                return result
            finally:
                if STEPS:
                    rest(self)

    def set_attribute(self: ConditionedPipeline, name: str, value: object) -> None:
        if "conditioner" in name and (names := conditioner_names(self)):
            check_conditioner(name, value, names)
        stock.__setattr__(self, name, value)
        if STEPS:
            follow_models(self, name)

    vars(call)["__signature__"] = signature.replace(parameters=_parameters(signature, values))
    attributes = {"__call__": call, "__setattr__": set_attribute}
    return same_named(stock, attributes, _with_calls, own, conditioner_names)


def _check_numbers(given: Mapping[str, object]) -> None:
    """Refuse numbers of a call that would draw nothing, or noise, without a word.

    Raises:
        ArgumentError: one is NaN or infinite, or there are no steps.
    """
    for name, value in given.items():
        each = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in each):
            raise ArgumentError(f"{name}={value!r} is no finite number")
    if any(given.get(name) is not None for name in _SCHEDULES):
        return
    for name, value in given.items():
        if name.endswith(_STEPS) and isinstance(value, int) and value < 1:
            raise ArgumentError(f"{name}={value!r}: a picture takes 1 step at least")


def _parameters(signature: inspect.Signature, values: dict[str, float]) -> list[inspect.Parameter]:
    """List the arguments of a call: the pipeline's, with these defaults, then ours."""
    known = [
        p.replace(default=values.get(p.name, p.default)) for p in signature.parameters.values()
    ]
    n = len(known) - (known[-1].kind is inspect.Parameter.VAR_KEYWORD)
    further = [each for each in _FURTHER if each.name not in signature.parameters]
    return [*known[:n], *further, *known[n:]]


def marks_of(components: Sequence[object]) -> list[tuple[object, ...]]:
    """Make what tells text encoders and tokenizers from others, and from themselves changed.

    Of a tokenizer the special tokens and the length count, of a text encoder whether its padding is
    masked: a Conditioner is made with them.
    """
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "model_max_length")
    masks = (getattr(getattr(each, "config", None), "use_attention_mask", 0) for each in components)
    return [
        (id(each), bool(is_masked), *(getattr(each, name, None) for name in names))
        for each, is_masked in zip(components, masks, strict=True)
    ]
