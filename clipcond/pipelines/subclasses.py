"""Subclasses of a pipeline's class, of the same name, with something of ours.

Python looks `__call__` and properties up in the class. What `save_pretrained` writes of such a
pipeline is a stock folder, since it writes the name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, SupportsIndex, cast

from torch import nn

from clipcond.towers.capturing import let_pickle


def same_named(
    stock: type, own: Mapping[str, object], make: Callable[..., Any], *choices: Any
) -> type:
    """Make a subclass of `stock` under its name, with these attributes of its own.

    Args:
        make: makes the same class again of `stock` and `choices`, for pickle.
    """
    recipe = (*getattr(stock, "_recipe", (stock,)), (make, *choices))

    def reduce_ex(self: object, protocol: SupportsIndex) -> tuple[Any, ...]:
        for each in vars(self).values():
            if isinstance(each, nn.Module):
                let_pickle(each)
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


def signature_of(kind: type) -> inspect.Signature:
    """Find the arguments of a pipeline's call; a mixin may only hand them on."""
    calls = (vars(each)["__call__"] for each in kind.__mro__ if "__call__" in vars(each))
    found = [inspect.signature(call) for call in calls]
    kinds = ({p.kind for p in signature.parameters.values()} for signature in found)
    named = (inspect.Parameter.VAR_POSITIONAL not in each for each in kinds)
    return next((sig for sig, is_named in zip(found, named, strict=True) if is_named), found[0])


def renew_when_read(pipe: object, conditioners: Mapping[str, str]) -> None:
    """Let a pipeline's Conditioners be new ones when its text encoder or tokenizer is.

    A shallow copy shares what the pipeline has, its Attachment too, which would go on encoding with
    the first pipeline's text encoder after the copy was given another: it gets one of its own.

    Args:
        conditioners: the attribute of each Conditioner -> the method that its Attachment replaces,
            the pipeline's own before those of further text encoders.
    """
    pipe.__class__ = _renewing(cast(Any, type(pipe)), tuple(conditioners.items()))


@functools.cache
def _renewing(stock: type, conditioners: tuple[tuple[str, str], ...]) -> type:
    own: dict[str, Any] = {name: _renewed(name, method) for name, method in conditioners}
    own["__copy__"] = lambda self: vars(self)[conditioners[0][1]].copied(self)
    return same_named(stock, own, _renewing, conditioners)


def _renewed(name: str, method: str) -> property:
    """Make the property of a Conditioner; its value is in the pipeline's own dictionary."""

    def read(self: object) -> object:
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
