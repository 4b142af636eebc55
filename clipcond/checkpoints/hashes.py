"""Identify towers by a hash that is the same in every file format, layout and precision >= float16.

The hash is SHA-256 over every tensor in order of its name in transformers' files (without
`text_model.`): the name, the shape as text, and the values as float16, little-endian. So a tower
has one hash in a diffusers folder, in a single file, in OpenCLIP's layout, in float16 and float32;
in bfloat16, which holds fewer digits, it has another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipcond.checkpoints.models import plain_name
from clipcond.errors import CheckpointError
from clipcond.towers.base import TextTower

# Hashes computed from files at hand, none copied from elsewhere.
KNOWN: dict[str, str] = {
    "ea4236704166bd93597c9ea2b28b21c8d6735a1878b5a53218ebe55c67d7c976": "clipcond's embedded tower",
}
_COARSE = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the tensors that two towers both have, by name and shape, differ.

    Attributes:
        equal_as: "" = not equal; "stored" = every value; "float16", "bfloat16" = after that cast.
        n_both, n_different: tensors that both have, and those of them with another value.
        largest, at: the largest difference of two values, and in which tensor.
        only_first, only_second: tensors that one alone has, or has in another shape.
    """

    equal_as: str
    n_both: int
    n_different: int
    largest: float
    at: str
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    def __str__(self) -> str:
        alike = {
            "stored": f"all {self.n_both} tensors are equal",
            "": f"{self.n_different} of {self.n_both} tensors differ, by {self.largest:.3g} at "
            f"most, in {self.at!r}",
        }
        cast = f"all {self.n_both} tensors are equal after casting to {self.equal_as}"
        text = alike.get(self.equal_as, cast) if self.n_both else "no tensor is of the same shape"
        for which, names in (("first", self.only_first), ("second", self.only_second)):
            if names:
                text += f"; only the {which} has {len(names)}, such as {names[0]!r}"
        return text


def tower_weights(tower: TextTower) -> dict[str, Tensor]:
    """List a tower's tensors by their names in transformers' files, without `text_model.`.

    Raises:
        CheckpointError: the tower keeps no module in `model`.
    """
    model: Any = getattr(tower, "model", None)
    if not isinstance(model, torch.nn.Module):
        raise CheckpointError(f"{tower.name!r} has no tensors to look at", tower.name)
    state = {plain_name(name): tensor for name, tensor in model.state_dict().items()}
    return {name: t.detach() for name, t in state.items() if t.is_floating_point()}


def tower_hash(weights: Mapping[str, Tensor]) -> str:
    """Hash `tower_weights`, into 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].to("cpu", torch.float16).contiguous()
        digest.update(f"{name}{list(tensor.shape)}".encode())
        values: Any = tensor.reshape(-1).view(torch.uint8).numpy()
        digest.update(values)
    return digest.hexdigest()


def module_hash(module: torch.nn.Module | None) -> str:
    """Hash all floating-point tensors of a module; "" of None."""
    state = {} if module is None else module.state_dict()
    weights = {name: t.detach() for name, t in state.items() if t.is_floating_point()}
    return tower_hash(weights) if weights else ""


def compare(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> Comparison:
    """Compare two results of `tower_weights`, one pair of tensors at a time."""
    both = [n for n in first if n in second and first[n].shape == second[n].shape]
    holds = dict.fromkeys(_COARSE, True)
    differences: dict[str, float] = {}
    for name in both:
        a, b = first[name].float(), second[name].float()
        if torch.equal(a, b):
            continue
        differences[name] = float((a - b).abs().max())
        for cast, dtype in _COARSE.items():
            holds[cast] = holds[cast] and torch.equal(a.to(dtype), b.to(dtype))
    equal_as = next((cast for cast, does in holds.items() if does), "") if differences else "stored"
    at = max(differences, key=lambda name: differences[name], default="")
    return Comparison(
        equal_as=equal_as if both else "",
        n_both=len(both),
        n_different=len(differences),
        largest=differences.get(at, 0.0),
        at=at,
        only_first=tuple(sorted(set(first) - set(both))),
        only_second=tuple(sorted(set(second) - set(both))),
    )
