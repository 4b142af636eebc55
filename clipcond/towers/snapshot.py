"""Recognize a model that has not changed since its key was made."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from operator import is_, itemgetter
from typing import Any, NamedTuple, TypeAlias, cast
from weakref import ref

import numpy as np
import torch
from torch import Tensor, nn

from clipcond.towers.fingerprint import (
    NOT_SETTINGS,
    PLAIN,
    Settings,
    forward_of,
    hooks_of,
    is_random,
)
from clipcond.towers.weight_keys import DENSE, Sampler, is_dense

_PARTS = itemgetter("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
_Read: TypeAlias = Callable[[Mapping[str, Any]], tuple[Any, ...]]


class _Unlike(Exception):
    """The model is not as it was, or is of a kind of which no snapshot is made."""


# What else is raised where another thread changes a model meanwhile, or by comparing arrays.
_UNLIKE = (_Unlike, KeyError, RuntimeError, TypeError, ValueError)


class _Layout(NamedTuple):
    """What is read of one module: its class, its attributes, those with plain values."""

    kind: type[nn.Module]
    names: tuple[str, ...]
    read: _Read
    values: tuple[Any, ...]
    others: tuple[str, ...]
    has_forward: bool

    @classmethod
    def of(cls, module: nn.Module) -> _Layout:
        own = module.__dict__
        if "_hf_hook" in own or "_diffusers_hook" in own or (module.training and is_random(module)):
            raise _Unlike
        names = tuple(own)
        read, others = _sorted_names(names, tuple(map(type, own.values())))
        return cls(type(module), names, read, read(own), others, "forward" in own)


@lru_cache(1000)
def _sorted_names(names: tuple[str, ...], types: tuple[type, ...]) -> tuple[_Read, tuple[str, ...]]:
    """Make what reads the settings that are plain values, and name the others."""
    typed = [each for each in zip(names, types, strict=True) if each[0] not in NOT_SETTINGS]
    plain = [name for name, kind in typed if kind in PLAIN]
    # one name twice: of a single one itemgetter gives no tuple
    read: _Read = itemgetter(*plain, plain[0]) if plain else lambda own: ()
    return read, tuple(name for name, kind in typed if kind not in PLAIN)


class _Layouts:
    """What is read of all modules of a model, side by side: a list for each field of `_Layout`."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        layouts = list(map(_Layout.of, modules))
        self._kinds = [each.kind for each in layouts]
        self._names = [each.names for each in layouts]
        self._reads = [each.read for each in layouts]
        self._values = [each.values for each in layouts]
        self._others = [(i, each.others) for i, each in enumerate(layouts) if each.others]
        self._forwards = [i for i, each in enumerate(layouts) if each.has_forward]
        self._classes = list(dict.fromkeys(self._kinds))

    def read(self, modules: Sequence[nn.Module]) -> _Reading:
        """Read modules whose settings are those of these layouts.

        Raises:
            _Unlike: they are not.
        """
        if list(map(type, modules)) != self._kinds:
            raise _Unlike
        owns = [module.__dict__ for module in modules]
        if list(map(tuple, owns)) != self._names:
            raise _Unlike
        if [read(own) for read, own in zip(self._reads, owns, strict=True)] != self._values:
            raise _Unlike
        tensors, parts, keys = found = _Reading([], [], [])
        settings = Settings([])
        for module, own in zip(modules, owns, strict=True):
            parameters, buffers, children, hooks, pre_hooks = _PARTS(own)
            if parameters:
                tensors += parameters.values()
            if buffers:
                tensors += buffers.values()
            if children:
                parts += children.values()
            if hooks or pre_hooks:
                keys += hooks_of(module, settings)
        for i, names in self._others:
            own = owns[i]
            keys += [settings.key(own[name]) for name in names]
        keys += [forward_of(modules[i], settings) for i in self._forwards]
        keys += map(settings.of_class, self._classes)
        tensors += settings.tensors
        if settings.modules:
            raise _Unlike
        return found


class _Reading(NamedTuple):
    """What is found in some modules, in their order."""

    tensors: list[Tensor | None]
    parts: list[nn.Module | None]
    keys: list[Hashable]


class Snapshot:
    """What a key was made of, by weak references: nothing that is replaced later is kept alive.

    It counts what `fingerprint_of` says, but compares the bits of the weights instead of summing
    them up. Only of models whose weights are plain tensors in memory, and not offloaded.

    Attributes:
        device: the model's.
        key: what `model_key` gave.
    """

    key: Hashable = None

    @torch.inference_mode()
    def __init__(self, model: nn.Module) -> None:
        modules = _modules(model)
        self._layouts = _Layouts(modules)
        reading = self._layouts.read(modules)
        tensors = [tensor for tensor in reading.tensors if tensor is not None]
        dense = (type(t) in DENSE and is_dense(t) and t.is_contiguous() for t in tensors)
        if not tensors or not all(dense):
            raise _Unlike
        self.device = next(model.parameters(), tensors[0]).device
        self._modules = list(map(ref, modules))
        self._tensors = list(map(_reference, reading.tensors))
        self._parts = list(map(_reference, reading.parts))
        self._keys = reading.keys
        self._shapes = _shapes(tensors)
        self._sample = Sampler(tensors)
        self._samples = self._sample(tensors)

    @classmethod
    def of(cls, model: nn.Module) -> Snapshot | None:
        """Make the snapshot of a model, if it is of a kind that has one."""
        try:
            return cls(model)
        except _UNLIKE:
            return None

    @torch.inference_mode()  # views of many weights cost less so
    def holds(self) -> bool:
        """Whether the model is as it was, to the bit."""
        try:
            # of a module that is gone the reference gives None, whose class is in no layout
            modules = cast(list[nn.Module], [module() for module in self._modules])
            reading = self._layouts.read(modules)
            is_same = (
                reading.keys == self._keys
                and _are(reading.tensors, self._tensors)
                and _are(reading.parts, self._parts)
            )
            tensors = [tensor for tensor in reading.tensors if tensor is not None]
            if not is_same or _shapes(tensors) != self._shapes:
                return False
            return all(map(_equal, self._sample(tensors), self._samples))
        except _UNLIKE:
            return False


def _are(found: Sequence[object], known: Sequence[Callable[[], object]]) -> bool:
    """Whether these are the objects that references are to."""
    return len(found) == len(known) and all(map(is_, found, [each() for each in known]))


def _equal(found: Tensor, known: Tensor) -> bool:
    """Whether two vectors of integers are equal."""
    if not found.is_cpu:
        return torch.equal(found, known)
    return np.array_equal(found.numpy(), known.numpy())  # in a third of the time


def _modules(model: nn.Module) -> list[nn.Module]:
    """List a model's modules, each once."""
    found: dict[int, nn.Module] = {}
    waiting: list[nn.Module | None] = [model]
    while waiting:
        module = waiting.pop()
        if module is not None and id(module) not in found:
            found[id(module)] = module
            waiting += module._modules.values()
    return list(found.values())


def _reference(value: Tensor | nn.Module | None) -> Callable[[], object]:
    return _nothing if value is None else ref(value)


def _nothing() -> None:
    """Stand in for a reference to None."""


def _shapes(tensors: Sequence[Tensor]) -> list[Hashable]:
    return [(t._version, t.dtype, t.shape, t.device) for t in tensors]
