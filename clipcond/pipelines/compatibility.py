"""Check that a UNet can read a tower, with its adapter; refuse others, and say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import NoReturn, cast

import torch
from torch import Tensor, nn

from clipcond.adapters import (
    Adapter,
    AlignmentRecord,
    load_adapter,
    teacher_fingerprint,
    tower_fingerprint,
    unet_family,
    unet_fingerprint,
)
from clipcond.adapters.fingerprints import is_comparable
from clipcond.checkpoints import load_tower
from clipcond.embedded import adapter_file
from clipcond.errors import PipelineError, TowerError, excerpt, warn
from clipcond.pipelines.family import Family
from clipcond.pipelines.own_encoders import has_own_kind, towers_of
from clipcond.pipelines.prompt_embeds import check_width, config_of, pooled_width
from clipcond.pipelines.protocols import DiffusersPipeline
from clipcond.towers import OpenAIClipTower, OpenClipTower, TextTower

ALIGN = "clipcond align --teacher PIPE --tower TOWER --pairs PAIRS -o adapter.safetensors"
_OVERRULE = "allow_unaligned=True takes it all the same."
_ANOTHER_ADAPTER = f"Use an adapter aligned to this UNet. To train one: {ALIGN}"
# Towers that read CLIP's vocabulary from left to right, as the UNets' own do.
_OWN_KINDS = (OpenAIClipTower, OpenClipTower)
# Cosine of two token tables: near 1 after any fine-tuning, near 0 when trained apart.
_RELATED = 0.5
_PROBE = "a photo of a red cat, 1980s"


def refuse_lone_adapter(adapter: Adapter) -> NoReturn:
    """Refuse an adapter that was given without the tower that it reads.

    Raises:
        PipelineError: always; names the tower if it is known.
    """
    named = "" if adapter.record is None else f": it was aligned to {adapter.record.tower_name!r}"
    raise PipelineError(
        "An adapter was given without the tower that it reads.", f"Say tower=...{named}."
    )


def open_tower(
    tower: TextTower | str | PathLike[str] | None, *, allow_pickle: bool
) -> TextTower | None:
    """Open a tower that is given by its name, folder or file.

    Raises:
        CheckpointError: it cannot be opened.
        PipelineError: something else was given.
    """
    if isinstance(tower, str | PathLike):
        return load_tower(tower, allow_pickle=allow_pickle)
    if tower is not None and not hasattr(tower, "encode"):
        raise PipelineError(
            f"tower={excerpt(repr(tower))} is no text tower.",
            "Give a tower, or a name, folder or file for load_tower.",
        )
    return tower


def open_adapter(adapter: Adapter | str | PathLike[str] | None) -> Adapter | None:
    """Open an adapter that is given by the path of its file.

    Raises:
        CheckpointError: the file cannot be read as an adapter.
        PipelineError: something else was given.
    """
    if isinstance(adapter, str | PathLike):
        return load_adapter(adapter)[0]
    if adapter is not None and not isinstance(adapter, Adapter):
        raise PipelineError(
            f"adapter={adapter!r} is no adapter.", "Give the path of its file, or an Adapter."
        )
    return adapter


def embedded_adapter(tower_name: str, pipe: DiffusersPipeline) -> Adapter | None:
    """Open the adapter of an embedded tower; None = it has none into this pipeline's UNet."""
    file = adapter_file(tower_name)
    if file is None or getattr(pipe, "unet", None) is None:
        return None
    adapter, record = load_adapter(file)
    unet = _unet(pipe)
    space = (unet_family(unet), config_of(unet).get("cross_attention_dim"))
    return adapter if (record.family, record.width) == space else None


def check_chosen(
    pipe: DiffusersPipeline,
    family: Family,
    tower: TextTower | None,
    adapter: Adapter | None,
    *,
    allow_unaligned: bool,
) -> None:
    """Check a tower and an adapter that a caller chose for a pipeline, if any.

    Raises:
        PipelineError: an adapter alone; one tower for a model that reads several; or as for
            `check_compatible`.
    """
    if tower is None:
        if adapter is not None:
            refuse_lone_adapter(adapter)
        return
    if getattr(pipe, "unet", None) is None and adapter is not None:
        raise PipelineError(f"An adapter maps into the space of a UNet; {family.name} has none.")
    if getattr(pipe, "unet", None) is None and len(family.encoders) > 1:
        raise PipelineError(
            f"{family.name} reads {len(family.encoders)} towers: one cannot replace them.",
            "Leave out tower=, and give the pipeline its text encoders.",
        )
    try:
        own = towers_of(pipe, family) if has_own_kind(pipe, family) else []
    except TowerError:  # the pipeline's own cannot be run: nothing to compare with
        own = []
    check_compatible(pipe, own, tower, adapter, allow_unaligned=allow_unaligned)


def check_compatible(
    pipe: DiffusersPipeline,
    own: Sequence[TextTower],
    tower: TextTower,
    adapter: Adapter | None,
    *,
    allow_unaligned: bool,
) -> None:
    """Refuse a tower, or a tower with an adapter, whose embeddings the UNet does not understand.

    Shapes that cannot work are refused always; a missing alignment is a warning with
    `allow_unaligned`. A fine-tune of the model that an adapter was aligned to shares its text
    space: it gives only a warning.

    Args:
        own: the pipeline's own towers, as far as it has them.
    Raises:
        PipelineError: why, and what to do.
    """
    if adapter is None:
        check_width(tower.width, pipe, "Use the text tower that the UNet was trained with, or an "
                    f"adapter for this one. To train one: {ALIGN}")  # fmt: skip
        model = getattr(tower, "model", None)
        is_own = model is not None and model is getattr(pipe, "text_encoder", None)
        reasons = iter(()) if is_own else _reasons_without_adapter(tower, own)
        doubts = _unrelated(tower, own)
    else:
        _check_shapes(pipe, tower, adapter)
        reasons, doubts = _reasons_with_adapter(pipe, tower, adapter), _others(pipe, own, adapter)
    for message, remedy in reasons:
        if not allow_unaligned:
            raise PipelineError(message, f"{remedy}\n{_OVERRULE}")
        warn(message)
        doubts = iter(())
    for message in doubts:
        warn(message)


def _reasons_without_adapter(
    tower: TextTower, own: Sequence[TextTower]
) -> Iterator[tuple[str, str]]:
    """Give messages and remedies: why the UNet was not trained with a tower like this."""
    difference = _difference(tower, own)
    if difference:
        yield (
            f"{tower.name!r} was not trained with this pipeline's UNet ({difference}): what it "
            "says means nothing to the UNet, and pictures would not follow the prompt.",
            f"Give an adapter that was aligned to both: adapter='...'. To train one: {ALIGN}",
        )


def _difference(tower: TextTower, own: Sequence[TextTower]) -> str:
    """Say how a tower differs from the own one by more than fine-tuning; "" = it does not."""
    if not isinstance(tower, (*_OWN_KINDS, *map(type, own))):
        return f"it is a {type(tower).__name__}"
    if not own:  # nothing to compare with; a CLIP of the right width is what a UNet reads
        return ""
    theirs = own[0]
    if tower.depth != theirs.depth:
        return f"it has {tower.depth} blocks, the pipeline's own has {theirs.depth}"
    one, other = (
        (each.tokenizer.encode(_PROBE), each.special.bos, each.special.eos)
        for each in (tower, theirs)
    )
    return "" if one == other else "it has another vocabulary"


def _check_shapes(pipe: DiffusersPipeline, tower: TextTower, adapter: Adapter) -> None:
    """Refuse widths that do not match; no alignment could mend them."""
    config = adapter.config
    if config.tower_width != tower.width:
        raise PipelineError(
            f"The adapter reads a tower {config.tower_width} wide, but {tower.name!r} is "
            f"{tower.width} wide.",
            f"Use the tower that it was aligned to{_tower_named(adapter.record)}.",
        )
    check_width(config.width, pipe, _ANOTHER_ADAPTER)
    wanted = pooled_width(pipe)
    if wanted is not None and config.pooled_width != wanted:
        gives = "none" if config.pooled_width is None else f"one {config.pooled_width} wide"
        raise PipelineError(
            f"This pipeline's UNet reads a pooled vector {wanted} wide; the adapter gives {gives}.",
            _ANOTHER_ADAPTER,
        )


def _reasons_with_adapter(
    pipe: DiffusersPipeline, tower: TextTower, adapter: Adapter
) -> Iterator[tuple[str, str]]:
    """Give messages and remedies: why the adapter was not aligned to this tower and this UNet."""
    record = adapter.record
    if record is None:
        yield (
            "The adapter has no alignment record: nothing says to which tower and UNet it was "
            "aligned.",
            "Save it with its record (clipcond.adapters.save_adapter) and give the file.",
        )
        return
    found = tower_fingerprint(tower)
    if found != record.tower:
        cast_down = " (in bfloat16 it is not recognised: open it in float32, or by its name)"
        # twelve digits tell two hashes apart at a glance
        expected, got = record.tower[:12] or "unknown", found[:12] or "unknown"
        yield (
            f"The adapter was aligned to another tower{_tower_named(record)}: its hash begins with "
            f"{expected}, that of {tower.name!r} with {got}.",
            f"Use that tower{cast_down if tower.dtype == torch.bfloat16 else ''}, or align an "
            f"adapter to this one: {ALIGN}",
        )
    family = unet_family(_unet(pipe))
    if family != record.family:
        yield (
            f"The adapter was aligned to a UNet of family {record.family!r}, but this pipeline's "
            f"is {family!r}: the same tower needs another adapter for it.",
            _ANOTHER_ADAPTER,
        )


def _unrelated(tower: TextTower, own: Sequence[TextTower]) -> Iterator[str]:
    """Say that a tower of the pipeline's shape was trained apart: its text space is another."""
    tables = [table for each in (tower, *own[:1]) for table in _token_tables(each)]
    if len(tables) < 2:
        return
    n_both = min(len(table) for table in tables)
    one, other = (table[:n_both].float().flatten() for table in tables)
    likeness = float(torch.nn.functional.cosine_similarity(one, other.to(one.device), dim=0))
    if likeness < _RELATED:
        yield (
            f"{tower.name!r} has the shape of the pipeline's own text tower, but seems to have "
            f"been trained apart from it (cosine of their token embeddings {likeness:.2f}): "
            "pictures may not follow the prompt"
        )


def _token_tables(tower: TextTower) -> list[Tensor]:
    """List the tower's token embeddings [vocabulary D]; none where they are not in memory."""
    weights = getattr(tower, "model", nn.Module()).named_parameters()
    found = [table for name, table in weights if name.endswith("token_embedding.weight")]
    return [table.detach() for table in found[:1] if not table.is_meta]


def _others(pipe: DiffusersPipeline, own: Sequence[TextTower], adapter: Adapter) -> Iterator[str]:
    """Say that UNet or text tower are others of the same family; bfloat16 hides which they are."""
    unet, encoders = _unet(pipe), [getattr(tower, "model", nn.Module()) for tower in own]
    record, others = adapter.record, []
    if record is None:
        return
    if is_comparable(unet) and unet_fingerprint(unet) != record.unet:
        others.append("UNet")
    comparable = bool(encoders) and all(map(is_comparable, encoders))
    if comparable and teacher_fingerprint(own) != record.teacher:
        others.append("text tower")
    if others:
        yield (
            f"the adapter was aligned to another {' and '.join(others)} of the same family "
            f"({record.family!r}): what was trained on top of that family is mostly kept, but "
            "pictures may follow the prompt less well"
        )


def _unet(pipe: DiffusersPipeline) -> nn.Module:
    return cast(nn.Module, getattr(pipe, "unet", None))


def _tower_named(record: AlignmentRecord | None) -> str:
    return "" if record is None else f", {record.tower_name!r}"
