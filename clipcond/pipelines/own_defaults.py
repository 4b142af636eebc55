"""Let a pipeline's calls take the guidance and steps that its model names as best."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

from clipcond.errors import ClipcondWarning, warn
from clipcond.towers.base import own_defaults

__all__ = ["same_named", "use_own_defaults", "warn_of_clip_skip"]

_NAMES = ("guidance_scale", "num_inference_steps")


def warn_of_clip_skip(n: int) -> None:
    """Warn code that was written for plain diffusers that clip skip counts otherwise here."""
    message = (
        f"clip_skip={n} is layer {n} from the end here, as A1111 counts; plain diffusers means "
        f"layer {n + 1} by it, which is clip_skip={n + 1} here. Say clip_skip= in attach(), and "
        "this is not shown again."
    )
    warn(ClipcondWarning(message))


def use_own_defaults(pipe: Any) -> None:
    """Give a pipeline its model's own default arguments, if the text encoder names some.

    diffusers keeps defaults in the signature of the class's `__call__`. So the pipeline gets a
    subclass of its class, of the same name: what `save_pretrained` writes stays a stock folder.
    """
    named = own_defaults(getattr(pipe, "text_encoder", None))
    if not named:
        return
    accepted = _signature(type(pipe)).parameters
    own = tuple((name, named[name]) for name in _NAMES if name in named and name in accepted)
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
    return same_named(stock, call, _with_defaults, own)


def same_named(stock: Any, call: Any, make: Callable[..., Any], *choices: Any) -> type:
    """Make a subclass of `stock` under its name, with another `__call__`.

    Args:
        make: makes the same class again of `stock` and `choices`, for pickle.
    """

    def reduce_ex(self: Any, protocol: Any) -> Any:
        # pickle finds a class by its name, which is the stock one's
        return (_new, (make, stock, *choices), *object.__reduce_ex__(self, protocol)[2:])

    names = {name: getattr(stock, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(stock.__name__, (stock,), {**names, "__call__": call, "__reduce_ex__": reduce_ex})


def _new(make: Callable[..., Any], *choices: Any) -> object:
    return object.__new__(make(*choices))
