"""One text tower out of a single file, safetensors or pickle, whatever else lies in it.

The file is understood from its header, checked as a whole, and only then are the tensors of that
one tower read, each cast as it comes: the peak of memory is the tower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from clipcond.checkpoints.activation import ACTIVATIONS, Activation
from clipcond.checkpoints.choosing import choose, read_any
from clipcond.checkpoints.clip_folders import from_tensors
from clipcond.checkpoints.forms import FORMS
from clipcond.checkpoints.header import Header
from clipcond.checkpoints.layouts import FoundTower
from clipcond.checkpoints.sidecar import Facts, facts
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError, ClipcondWarning, UnknownNameError, warn
from clipcond.towers.base import TextTower

__all__ = ["BUILDERS", "Choice", "Source", "open_file", "widest"]

PROJECTION = "text_projection"
_PRECISION = ("float8_e5m2", "float8_e4m3fn", "bfloat16", "float16", "float32", "float64")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tower of a file, and what the file does not say of it.

    Attributes:
        part: its number; None = the only one.
        kind: of tower; None = any.
        activation: "gelu" or "quick_gelu" in place of what is guessed.
        full_depth: with the blocks and the projection that the file's UNet was not trained on.
        allow_pickle: whether a pickle's weights may be read.
    """

    part: int | None = None
    kind: str | None = None
    activation: str | None = None
    full_depth: bool = False
    allow_pickle: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A checked tower in a file, ready to be built; `weights` are read when they are asked for."""

    tower: FoundTower
    weights: Mapping[str, Tensor]
    facts: Facts
    path: Path
    name: str
    dtype: torch.dtype
    device: torch.device


def open_file(
    path: Path,
    choice: Choice,
    *,
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> TextTower:
    """Open a tower of a file.

    Args:
        dtype: of the tower; None = as stored, the widest if there are several.
    Raises:
        CheckpointError: no such tower, several, or one that is not whole; nothing stays loaded.
    """
    header = read_any(path, allow_pickle=choice.allow_pickle)
    tower = choose(header, choice.part, choice.kind)
    if tower.problem:
        raise CheckpointError(
            f"{str(path)!r}: {tower.problem}",
            path,
            f"The tower is {tower}, in the layout of {tower.layout.place}.",
        )
    source = Source(
        tower=tower if choice.full_depth else _as_trained(tower),
        weights={},
        facts=_facts(path, tower, choice.activation),
        path=path,
        name=name,
        dtype=dtype or widest(tower.dtypes),
        device=torch.device(device),
    )
    return BUILDERS[tower.layout.kind](replace(source, weights=_stored(header, source)))


def widest(dtypes: tuple[str, ...]) -> torch.dtype:
    """The dtype that holds all of several without loss."""
    if {"float16", "bfloat16"} <= set(dtypes):
        dtypes = (*dtypes, "float32")
    found: torch.dtype = getattr(torch, max(dtypes, key=_PRECISION.index))
    return found


def _stored(header: Header, source: Source) -> Mapping[str, Tensor]:
    entries = {short: header.entries[full] for short, full in source.tower.tensors.items()}
    return StoredTensors(source.path, entries, source.dtype)


def _as_trained(tower: FoundTower) -> FoundTower:
    """Without the blocks above those that the UNet of its file listens to, and what needs them."""
    if tower.used_layers == tower.sizes.layers:
        return tower
    form = FORMS[tower.layout.form]

    def is_used(name: str) -> bool:
        if name.startswith(form.blocks):
            return int(name[len(form.blocks) :].partition(".")[0]) < tower.used_layers
        return name not in form.optional

    kept = {short: full for short, full in tower.tensors.items() if is_used(short)}
    sizes = replace(tower.sizes, layers=tower.used_layers, projection=0)
    return replace(tower, tensors=kept, sizes=sizes)


def _facts(path: Path, tower: FoundTower, activation: str | None) -> Facts:
    """Heads and activation, with a word where the latter is a guess."""
    known = facts(path, tower)
    if not known.n_heads:
        raise CheckpointError(
            f"{str(path)!r}: a width of {tower.sizes.width} does not tell how many heads "
            f"{tower} has",
            path,
            "Put the model's config.json beside the file.",
        )
    if activation is not None:
        if activation not in ACTIVATIONS:
            raise UnknownNameError("activation", activation, ACTIVATIONS)
        return replace(known, activation=Activation(activation, "as asked", True))
    guess, remedy = known.activation, "Say activation='gelu' or activation='quick_gelu'."
    if not guess.name:
        message = f"{str(path)!r}: nothing tells the activation of {tower}: {guess.why}"
        raise CheckpointError(message, path, remedy)
    if not guess.is_sure:
        warn(
            ClipcondWarning(
                f"the activation of {path.name} {tower} is taken to be {guess.name} ({guess.why}); "
                f"activation= says otherwise"
            )
        )
    return known


def _clip(source: Source) -> TextTower:
    return from_tensors(
        source.weights,
        path=source.path,
        name=source.name,
        sizes=source.tower.sizes,
        facts=source.facts,
        pads_with_eos=source.tower.layout.pads_with_eos or _is_openai(source),
        dtype=source.dtype,
        device=source.device,
    )


def _is_openai(source: Source) -> bool:
    """SD1's and SDXL's first tower, when it is alone in its file, pads as it does there."""
    is_alone = not source.tower.layout.prefix
    return is_alone and source.facts.activation.name == "quick_gelu"


def _open_clip(source: Source) -> TextTower:
    from clipcond.checkpoints.state_dicts import from_open_clip

    config = source.facts.open_clip or {}
    text = {**config.get("text_cfg", {}), "heads": source.facts.n_heads}
    return from_open_clip(
        source.weights,
        name=source.name,
        quick_gelu=source.facts.activation.name == "quick_gelu",
        config={**config, "text_cfg": text},
        dtype=source.dtype,
        device=source.device,
    )


def _eva(source: Source) -> TextTower:
    from clipcond.checkpoints.state_dicts import from_eva

    return from_eva(source.weights, name=source.name, dtype=source.dtype, device=source.device)


def _chinese(source: Source) -> TextTower:
    from clipcond.checkpoints.state_dicts import from_cn_clip

    return from_cn_clip(
        _AsCnClip(source.weights),
        name=source.name,
        n_heads=source.facts.n_heads,
        dtype=source.dtype,
        device=source.device,
    )


class _AsCnClip(Mapping[str, Tensor]):
    """BERT's tensors under cn_clip's names, from whichever library's file; read when asked for."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights
        self._names = {
            PROJECTION if name.startswith(PROJECTION) else f"bert.{name}": name for name in weights
        }

    def __getitem__(self, name: str) -> Tensor:
        own = self._names[name]
        tensor = self._weights[own]
        # [D P] in cn_clip, a linear layer's [P D] in transformers
        return tensor.t() if name == PROJECTION != own else tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


Builder = Callable[[Source], TextTower]

# What opens a kind of tower out of checked tensors; each file is imported when it is needed.
BUILDERS: dict[str, Builder] = {
    "clip": _clip,
    "open_clip": _open_clip,
    "eva_clip": _eva,
    "chinese_clip": _chinese,
}
