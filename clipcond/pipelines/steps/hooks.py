"""Put an owner's functions around the calls of a module, and take them off again."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Protocol

from torch import nn

from clipcond.locks import fork_safe_lock

_LOCK = fork_safe_lock()  # torch numbers hooks without one: two threads may get the same number


class Around(Protocol):
    """An owner of hooks: what happens before and after each call of a module."""

    def before(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]: ...
    def after(self, module: nn.Module, output: object) -> object: ...


class _Hook:
    """A hook that does nothing where it is copied to, and once its owner is gone."""

    def __init__(self, owner: Around | None = None, module: nn.Module | None = None) -> None:
        self._owner = (lambda: None) if owner is None else weakref.ref(owner)
        self._module = (lambda: None) if module is None else weakref.ref(module)

    def __reduce__(self) -> tuple[type[_Hook], tuple[()]]:
        return type(self), ()  # for the modules copy and pickle

    def owner(self, module: nn.Module) -> Around | None:
        return self._owner() if self._module() is module else None


class _Before(_Hook):
    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> object:
        owner = self.owner(module)
        if owner is None or kwargs is None:  # another thread has just taken it off
            return None
        return owner.before(module, args, kwargs)


class _After(_Hook):
    def __call__(self, module: nn.Module, args: tuple[Any, ...], output: object) -> object:
        owner = self.owner(module)
        return None if owner is None else owner.after(module, output)


class _CompiledCall(_Hook):
    """The call that `module.compile()` made, with the owner's functions around it."""

    def __init__(self, call: Callable[..., object], owner: Around, module: nn.Module) -> None:
        super().__init__(owner, module)
        self.call = call

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        owner, module = self._owner(), self._module()
        if owner is None or module is None:
            return self.call(*args, **kwargs)
        args, kwargs = owner.before(module, args, kwargs)
        return owner.after(module, self.call(*args, **kwargs))


class Hooks:
    """The hooks of one owner on one module.

    `module.compile()` compiles a module's hooks with it: there the functions go around the compiled
    call instead.
    """

    def __init__(self, module: nn.Module, owner: Around) -> None:
        self.module = module
        self._handles: list[Any] = []
        self._own: _CompiledCall | None = None
        compiled = _compiled_call(module)
        if compiled is not None:
            self._own = _CompiledCall(compiled, owner, module)
            vars(module)["_compiled_call_impl"] = self._own
            return
        with _LOCK:
            self._handles = [
                module.register_forward_pre_hook(_Before(owner, module), with_kwargs=True),
                module.register_forward_hook(_After(owner, module)),
            ]

    def are_on(self, module: object) -> bool:
        """Whether the module has them, in the way in which it is called now."""
        return module is self.module and _compiled_call(module) is self._own

    def remove(self) -> None:
        """Take them off."""
        with _LOCK:
            for handle in self._handles:
                handle.remove()
        if self._own is not None and _compiled_call(self.module) is self._own:
            vars(self.module)["_compiled_call_impl"] = self._own.call


def remove_strays(module: nn.Module) -> None:
    """Take off hooks that do nothing: of owners that are gone, or of the module's original."""
    for hooks, more in (
        (module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs),
        (module._forward_hooks, module._forward_hooks_with_kwargs),
    ):
        strays = [key for key, hook in hooks.items() if _is_stray(hook, module)]
        for key in strays:
            del hooks[key]
            more.pop(key, None)


def _is_stray(hook: object, module: nn.Module) -> bool:
    return isinstance(hook, _Hook) and hook.owner(module) is None


def _compiled_call(module: object) -> Callable[..., object] | None:
    return getattr(module, "_compiled_call_impl", None)
