"""Load the model that the service answers with, and the ways to read prompts on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clipcond.adapters import load_adapter
from clipcond.checkpoints import load_tower, load_towers
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.dialects import DialectName, find_dialect
from clipcond.conditioning.inversions import load_file
from clipcond.embedded import adapter_file
from clipcond.pipelines import build_pipeline
from clipcond.pipelines.devices import find_device, find_dtype
from clipcond.service.settings import ServiceSettings
from clipcond.towers.protocol import TextTower
from clipcond.towers.timing import time_tower
from clipcond.weighting import find_rule

if TYPE_CHECKING:
    from clipcond.pipelines.protocols import ConditionedPipeline

_MOST_READINGS = 256  # ways to read that are kept: each is small


@dataclass(frozen=True, slots=True)
class Reading:
    """How prompts are read; None = the dialect's, the model's.

    Args:
        dialect, clip_skip, weighting, normalize, pooled, fullwidth: as for a `Conditioner`.
    """

    dialect: str = "a1111"
    clip_skip: int | None = None
    weighting: str | None = None
    normalize: str | None = None
    pooled: bool | None = None
    fullwidth: bool | None = None


@dataclass(eq=False, slots=True)
class Model:
    """What was loaded.

    Args:
        base: the Conditioner that all others share their towers and their cache with.
        pipe: what draws; None = only texts are encoded.
        reading: how prompts are read where a request says nothing.
        named: what a picture's file says of the model.
        inversions: the hash of each one's file, or "", by its name.
    """

    base: Conditioner
    pipe: ConditionedPipeline | None
    reading: Reading
    named: dict[str, object]
    inversions: dict[str, str]
    conditioner: Callable[[Reading], Conditioner] = field(init=False)

    def __post_init__(self) -> None:
        self.conditioner = lru_cache(_MOST_READINGS)(self._conditioner)

    def chosen(self, **asked: Any) -> Reading:
        """Choose how to read: as it is asked for, and otherwise as the service was started.

        The service's own weighting goes with its own dialect.
        """
        given = {name: value for name, value in asked.items() if value is not None}
        own = self.reading
        if given.get("dialect", own.dialect) != own.dialect:
            own = replace(own, weighting=None)
        return replace(own, **given)

    def _conditioner(self, reading: Reading) -> Conditioner:
        """Make what reads prompts so, on the towers that are loaded.

        Raises:
            UnknownNameError: there is no such dialect, rule or normalization.
            TowerError: there is no such layer.
        """
        base = self.base
        made = Conditioner(
            *base.towers,
            dialect=cast(DialectName, reading.dialect),
            clip_skip=base.clip_skip if reading.clip_skip is None else reading.clip_skip,
            weighting=cast(Any, reading.weighting),
            normalize=cast(Any, reading.normalize),
            pooled=base.pooled if reading.pooled is None else reading.pooled,
            fullwidth=reading.fullwidth,
            reads=base.reads,
            adapter=base.adapter,
            max_chunks=base.max_chunks,
        )
        made.cache = base.cache  # its keys do not depend on how prompts are read
        return made


def check_settings(settings: ServiceSettings) -> None:
    """Refuse names that there are not, before a model is loaded.

    Raises:
        UnknownNameError, PipelineError: of the dialect, rule, device or dtype.
    """
    find_dialect(settings.dialect)
    if settings.weighting is not None:
        find_rule(settings.weighting)
    find_dtype(settings.dtype, find_device(settings.device))


def load_model(settings: ServiceSettings, on_tower: Callable[[float], object]) -> Model:
    """Load the model and its textual inversions.

    Args:
        on_tower: called with the seconds of each call of a text tower.
    Raises:
        ClipcondError: as `build_pipeline`, `load_tower` and `load_adapter`.
    """
    limits = settings.limits
    choices: dict[str, Any] = {
        "dialect": settings.dialect,
        "clip_skip": settings.clip_skip,
        "weighting": settings.weighting,
        "max_chunks": limits.chunks,
        "cache_bytes": limits.cache_bytes,
    }
    pipe = None if settings.text_only else _pipeline(settings, choices)
    base = _text_side(settings, choices) if pipe is None else pipe.conditioner
    hashes: dict[str, str] = {}
    for file in settings.inversions:
        hashes |= load_file(base, file, allow_pickle=settings.allow_pickle)
    for tower in base.towers:
        time_tower(tower, on_tower)
    model, adapter = settings.model, settings.adapter
    named: dict[str, object] = {
        "Model": "embedded" if model is None else Path(model).stem,
        "Tower": settings.tower,
        "Adapter": None if adapter is None else adapter.stem,
    }
    own = Reading(settings.dialect, settings.clip_skip, settings.weighting)
    return Model(base, pipe, own, named, hashes)


def _pipeline(settings: ServiceSettings, choices: dict[str, Any]) -> ConditionedPipeline:
    pipe = build_pipeline(
        settings.model,
        tower=settings.tower,
        adapter=settings.adapter,
        device=settings.device,
        dtype=settings.dtype,
        allow_pickle=settings.allow_pickle,
        **choices,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _text_side(settings: ServiceSettings, choices: dict[str, Any]) -> Conditioner:
    """Load the text towers alone, and the adapter behind them."""
    device = find_device(settings.device)
    dtype = find_dtype(settings.dtype, device)
    opened: dict[str, Any] = {"dtype": dtype, "device": device}
    opened["allow_pickle"] = settings.allow_pickle
    if settings.tower is not None:
        towers: tuple[TextTower, ...] = (load_tower(settings.tower, **opened),)
    else:
        towers = load_towers(settings.model or "embedded", **opened)
    file = settings.adapter
    if file is None and settings.tower is not None and settings.model in {None, "embedded"}:
        file = adapter_file(settings.tower)  # as a pipeline chooses it
    if file is not None:
        adapter, _ = load_adapter(file)
        choices = {**choices, "adapter": adapter.to(device, dtype)}
    return Conditioner(*towers, **choices)
