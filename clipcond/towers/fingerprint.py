"""The device a model will run on, and a key that changes when its results would."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from itertools import count, islice
from types import SimpleNamespace
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

from clipcond.towers.weight_sums import checksums

__all__ = ["execution_device", "fingerprint_of", "serial_of", "weight_of"]

N_READ = 1000  # entries of a list or dict
_NUMBERS = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
_PLAIN = frozenset(_NUMBERS)
_CALL = ("forward", "_hf_hook", "_old_forward", "_diffusers_hook", "_compiled_call_impl")
_USED = "_output_capturing_hooks_installed"  # transformers, since a model first gave hidden states
# What torch keeps of every module, weights and hooks included, and how it is called.
_NOT_SETTINGS = frozenset({*vars(nn.Module()), *_CALL, _USED} - {"training"})


class _Reference(ref[object]):
    """A weak reference with the number and the address of its object."""

    __slots__ = ("address", "serial")
    address: int
    serial: int


class _Held:
    """A stand-in for a weak reference to an object that allows none: it stays alive."""

    __slots__ = ("_value", "serial")

    def __init__(self, value: object) -> None:
        self._value = value
        self.serial = next(_SERIALS)

    def __call__(self) -> object:
        return self._value


_SERIALS = count(1)
_NUMBERED: dict[int, _Reference | _Held] = {}


def serial_of(value: object) -> int:
    """Find the number of an object, the same at every call while it lives, and no other's ever.

    CPython gives the address of a freed object to the next one, so a key made of `id()` takes
    another object for the one it was made of. A number is given once. Objects without weak
    references (most with `__slots__`) are kept alive from then on.
    """
    known = _NUMBERED.get(id(value))
    if known is not None and known() is value:
        return known.serial
    made: _Reference | _Held
    try:
        made = _Reference(value, _forget)
        made.address, made.serial = id(value), next(_SERIALS)
    except TypeError:
        made = _Held(value)
    # of two threads the first one's number counts, unless it is a dead object's
    if known is not None and _NUMBERED.get(id(value)) is known:
        _NUMBERED[id(value)] = made
    return _NUMBERED.setdefault(id(value), made).serial


def _forget(reference: _Reference) -> None:
    if _NUMBERED.get(reference.address) is reference:
        del _NUMBERED[reference.address]


def execution_device(model: nn.Module) -> torch.device:
    """Find the device that the next forward will use.

    With offloading, weights are elsewhere or on no device at all (meta) between two forwards; the
    hooks of accelerate and of diffusers' group offload know where they will go.
    """
    return _device(model, _modules(model))


def _device(model: nn.Module, modules: Iterable[nn.Module]) -> torch.device:
    for module in modules:
        own = module.__dict__
        if "_hf_hook" in own:
            for candidate in (own["_hf_hook"], *getattr(own["_hf_hook"], "hooks", ())):
                device = getattr(candidate, "execution_device", None)
                if device is not None:
                    return torch.device(device)
        if "_diffusers_hook" in own:  # group offload keeps hooks of its own on each module
            hooks = getattr(own["_diffusers_hook"], "hooks", None)
            group = getattr(hooks.get("group_offloading"), "group", None) if hooks else None
            if group is not None:
                return torch.device(group.onload_device)
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def fingerprint_of(model: nn.Module) -> Hashable:
    """Make a key of everything about `model` that changes what it computes.

    It changes with: another or resized weight, an in-place change (by version counter), dtype,
    device, autocast, hooks, a replaced `forward` or class, settings of modules (`eps`, `scale`,
    train mode, LoRA's scales, a config's entries). Writes that no counter counts, through `.data`,
    numpy, a fused optimizer or inference mode, are seen by the bits of the weights: those of
    vectors and small matrices all, of a larger matrix 32 values (`checksums`). So it misses such a
    write to a few values of a large matrix: in loops that write so, encode without a cache
    (`cache_bytes=0`). Addresses are left out, so moving to the CPU and back changes nothing.

    Takes about 2 ms for a model of CLIP-L's size on one CPU core.
    """
    settings, modules = _Settings(), _modules(model)
    device = _device(model, modules)
    key: list[Hashable] = [device, torch.get_float32_matmul_precision()]
    if device.type != "meta" and torch.is_autocast_enabled(device.type):
        key.append(torch.get_autocast_dtype(device.type))
    for hooks in (global_hooks._global_forward_hooks, global_hooks._global_forward_pre_hooks):
        key += [number for number, _ in _items(hooks)]
    weights: list[Tensor] = []
    places: dict[int, int] = {}
    while modules:
        for module in modules:
            own = module.__dict__
            if id(module) in places:  # it is used twice
                key += (places[id(module)],)
                continue
            places[id(module)] = len(places)
            key += (-1, settings.of_module(module))
            if own["_forward_hooks"] or own["_forward_pre_hooks"]:
                key += _hooks(module)
            if own["_parameters"] or own["_buffers"]:
                named = {**own["_parameters"], **own["_buffers"]}
                weights += [
                    weight_of(module, n, t) if t.is_meta else t
                    for n, t in named.items()
                    if t is not None
                ]
        modules = [m for top in settings.modules if id(top) not in places for m in _modules(top)]
        settings.modules.clear()
    weights += settings.tensors
    for tensor in weights:
        # every onload makes another parameter object of one on meta
        serial = 0 if tensor.is_meta else serial_of(tensor)
        version = -1 if tensor.is_inference() else tensor._version
        key += (serial, version, tensor.dtype, tensor.shape)
    return (*key, *checksums(weights))


def _modules(model: nn.Module) -> list[nn.Module]:
    """List a model's modules, one that is used twice at both places."""
    # nn.Module.modules() costs several times as much: it builds names
    waiting: list[nn.Module | None] = [model]
    found, entered = [], set()
    while waiting:
        module = waiting.pop()
        if module is not None:
            found.append(module)
            if module._modules and id(module) not in entered:
                entered.add(id(module))
                waiting += module._modules.values()
    return found


def weight_of(module: nn.Module, name: str, tensor: Tensor) -> Tensor:
    """Find the weight itself if accelerate keeps its module on meta between forwards."""
    if not tensor.is_meta:
        return tensor
    weights = getattr(module.__dict__.get("_hf_hook"), "weights_map", None)
    values = getattr(weights, "dataset", None)
    # only a plain dict in memory: a disk loader would read the file
    found = None
    if type(values) is dict:
        found = values.get(f"{getattr(weights, 'prefix', '')}{name}")
    return found if isinstance(found, Tensor) else tensor


def _hooks(module: nn.Module) -> list[tuple[str, int]]:
    """List the numbers of hooks, which torch gives once."""
    hooks = _items(module._forward_hooks) + _items(module._forward_pre_hooks)
    return [("hook", number) for number, hook in hooks if not _is_passive(hook)]


def _is_passive(hook: Any) -> bool:
    """Whether it is a tower's, of another thread that encodes, or collects hidden states."""
    home = str(getattr(hook, "__module__", ""))
    return home.startswith(("clipcond.towers", "transformers.utils"))


class _Settings:
    """Makes keys of settings in one walk: what modules compute with besides weights.

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
        kind, own = type(module), {**module.__dict__}
        if kind not in self._kinds:
            self._kinds[kind] = serial_of(kind), serial_of(kind.forward)
        names = _setting_names(tuple(own))
        values = [
            value if type(value) in _PLAIN else self._key(value)
            for value in [own[name] for name in names]
        ]
        return self._kinds[kind], _forward(module) if "forward" in own else 0, names, *values

    def _key(self, value: Any) -> Hashable:
        if id(value) in self._entered:
            return self._entered[id(value)]
        if isinstance(value, _NUMBERS):
            return value
        if isinstance(value, list | tuple | set | frozenset):
            return len(value), *map(self._key, islice(list(value), N_READ))
        if isinstance(value, Mapping):
            return self._entries(value)
        if isinstance(value, Tensor):
            self.tensors.append(value)
        elif isinstance(value, nn.Module):
            self.modules.append(value)
        elif _is_config(value):
            self._entered[id(value)] = serial_of(value)
            return serial_of(value), self._entries(object.__getattribute__(value, "__dict__"))
        return serial_of(value)

    def _entries(self, mapping: Mapping[Any, Any]) -> Hashable:
        return len(mapping), *(
            (
                key if type(key) in _PLAIN else serial_of(key),
                value if type(value) in _PLAIN else self._key(value),
            )
            for key, value in islice(_items(mapping), N_READ)
        )


@lru_cache(1000)
def _setting_names(attributes: tuple[str, ...]) -> tuple[str, ...]:
    """Choose those attributes of a module that are settings."""
    return tuple(name for name in attributes if name not in _NOT_SETTINGS)


def _is_config(value: Any) -> bool:
    """Whether its entries are settings; of any other object it counts only which one it is."""
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    is_read = dataclasses.is_dataclass(value) or isinstance(value, SimpleNamespace)
    return is_read or hasattr(value, "to_dict")


def _items(mapping: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """List the items of a dict that another thread may change meanwhile."""
    while True:
        try:
            return list(mapping.items())
        except RuntimeError:  # changed while it was read
            continue


def _forward(module: nn.Module) -> int:
    """Find the number of a replaced `forward`; 0 if it is the class's own."""
    own = module.__dict__
    # accelerate's hook puts its own there, which calls the former one
    forward = own.get("_old_forward" if "_hf_hook" in own else "forward")
    # transformers 5.0 leaves the class's own method there after it collected hidden states
    is_method = getattr(forward, "__func__", None) is type(module).forward
    return 0 if forward is None or is_method else serial_of(forward)
