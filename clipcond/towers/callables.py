"""Find what hooks and replaced `forward`s compute with, where they are no part of the model."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Protocol

from torch import Tensor, nn

from clipcond.towers.weight_keys import new_serial, serial_of

N_SEEN = 2000  # objects; who holds more, such as a whole program, is not cached at all
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Of libraries that hook models by themselves, and keep nothing there that changes results.
_LIBRARIES = frozenset({"torch", "accelerate", "diffusers", "transformers", "clipcond"})


class _Settings(Protocol):
    """Where modules and tensors are collected, as parts of the model are."""

    modules: list[nn.Module]
    tensors: list[Tensor]


def key_of_call(call: object, settings: _Settings) -> tuple[Hashable, ...]:
    """Make a key of a callable and of all that can be found behind it.

    That is what it is bound to, closes over, has as defaults or attributes, or names among the
    globals of its file: numbers, modules with their weights, tensors, other callables. Numbers in a
    list are left out unless they are floats: hooks that count calls append to lists.

    Args:
        settings: gets the modules and tensors, whose weights count.
    """
    if _home(call) in _LIBRARIES:
        return (serial_of(call),)
    walk = _Walk(call, settings)
    while walk.waiting:
        walk.visit(walk.waiting.pop())
    return tuple(walk.key)


class _Walk:
    def __init__(self, call: object, settings: _Settings) -> None:
        self.key: list[Hashable] = []
        self.waiting = [call]  # no recursion: objects may be nested deeply
        self._settings = settings
        self._seen: set[int] = set()

    def visit(self, value: object) -> None:
        """Add a value to the key, and what it holds to those that wait."""
        if isinstance(value, _PLAIN):
            self.key.append((type(value), value))
            return
        if id(value) in self._seen or isinstance(value, ModuleType | type):
            return
        self._seen.add(id(value))
        if len(self._seen) > N_SEEN:
            self.key.append(new_serial())  # no other key is equal
            self.waiting.clear()
            return
        if isinstance(value, Tensor):
            self._settings.tensors.append(value)
        elif isinstance(value, nn.Module):
            self._settings.modules.append(value)
        elif isinstance(value, MethodType):
            self.waiting += (value.__func__, value.__self__)
        elif isinstance(value, partial):
            self.waiting += (value.func, *value.args, *value.keywords.values())
        elif isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(value, tuple | frozenset):
            self.waiting += islice(value, N_SEEN + 1)
        elif isinstance(value, list | set):
            kinds = (float, complex, Tensor, nn.Module)
            held = islice(list(value), N_SEEN + 1)
            self.waiting += [each for each in held if isinstance(each, kinds) or callable(each)]
        elif isinstance(value, Mapping):
            self.waiting += islice(list(value.values()), N_SEEN + 1)
        elif _home(value) not in sys.stdlib_module_names:
            self.key.append(serial_of(value))
            self.waiting += getattr(value, "__dict__", {}).values()

    def _add_function(self, function: FunctionType) -> None:
        self.key.append(serial_of(function.__code__))
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                self.waiting.append(cell.cell_contents)
        self.waiting += function.__defaults__ or ()
        self.waiting += (function.__kwdefaults__ or {}).values()
        self.waiting += vars(function).values()
        if _home(function) in _LIBRARIES:
            return
        known = function.__globals__
        for name in sorted(_names(function.__code__)):
            value = known.get(name)
            own = getattr(value, "__globals__", known) is known
            if isinstance(value, (*_PLAIN, Tensor, nn.Module, list, dict)) or (
                isinstance(value, FunctionType) and own
            ):
                self.waiting.append(value)


def _names(code: CodeType) -> set[str]:
    """Collect the names that code and the functions within it may look up."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _home(value: object) -> str:
    """Find the package whose code a callable runs, or that has the class of an object."""
    if isinstance(value, partial):
        return _home(value.func)
    if isinstance(value, MethodType):
        return _home(value.__func__)
    if isinstance(value, FunctionType):  # not __module__, which functools.wraps copies
        return str(value.__globals__.get("__name__")).split(".", 1)[0]
    return type(value).__module__.split(".", 1)[0]
