"""The device a model will run on, and a key of all that changes what it computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from clipcond.towers.callables import key_of_call
from clipcond.towers.weight_keys import class_settings, keys_of_weights, new_serial, serial_of

N_READ = 1000  # entries of a list or dict
_NUMBERS = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
PLAIN = frozenset(_NUMBERS)
_SORTS: dict[str, tuple[type, ...]] = {
    "number": _NUMBERS,
    "list": (list, tuple, set, frozenset),
    "mapping": (Mapping,),
    "tensor": (Tensor,),
    "module": (nn.Module,),
}
_CALL = ("forward", "_hf_hook", "_old_forward", "_diffusers_hook", "_compiled_call_impl")
_USED = "_output_capturing_hooks_installed"  # transformers, since a model first gave hidden states
# What torch keeps of every module, weights and hooks included, and how it is called.
NOT_SETTINGS = frozenset({*vars(nn.Module()), *_CALL, _USED} - {"training"})


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


def model_key(model: nn.Module) -> tuple[Hashable, torch.device]:
    """Make a key of the model itself, and find its device."""
    key: list[Hashable] = []
    waiting, offloaded = [model], list[nn.Module]()
    settings, weights = Settings(waiting), list[Tensor]()
    places: dict[int, int] = {}
    while waiting:
        module = waiting.pop()
        own = module.__dict__
        if id(module) in places:  # it is used twice
            key += (places[id(module)],)
            continue
        places[id(module)] = len(places)
        key += (-1, settings.of_module(module))
        if module.training and is_random(module):
            key += (new_serial(),)  # no two forwards give the same
        if own["_forward_hooks"] or own["_forward_pre_hooks"]:
            key += hooks_of(module, settings)
        if "_hf_hook" in own or "_diffusers_hook" in own:
            offloaded += (module,)
        if own["_parameters"] or own["_buffers"]:
            named = {**own["_parameters"], **own["_buffers"]}
            weights += [
                weight_of(module, name, tensor) if tensor.is_meta else tensor
                for name, tensor in named.items()
                if tensor is not None
            ]
        if own["_modules"]:
            waiting += [part for part in {**own["_modules"]}.values() if part is not None]
    return (*key, *keys_of_weights(weights + settings.tensors)), _device(model, offloaded)


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


def is_random(module: nn.Module) -> bool:
    """Whether a module in training mode drops some values at random."""
    rate = module.p if isinstance(module, _DropoutNd) else getattr(module, "dropout", 0)
    return isinstance(rate, float) and rate > 0


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


def hooks_of(module: nn.Module, settings: Settings) -> list[Hashable]:
    """List the numbers of hooks, which torch gives once, and keys of what they compute with."""
    hooks = items_of(module._forward_hooks) + items_of(module._forward_pre_hooks)
    return [
        (number, *key_of_call(hook, settings, is_hook=True))
        for number, hook in hooks
        if not _is_passive(hook)
    ]


def _is_passive(hook: object) -> bool:
    """Whether it is a tower's, of another thread that encodes, or collects hidden states."""
    home = str(getattr(hook, "__module__", ""))
    return home.startswith(("clipcond.towers", "transformers.utils"))


class Settings:
    """Keys of settings, made in one walk: what modules compute with besides weights.

    Args:
        modules: gets the modules found in settings, where torch does not know of them.
    Attributes:
        tensors: those found there.
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        self.tensors: list[Tensor] = []
        self.modules = modules
        self._kinds: dict[type, Hashable] = {}
        self._layouts: dict[type, _Layout] = {}
        self._entered: dict[int, int] = {}  # configs, by their address: they live meanwhile

    def of_module(self, module: nn.Module) -> Hashable:
        """Make a key of a module's class and attributes; weights, parts and hooks are left out."""
        kind, own = type(module), module.__dict__
        if kind not in self._kinds:
            self._kinds[kind] = serial_of(kind), self.of_class(kind)
        attributes = tuple(own)
        layout = self._layouts.get(kind)
        if layout is None or layout[0] != attributes:  # modules of a class have the same, mostly
            layout = self._layouts[kind] = _layout(attributes)
        _, names, read = layout
        try:
            values = read(own)
        except KeyError:  # another thread removed an attribute meanwhile
            return self.of_module(module)
        if not PLAIN.issuperset(map(type, values)):
            values = tuple([v if type(v) in PLAIN else self.key(v) for v in values])
        return self._kinds[kind], forward_of(module, self) if "forward" in own else 0, names, values

    def of_class(self, kind: type[nn.Module]) -> Hashable:
        """Make a key of what a class of modules computes with: its method, and what it holds."""
        return serial_of(kind.forward), *map(self.key, class_settings(kind))

    def key(self, value: object) -> Hashable:
        """Make a key of one setting."""
        if id(value) in self._entered:
            return self._entered[id(value)]
        if type(value) is tuple and PLAIN.issuperset(map(type, value)):
            return value
        found = cast(Any, value)
        sort = _sort_of(found.__class__)
        if sort == "number":
            return value
        if sort == "list":
            held = list(found)
            return len(held), *[v if type(v) in PLAIN else self.key(v) for v in held[:N_READ]]
        if sort == "mapping":
            return self._entries(found)
        if sort == "tensor":
            self.tensors.append(found)
        elif sort == "module":
            self.modules.append(found)
        elif _is_config(value):
            self._entered[id(value)] = serial_of(value)
            return serial_of(value), self._entries(object.__getattribute__(value, "__dict__"))
        return serial_of(value)

    def _entries(self, mapping: Mapping[Any, Any]) -> Hashable:
        items = items_of(mapping)
        return len(items), *[
            item
            if PLAIN.issuperset(map(type, item))
            else (item[0] if type(item[0]) in PLAIN else serial_of(item[0]), self.key(item[1]))
            for item in items[:N_READ]
        ]


@lru_cache(1000)
def _sort_of(kind: type) -> str:
    """Sort settings by their class: isinstance would look through all of them at each setting."""
    return next((sort for sort, kinds in _SORTS.items() if issubclass(kind, kinds)), "")


_Layout: TypeAlias = tuple[
    tuple[str, ...], tuple[str, ...], Callable[[Mapping[str, Any]], tuple[Any, ...]]
]


@lru_cache(1000)
def _layout(attributes: tuple[str, ...]) -> _Layout:
    """Choose those attributes of a module that are settings, and make what reads them."""
    names = tuple(name for name in attributes if name not in NOT_SETTINGS)
    # the first name twice: of a single one itemgetter gives no tuple
    return attributes, names, itemgetter(*names, names[0]) if names else lambda own: ()


def _is_config(value: object) -> bool:
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


def forward_of(module: nn.Module, settings: Settings) -> Hashable:
    """Make a key of a replaced `forward`; 0 if it is the class's own."""
    own = module.__dict__
    # accelerate's hook puts its own there, which calls the former one
    forward = own.get("_old_forward" if "_hf_hook" in own else "forward")
    # transformers 5.0 leaves the class's own method there after it collected hidden states
    is_method = getattr(forward, "__func__", None) is type(module).forward
    return 0 if forward is None or is_method else key_of_call(forward, settings)
