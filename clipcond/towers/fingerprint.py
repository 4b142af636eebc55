"""The device a model will run on, and a key that changes when its results would."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

from clipcond.towers.module_settings import Settings, hooks_of, items_of
from clipcond.towers.snapshot import Snapshot, known_snapshot, remember
from clipcond.towers.weight_keys import keys_of_weights


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
    vectors and small matrices all, of a larger matrix 32 values (`keys_of_weights`). So it misses
    such a write to a few values of a large matrix: in loops that write so, encode without a cache
    (`cache_bytes=0`). Addresses are left out, so moving to the CPU and back changes nothing.

    A model that has not changed since the last call is recognized by a `Snapshot`, which takes
    0.5 ms for one of CLIP-L's size on one CPU core; making the key takes four times as long.
    """
    context: list[Hashable] = [torch.get_float32_matmul_precision()]
    for hooks in (global_hooks._global_forward_hooks, global_hooks._global_forward_pre_hooks):
        context += [number for number, _ in items_of(hooks)]
    known = known_snapshot(model)
    if known is not None:
        state, device = known.key, known.device
    else:
        snapshot = Snapshot.of(model)  # before the key: a change meanwhile is seen by the next call
        state, device = _state(model)
        if snapshot is not None:
            remember(model, snapshot, state)
    context.append(device)
    if device.type != "meta" and torch.is_autocast_enabled(device.type):
        context += ("autocast", torch.get_autocast_dtype(device.type))
    return tuple(context), state


def _state(model: nn.Module) -> tuple[Hashable, torch.device]:
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
        if own["_forward_hooks"] or own["_forward_pre_hooks"]:
            key += hooks_of(module)
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
