"""The `__call__` of an attached pipeline: its own, with the model's defaults, and with regions."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

from clipcond.errors import ArgumentError
from clipcond.model_defaults import own_defaults
from clipcond.pipelines.call_context import drawing_regions
from clipcond.pipelines.pairing import check_conditioner
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.regions.region import Region, read_regions
from clipcond.pipelines.steps import STEPS, check_regions_drawn, follow_models, rest, running
from clipcond.pipelines.subclasses import same_named, signature_of

_OWN_DEFAULTS = ("guidance_scale", "num_inference_steps")
_FURTHER = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    for name, kind in (("regions", Sequence[Region | str] | None), ("base_share", float | None))
]

_STEPS, _SCHEDULES = "num_inference_steps", ("timesteps", "sigmas")

ConditionerNames = Callable[[object], list[str]]  # of an attached pipeline


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
        with running(self) if STEPS else nullcontext(), drawing_regions(self, regional):
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
