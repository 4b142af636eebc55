"""Make the class of an attached pipeline: its calls, their defaults, and what is assigned to it."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from typing import Any, cast

from clipcond.arguments import type_name
from clipcond.conditioning.conditioner import Conditioner
from clipcond.errors import ArgumentError
from clipcond.model_defaults import own_defaults
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.steps import STEPS, follow_models, rest, running
from clipcond.pipelines.subclasses import same_named, signature_of

_OWN_DEFAULTS = ("guidance_scale", "num_inference_steps")


def use_own_calls(pipe: object, conditioners: tuple[str, ...]) -> None:
    """Keep a pipeline's calls apart, and give them the model's own defaults, if it names some.

    diffusers keeps defaults in the signature of the class's `__call__`.

    Args:
        conditioners: the attributes that hold a Conditioner, and nothing else may.
    """
    named = own_defaults(getattr(pipe, "text_encoder", None))
    accepted = signature_of(type(pipe)).parameters
    own = tuple((name, named[name]) for name in _OWN_DEFAULTS if name in named and name in accepted)
    pipe.__class__ = _with_calls(cast(Any, type(pipe)), own, conditioners)


@functools.cache
def _with_calls(
    stock: type[ConditionedPipeline],
    own: tuple[tuple[str, float], ...],
    conditioners: tuple[str, ...],
) -> type:
    """Make a subclass whose `__call__` has these defaults, and runs as `running` says."""
    signature, values = signature_of(stock), dict(own)

    @functools.wraps(stock.__call__)
    def call(self: ConditionedPipeline, *args: Any, **kwargs: Any) -> object:
        given = signature.bind_partial(self, *args, **kwargs).arguments if own else {}
        missing = {name: value for name, value in own if name not in given}
        with running(self) if STEPS else nullcontext():
            try:
                return stock.__call__(self, *args, **kwargs, **missing)
            finally:
                if STEPS:
                    rest(self)

    def set_attribute(self: ConditionedPipeline, name: str, value: object) -> None:
        if name in conditioners and not isinstance(value, Conditioner | None):
            raise ArgumentError(
                f"{name} is a Conditioner, not {type_name(value)}: {value!r:.60}",
                "For other choices say attach(pipe, clip_skip=..., dialect=...).",
            )
        stock.__setattr__(self, name, value)
        if STEPS:
            follow_models(self, name)

    parameters = [
        p.replace(default=values.get(p.name, p.default)) for p in signature.parameters.values()
    ]
    vars(call)["__signature__"] = signature.replace(parameters=parameters)
    made = {"__call__": call, "__setattr__": set_attribute}
    return same_named(stock, made, _with_calls, own, conditioners)
