"""Find what hooks and replaced `forward`s compute with, where they are no part of the model."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Protocol
from zlib import crc32

import numpy as np
from torch import Tensor, nn

from clipcond.towers.weight_keys import (
    HELD,
    LIBRARIES,
    PLAIN_KINDS,
    class_settings,
    new_serial,
    own_classes,
    serial_of,
)

N_SEEN = 2000  # objects; who holds more, such as a whole program, is not cached at all
_ALSO_HELD = (nn.Module, Namespace, SimpleNamespace, deque, np.ndarray, np.generic)
_KINDS = (bool, float, complex, str, Tensor, nn.Module)  # in a list of a hook that may count


class _Settings(Protocol):
    """Where modules and tensors are collected, as parts of the model are."""

    modules: list[nn.Module]
    tensors: list[Tensor]


def key_of_call(
    call: object, settings: _Settings, *, is_hook: bool = False
) -> tuple[Hashable, ...]:
    """Make a key of a callable and of all that can be found behind it.

    That is what it is bound to, closes over, has as defaults or attributes, or names among the
    globals of its file: numbers, texts, modules with their weights, tensors, other callables, and
    what these objects and their classes hold.

    Args:
        settings: gets the modules and tensors, whose weights count.
        is_hook: leave out whole numbers and tuples in a list that the callable itself names or
            closes over: hooks that count calls append them there.
    """
    if _home(call) in LIBRARIES:
        return (serial_of(call),)
    walk = _Walk(call, settings, is_hook=is_hook)
    while walk.waiting:
        walk.visit(walk.waiting.pop())
    return tuple(walk.key)


class _Walk:
    def __init__(self, call: object, settings: _Settings, *, is_hook: bool) -> None:
        self.key: list[Hashable] = []
        self.waiting = [call]  # no recursion: objects may be nested deeply
        self._settings, self._is_hook = settings, is_hook
        self._seen: set[int] = set()
        self._counters: set[int] = set()  # lists that may be those of hooks which count

    def visit(self, value: object) -> None:
        """Add a value to the key, and what it holds to those that wait."""
        if isinstance(value, PLAIN_KINDS):
            self.key.append((type(value), value))
            return
        if id(value) in self._seen or isinstance(value, ModuleType):
            return
        self._seen.add(id(value))
        if len(self._seen) > N_SEEN:
            self.key.append(new_serial())  # no other key is equal
            self.waiting.clear()
            return
        if isinstance(value, Tensor):
            self._settings.tensors.append(value)
        elif isinstance(value, nn.Module):
            self._settings.modules.append(value)  # its class counts there
        elif isinstance(value, type):
            self.waiting += class_settings(value)
        elif isinstance(value, MethodType):
            self.waiting += (value.__func__, value.__self__)
        elif isinstance(value, partial):
            self.waiting += (value.func, *value.args, *value.keywords.values())
        elif isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(value, tuple):
            self.waiting += islice(value, N_SEEN + 1)
        elif isinstance(value, set | frozenset):
            held = [*islice(list(value), N_SEEN + 1)]
            self.key.append(frozenset(each for each in held if isinstance(each, PLAIN_KINDS)))
            self.waiting += [each for each in held if not isinstance(each, PLAIN_KINDS)]
        elif isinstance(value, list | deque):
            held = [*islice(list(value), N_SEEN + 1)]
            if id(value) in self._counters:
                held = [each for each in held if isinstance(each, _KINDS) or callable(each)]
            else:
                self.key.append(len(held))
            self.waiting += held
        elif isinstance(value, Mapping | Namespace | SimpleNamespace):
            entries = value if isinstance(value, Mapping) else vars(value)
            self.key.append(tuple(each for each in list(entries) if isinstance(each, PLAIN_KINDS)))
            self.waiting += islice(list(entries.values()), N_SEEN + 1)
        elif isinstance(value, np.ndarray | np.generic):
            self.key.append((str(value.dtype), value.shape, crc32(value.tobytes())))
        elif _home(value) not in sys.stdlib_module_names:
            self.key.append(serial_of(value))
            self.waiting += [*getattr(value, "__dict__", {}).values(), *_slots(value), type(value)]

    def _add_function(self, function: FunctionType) -> None:
        self.key.append(serial_of(function.__code__))
        held: list[object] = []
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                held.append(cell.cell_contents)
        held += function.__defaults__ or ()
        held += (function.__kwdefaults__ or {}).values()
        held += vars(function).values()
        if _home(function) not in LIBRARIES:
            known = function.__globals__
            names = sorted(_names(function.__code__))
            held += [known[name] for name in names if name in known and _is_own(known[name], known)]
        if self._is_hook:
            self._counters.update(id(each) for each in held if isinstance(each, list))
        self.waiting += held


def _slots(value: object) -> Iterator[object]:
    """Yield what an object holds in the `__slots__` of its classes."""
    for each in type(value).__mro__:
        names = vars(each).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            with suppress(AttributeError):  # not filled yet, or `__dict__`
                yield getattr(value, name)


def _is_own(value: object, known: Mapping[str, object]) -> bool:
    """Whether what a function names is of its own file, or holds what may be changed there.

    Args:
        known: the globals of that file.
    """
    if isinstance(value, FunctionType):
        return value.__globals__ is known
    if isinstance(value, type):
        return bool(own_classes(value))
    if isinstance(value, (*HELD, *_ALSO_HELD)):
        return True
    home = _home(value)
    is_other = home in LIBRARIES or home in sys.stdlib_module_names
    return not (isinstance(value, ModuleType) or is_other)


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
