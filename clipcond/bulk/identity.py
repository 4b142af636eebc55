"""Describe what decides the numbers of a conditioner, for the manifest of a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from operator import itemgetter
from types import CodeType
from typing import TypeAlias

import torch

from clipcond.adapters.fingerprints import tower_fingerprint
from clipcond.conditioning.conditioner import Conditioner
from clipcond.towers.protocol import TextTower
from clipcond.weighting import WEIGHTINGS
from clipcond.weighting.normalize import NORMALIZATIONS

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
MOST_DEPTH = 8
_OF_A_CALL = ("truncation", "padding")
# What a configuration says of its file, or of what else a model could give.
_OF_A_FILE = frozenset(
    "transformers_version architectures dtype torch_dtype clipcond id2label label2id return_dict"
    " output_hidden_states output_attentions initializer_range initializer_factor".split()
)


def identity_of(conditioner: Conditioner) -> dict[str, Json]:
    """Describe towers, layers and how prompts are read, as plain JSON."""
    towers = conditioner.towers
    return {
        "towers": [_tower(tower) for tower in towers],
        "layers": [str(layer) for layer in conditioner.layers()],
        "dialect": conditioner.dialect.name,
        "weighting": _named(conditioner.rule, WEIGHTINGS),
        "normalize": _named(conditioner.normalize, NORMALIZATIONS),
        "dialect_fields": described(conditioner.dialect.for_towers(len(towers))),
        "pooled": conditioner.pooled,
        "max_chunks": conditioner.max_chunks,
        "fullwidth": conditioner.fullwidth,
        "extra_networks": described(conditioner.extra_networks),
        "inversions": [_inversions(getattr(tower, "inversions", None)) for tower in towers],
        "adapter": described(conditioner.adapter),
        "width": conditioner.embeds_width,
    }


def _tower(tower: TextTower) -> Json:
    tokenizer = tower.tokenizer
    backend = getattr(getattr(tokenizer, "source", None), "backend_tokenizer", None)
    words = "" if backend is None else _words_of(json.loads(backend.to_str()))
    return {
        "name": tower.name,
        "hash": tower_fingerprint(tower),
        "settings": settings_of(getattr(getattr(tower, "model", None), "config", None)),
        "tokenizer": [_name_of(type(tokenizer)), words],
        "special": described(tower.special),
    }


def _words_of(tokenizer: dict[str, object]) -> str:
    """Hash a tokenizer, but for how its last call padded and cut."""
    kept = {name: each for name, each in tokenizer.items() if name not in _OF_A_CALL}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def settings_of(config: object) -> Json:
    """List a model's settings that its numbers may depend on, from its configuration."""
    listed = config.to_dict() if hasattr(config, "to_dict") else config
    if not isinstance(listed, Mapping):
        return {}
    names = sorted(name for name in listed if name[:1] != "_" and name not in _OF_A_FILE)
    return {name: described(listed[name]) for name in names}


def _named(thing: object, known: Mapping[str, object]) -> Json:
    """Name what clipcond has a name for; describe what it has none for."""
    name = next((name for name, each in known.items() if each is thing), None)
    return described(thing) if name is None else name


def _inversions(inversions: object) -> Json:
    by_name = getattr(inversions, "by_name", {})
    return {name: _hash_of(each.vectors) for name, each in by_name.items()}


def described(value: object, depth: int = 0) -> Json:
    """Describe a value that decides numbers as plain JSON.

    Of tensors and modules their values count, of functions their names, their code, and what they
    close over; of objects of other kinds the class and what they hold, down to MOST_DEPTH.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, torch.Tensor):
        return _hash_of(value)
    if isinstance(value, torch.nn.Module):
        return {name: _hash_of(each) for name, each in sorted(value.state_dict().items())}
    if isinstance(value, itemgetter):
        return repr(value)
    if depth > MOST_DEPTH:
        return _name_of(type(value))
    within = partial(described, depth=depth + 1)
    if isinstance(value, Mapping):
        return {str(name): within(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [within(each) for each in value]
    if isinstance(value, set | frozenset):
        return [within(each) for each in sorted(value, key=repr)]
    if isinstance(value, partial):
        return [within(value.func), within(value.args), within(value.keywords)]
    return _of_callable(value, within) if hasattr(value, "__qualname__") else _held(value, within)


def _of_callable(value: object, within: Callable[[object], Json]) -> Json:
    """Describe a class by its name, a function of others by what it does."""
    name, code = _name_of(value), getattr(value, "__code__", None)
    if name.startswith("clipcond.") or not isinstance(code, CodeType):
        return name
    digest = hashlib.sha256(code.co_code)
    digest.update(repr([c for c in code.co_consts if not isinstance(c, CodeType)]).encode())
    digest.update(repr(code.co_names).encode())
    cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    others = (getattr(value, "__defaults__", None), cells, getattr(value, "__self__", None))
    return [name, digest.hexdigest(), *map(within, others)]


def _held(value: object, within: Callable[[object], Json]) -> Json:
    """Describe what an object holds by the names of its fields."""
    own = getattr(value, "__dict__", {})
    names = [each.name for each in fields(value)] if is_dataclass(value) else [*own]
    held = {name: within(getattr(value, name)) for name in names}
    return {"is": _name_of(type(value)), **held}


def _name_of(kind: object) -> str:
    return ".".join(str(getattr(kind, name, "")) for name in ("__module__", "__qualname__"))


def _hash_of(tensor: torch.Tensor) -> str:
    values = tensor.detach().to("cpu", torch.float32).contiguous()
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(values.numpy().tobytes())
    return digest.hexdigest()
