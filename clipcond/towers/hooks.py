"""Watch a model's modules run, from one thread only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

__all__ = ["Reached", "capture", "hooked"]


class Reached(Exception):
    """The requested layer has run; the later ones need not."""


@contextmanager
def capture(module: nn.Module, *, stop: bool = False) -> Iterator[list[Tensor]]:
    """Collect the outputs of `module` in forwards inside; `stop` ends a forward after it."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        seen.append(result[0] if isinstance(result, tuple) else result)
        if stop:
            raise Reached

    with hooked(module.register_forward_hook, keep):
        yield seen


@contextmanager
def hooked(
    register: Callable[..., RemovableHandle], act: Callable[..., Any], **choices: bool
) -> Iterator[None]:
    """Keep a hook on a module, for forwards of this thread: other threads may share the model.

    Hooks work under accelerate's offload too, which replaces `forward`.

    Args:
        register: a module's `register_forward_hook` or `register_forward_pre_hook`.
    """
    thread = get_ident()
    handle = register(lambda *call: act(*call) if get_ident() == thread else None, **choices)
    try:
        yield
    finally:
        handle.remove()
