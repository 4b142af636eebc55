"""Let a model of transformers be pickled after somebody has asked it for its hidden states.

transformers then leaves hooks on the model for good, and they are local functions.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getclosurevars, signature
from types import FunctionType
from typing import Any

from torch import nn

_HOME = "transformers.utils.output_capturing"


def let_pickle(module: nn.Module) -> None:
    """Put in the place of such hooks what does the same and can be pickled."""
    for part in module.modules():
        for number, hook in list(part._forward_hooks.items()):
            is_function = isinstance(hook, FunctionType) and hook.__module__ == _HOME
            if is_function and "<locals>" in hook.__qualname__:
                part._forward_hooks[number] = Capturing(hook)


class Capturing:
    """A hook of transformers that collects what its module returns."""

    def __init__(self, hook: Callable[..., object]) -> None:
        self._hook = hook

    def __call__(self, *args: Any) -> object:
        return self._hook(*args)

    def __reduce__(self) -> tuple[Callable[..., Capturing], tuple[dict[str, Any]]]:
        """Keep what transformers made the function of."""
        bound = getclosurevars(self._hook).nonlocals
        wanted = signature(_install()).parameters.keys() & bound.keys()
        return _made_again, ({name: bound[name] for name in wanted},)


def _made_again(bound: dict[str, Any]) -> Capturing:
    module = nn.Identity()
    _install()(module, **bound)
    (hook,) = module._forward_hooks.values()
    return Capturing(hook)


def _install() -> Callable[..., None]:
    from transformers.utils import output_capturing

    install: Callable[..., None] = output_capturing.install_output_capuring_hook  # as it is spelled
    return install
