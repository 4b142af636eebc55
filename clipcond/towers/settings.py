"""Keys of what a module computes with besides weights: numbers, flags, functions, configs."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping
from itertools import islice
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.identity import serial_of

__all__ = ["Settings", "items_of"]

N_READ = 1000  # entries of a list or dict
_NUMBERS = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
_PLAIN = frozenset(_NUMBERS)
_CALL = ("forward", "_hf_hook", "_old_forward", "_diffusers_hook", "_compiled_call_impl")
_USED = "_output_capturing_hooks_installed"  # transformers, since a model first gave hidden states
# What torch keeps of every module, weights and hooks included, and how it is called.
_NOT_SETTINGS = frozenset({*vars(nn.Module()), *_CALL, _USED} - {"training"})


class Settings:
    """Makes keys of settings in one walk through a model.

    Attributes:
        tensors, modules: those found in settings, where torch does not know of them.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.modules: list[nn.Module] = []
        self._kinds: dict[type, Hashable] = {}
        self._entered: dict[int, int] = {}  # configs, by their address: they live meanwhile

    def of_module(self, module: nn.Module) -> Hashable:
        """Make a key of a module's class and attributes; weights, parts and hooks are left out."""
        kind, own = type(module), module.__dict__
        if kind not in self._kinds:
            self._kinds[kind] = serial_of(kind), serial_of(kind.forward)
        settings = [
            (name, value if type(value) in _PLAIN else self._key(value))
            for name, value in list(own.items())
            if name not in _NOT_SETTINGS
        ]
        replaced = _forward(module) if "forward" in own else 0
        return self._kinds[kind], replaced, tuple(settings)

    def _key(self, value: Any) -> Hashable:
        if id(value) in self._entered:
            return self._entered[id(value)]
        if isinstance(value, _NUMBERS):
            return value
        if isinstance(value, list | tuple | set | frozenset):
            return len(value), *map(self._key, _few(value))
        if isinstance(value, Mapping):
            return self._entries(value)
        if isinstance(value, Tensor):
            self.tensors.append(value)
        elif isinstance(value, nn.Module):
            self.modules.append(value)
        elif _is_config(value):
            self._entered[id(value)] = serial_of(value)
            return serial_of(value), self._entries(value.__dict__)
        return serial_of(value)

    def _entries(self, mapping: Mapping[Any, Any]) -> Hashable:
        return len(mapping), *(
            (key if type(key) in _PLAIN else serial_of(key), self._key(value))
            for key, value in _few(items_of(mapping))
        )


def _is_config(value: Any) -> bool:
    """Whether its entries are settings; of any other object it counts only which one it is."""
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    is_read = dataclasses.is_dataclass(value) or isinstance(value, SimpleNamespace)
    return is_read or hasattr(value, "to_dict")


def items_of(mapping: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """List the items of a dict that another thread may change meanwhile."""
    while True:
        try:
            return list(mapping.items())
        except RuntimeError:  # changed while it was read
            continue


def _few(values: Iterable[Any]) -> list[Any]:
    return list(islice(values, N_READ))


def _forward(module: nn.Module) -> int:
    """Find the number of a replaced `forward`; 0 if it is the class's own."""
    own = module.__dict__
    # accelerate's hook puts its own there, which calls the former one
    forward = own.get("_old_forward" if "_hf_hook" in own else "forward")
    # transformers 5.0 leaves the class's own method there after it collected hidden states
    is_method = getattr(forward, "__func__", None) is type(module).forward
    return 0 if forward is None or is_method else serial_of(forward)
