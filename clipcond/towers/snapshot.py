"""Recognize a model that has not changed since its key was made."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import is_, itemgetter
from typing import Any, NamedTuple, TypeAlias
from weakref import ref

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
    plain: _Read
    values: tuple[Any, ...]
    others: tuple[str, ...]
    has_forward: bool


def _layout_of(module: nn.Module) -> _Layout:
    own = module.__dict__
    if "_hf_hook" in own or "_diffusers_hook" in own or (module.training and is_random(module)):
        raise _Unlike
    names = tuple(own)
    read, others = _sorted_names(names, tuple(map(type, own.values())))
    return _Layout(type(module), names, read, read(own), others, "forward" in own)


@lru_cache(1000)
def _sorted_names(names: tuple[str, ...], types: tuple[type, ...]) -> tuple[_Read, tuple[str, ...]]:
    """Make what reads the settings that are plain values, and name the others."""
    typed = [each for each in zip(names, types, strict=True) if each[0] not in NOT_SETTINGS]
    plain = [name for name, kind in typed if kind in PLAIN]
    # one name twice: of a single one itemgetter gives no tuple
    read: _Read = itemgetter(*plain, plain[0]) if plain else lambda own: ()
    return read, tuple(name for name, kind in typed if kind not in PLAIN)


@dataclass(slots=True)
class _Reading:
    """What a walk through some modules finds, in their order."""

    tensors: list[Tensor | None] = field(default_factory=list)
    parts: list[nn.Module | None] = field(default_factory=list)
    keys: list[Hashable] = field(default_factory=list)

    @classmethod
    def of(cls, modules: Sequence[nn.Module | None], layouts: Sequence[_Layout]) -> _Reading:
        """Read modules that have the settings of their layouts.

        Raises:
            _Unlike: they have not.
        """
        found, settings = cls(), Settings([])
        for module, layout in zip(modules, layouts, strict=True):
            if module is None or type(module) is not layout.kind:
                raise _Unlike
            own = module.__dict__
            if tuple(own) != layout.names or layout.plain(own) != layout.values:
                raise _Unlike
            parameters, buffers, parts, hooks, pre_hooks = _PARTS(own)
            if parameters:
                found.tensors += parameters.values()
            if buffers:
                found.tensors += buffers.values()
            if parts:
                found.parts += parts.values()
            if hooks or pre_hooks:
                found.keys += hooks_of(module, settings)
            if layout.others:
                found.keys += [settings.key(own[name]) for name in layout.others]
            if layout.has_forward:
                found.keys.append(forward_of(module, settings))
        found.keys += [settings.of_class(kind) for kind in {layout.kind: 0 for layout in layouts}]
        found.tensors += settings.tensors
        if settings.modules:
            raise _Unlike
        return found


class Snapshot:
    """What a key was made of, by weak references: nothing that is replaced later is kept alive.

    It counts what `fingerprint_of` says, but compares the bits of the weights instead of summing
    them up. Only of models whose weights are plain tensors in memory, and not offloaded.

    Attributes:
        device: the model's.
        key: what `model_key` gave.
    """

    key: Hashable = None

    @torch.no_grad()
    def __init__(self, model: nn.Module) -> None:
        modules = _modules(model)
        layouts = list(map(_layout_of, modules))
        reading = _Reading.of(modules, layouts)
        tensors = [tensor for tensor in reading.tensors if tensor is not None]
        dense = (type(t) in DENSE and is_dense(t) and t.is_contiguous() for t in tensors)
        if not tensors or not all(dense):
            raise _Unlike
        self.device = next(model.parameters(), tensors[0]).device
        self._modules = list(map(ref, modules))
        self._layouts = layouts
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

    @torch.no_grad()
    def holds(self) -> bool:
        """Whether the model is as it was, to the bit."""
        try:
            reading = _Reading.of([module() for module in self._modules], self._layouts)
            is_same = reading.keys == self._keys and all(
                len(found) == len(known) and all(map(is_, found, [each() for each in known]))
                for found, known in (
                    (reading.tensors, self._tensors),
                    (reading.parts, self._parts),
                )
            )
            tensors = [tensor for tensor in reading.tensors if tensor is not None]
            if not is_same or _shapes(tensors) != self._shapes:
                return False
            return all(map(torch.equal, self._sample(tensors), self._samples))
        except _UNLIKE:
            return False


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
    return [(t._version, t.dtype, t.shape, t.device, t.is_contiguous()) for t in tensors]
