"""Describe what decides the numbers of a conditioner, for the manifest of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from clipcond.adapters.fingerprints import tower_fingerprint
from clipcond.conditioning.conditioner import Conditioner
from clipcond.weighting import WEIGHTINGS


def identity_of(conditioner: Conditioner) -> dict[str, Any]:
    """Describe towers, layers, dialect and rule, as plain JSON."""
    adapter = conditioner.adapter
    return {
        "towers": [
            {"name": tower.name, "hash": tower_fingerprint(tower)} for tower in conditioner.towers
        ],
        "layers": [str(layer) for layer in conditioner.layers()],
        "dialect": conditioner.dialect.name,
        "weighting": _name_of(conditioner.rule, WEIGHTINGS),
        "normalize": _name_of(conditioner.normalize, {}),
        "pooled": conditioner.pooled,
        "max_chunks": conditioner.max_chunks,
        "adapter": None if adapter is None else _hash_of(adapter),
        "width": conditioner.embeds_width,
    }


def _name_of(thing: object, known: Mapping[str, object]) -> str | None:
    """Find the name of a rule or the like: ours, or that of the function or class."""
    if thing is None:
        return None
    own = next((name for name, each in known.items() if each is thing), None)
    return own or str(getattr(thing, "__qualname__", type(thing).__qualname__))


def _hash_of(module: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).numpy().tobytes())
    return digest.hexdigest()
