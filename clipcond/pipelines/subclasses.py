"""Subclasses of a pipeline's class, of the same name, with something of ours.

Python looks `__call__` and properties up in the class. What `save_pretrained` writes of such a
pipeline is a stock folder, since it writes the name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from clipcond.towers.base import own_defaults

_OWN_DEFAULTS = ("guidance_scale", "num_inference_steps")


def same_named(
    stock: Any, own: Mapping[str, object], make: Callable[..., Any], *choices: Any
) -> type:
    """Make a subclass of `stock` under its name, with these attributes of its own.

    Args:
        make: makes the same class again of `stock` and `choices`, for pickle.
    """
    recipe = (*getattr(stock, "_recipe", (stock,)), (make, *choices))

    def reduce_ex(self: Any, protocol: Any) -> Any:
        # pickle finds a class by its name, which is the stock one's
        return (_new, recipe, *object.__reduce_ex__(self, protocol)[2:])

    names = {name: getattr(stock, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(
        stock.__name__, (stock,), {**names, **own, "_recipe": recipe, "__reduce_ex__": reduce_ex}
    )


def _new(stock: type, *steps: tuple[Any, ...]) -> object:
    for make, *choices in steps:
        stock = make(stock, *choices)
    return object.__new__(stock)


def use_own_defaults(pipe: Any) -> None:
    """Give a pipeline its model's own default arguments, if the text encoder names some.

    diffusers keeps defaults in the signature of the class's `__call__`.
    """
    named = own_defaults(getattr(pipe, "text_encoder", None))
    if not named:
        return
    accepted = _signature(type(pipe)).parameters
    own = tuple((name, named[name]) for name in _OWN_DEFAULTS if name in named and name in accepted)
    if own:
        pipe.__class__ = _with_defaults(cast(Any, type(pipe)), own)


def _signature(kind: type) -> inspect.Signature:
    """Find the arguments of a pipeline's call; a mixin may only hand them on."""
    calls = (vars(each)["__call__"] for each in kind.__mro__ if "__call__" in vars(each))
    found = [inspect.signature(call) for call in calls]
    kinds = ({p.kind for p in signature.parameters.values()} for signature in found)
    named = (inspect.Parameter.VAR_POSITIONAL not in each for each in kinds)
    return next((sig for sig, is_named in zip(found, named, strict=True) if is_named), found[0])


@functools.cache
def _with_defaults(stock: Any, own: tuple[tuple[str, float], ...]) -> type:
    """Make a subclass whose `__call__` has these defaults."""
    signature, values = _signature(stock), dict(own)

    @functools.wraps(stock.__call__)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind_partial(self, *args, **kwargs).arguments
        missing = {name: value for name, value in own if name not in given}
        return stock.__call__(self, *args, **kwargs, **missing)

    parameters = [
        p.replace(default=values.get(p.name, p.default)) for p in signature.parameters.values()
    ]
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return same_named(stock, {"__call__": call}, _with_defaults, own)


def renew_when_read(pipe: Any, conditioners: Mapping[str, str]) -> None:
    """Let a pipeline's Conditioners be new ones when its text encoder or tokenizer is.

    Args:
        conditioners: the attribute of each Conditioner -> the method that its Attachment replaces.
    """
    pipe.__class__ = _renewing(cast(Any, type(pipe)), tuple(conditioners.items()))


@functools.cache
def _renewing(stock: Any, conditioners: tuple[tuple[str, str], ...]) -> type:
    own = {name: _renewed(name, method) for name, method in conditioners}
    return same_named(stock, own, _renewing, conditioners)


def _renewed(name: str, method: str) -> property:
    """Make the property of a Conditioner; its value is in the pipeline's own dictionary."""

    def read(self: object) -> Any:
        attachment: Any = vars(self)[method]
        if attachment.can_encode:
            return attachment.conditioner
        if name in vars(self):  # of a text encoder that the pipeline no longer has
            return vars(self)[name]
        raise AttributeError(name)

    def write(self: object, conditioner: object) -> None:
        vars(self)[name] = conditioner

    def remove(self: object) -> None:
        vars(self).pop(name, None)

    return property(read, write, remove, "The Conditioner in use.")
