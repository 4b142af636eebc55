"""The device a model will run on, and a key that changes when its results would."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

from clipcond.identity import serial_of
from clipcond.towers.settings import Settings, items_of
from clipcond.towers.weight_sums import checksums

__all__ = ["execution_device", "fingerprint_of", "weight_of"]


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
        group = _offload_group(module) if "_diffusers_hook" in own else None
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
    settings, modules = Settings(), _modules(model)
    device = _device(model, modules)
    structure: list[Hashable] = [device, *_autocast(device), torch.get_float32_matmul_precision()]
    for hooks in (global_hooks._global_forward_hooks, global_hooks._global_forward_pre_hooks):
        structure += [number for number, _ in items_of(hooks)]
    weights: list[Tensor] = []
    places: dict[int, int] = {}
    while modules:
        for module in modules:
            place = places.setdefault(id(module), len(places))
            structure += (place, settings.of_module(module))
            if module._forward_hooks or module._forward_pre_hooks:
                structure += _hooks(module)
            if module._parameters or module._buffers:
                own = {**module._parameters, **module._buffers}
                weights += [weight_of(module, n, t) for n, t in own.items() if t is not None]
        modules = [m for m in settings.modules if id(m) not in places]
        settings.modules.clear()
    weights += settings.tensors
    structure += map(_version, weights)
    return (*structure, *checksums(weights))


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


def _version(tensor: Tensor) -> Hashable:
    # every onload makes another parameter object of one on meta
    serial = 0 if tensor.is_meta else serial_of(tensor)
    version = -1 if tensor.is_inference() else tensor._version
    return serial, version, tensor.dtype, tensor.shape


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


def _hooks(module: nn.Module) -> list[int]:
    """List the numbers of hooks, which torch gives once."""
    hooks = items_of(module._forward_hooks) + items_of(module._forward_pre_hooks)
    return [number for number, hook in hooks if not _is_passive(hook)]


def _is_passive(hook: Any) -> bool:
    """Whether it is a tower's, of another thread that encodes, or collects hidden states."""
    home = str(getattr(hook, "__module__", ""))
    return home.startswith(("clipcond.towers", "transformers.utils"))


def _autocast(device: torch.device) -> tuple[Hashable, ...]:
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return ()
    return ("autocast", torch.get_autocast_dtype(device.type))


def _offload_group(module: nn.Module) -> Any:
    """Find the group of diffusers' group offload, which keeps its own hooks on each module."""
    registry = module.__dict__.get("_diffusers_hook")
    hooks = getattr(registry, "hooks", None)
    return getattr(hooks.get("group_offloading"), "group", None) if hooks else None
