"""Does a tower speak the UNet's language? Refuse one that does not, and say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import torch

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
from clipcond.embedded import adapter_file
from clipcond.errors import ClipcondWarning, PipelineError, warn
from clipcond.pipelines.prompt_embeds import check_width, pooled_width
from clipcond.towers import OpenAIClipTower, OpenClipTower, TextTower

__all__ = ["check_fit", "opened"]

ALIGN = "clipcond align --teacher PIPE --tower TOWER --pairs PAIRS -o adapter.safetensors"
ALL_THE_SAME = "allow_unaligned=True takes it all the same."
# Towers that read CLIP's vocabulary from left to right, as the UNets' own do.
OWN_KINDS = (OpenAIClipTower, OpenClipTower)
# Cosine of two token tables: near 1 after any fine-tuning, near 0 when trained apart.
RELATED = 0.5
_PROBE = "a photo of a red cat, 1980s"


def opened(
    adapter: Adapter | str | PathLike[str] | None, tower: TextTower | str | None, pipe: Any
) -> Adapter | None:
    """An adapter from its file; that of an embedded tower by itself, if it is for this UNet.

    Raises:
        CheckpointError: the file cannot be read as an adapter.
        PipelineError: something else was given.
    """
    if adapter is None:
        own = adapter_file(tower) if isinstance(tower, str) else None
        found = None if own is None else load_adapter(own)[0]
        return found if found is not None and _is_of(found, pipe.unet) else None
    if isinstance(adapter, str | PathLike):
        return load_adapter(adapter)[0]
    if not isinstance(adapter, Adapter):
        raise PipelineError(
            f"adapter={adapter!r} is no adapter.", "Give the path of its file, or an Adapter."
        )
    return adapter


def check_fit(
    pipe: Any,
    own: Sequence[TextTower],
    tower: TextTower,
    adapter: Adapter | None,
    *,
    allow_unaligned: bool,
) -> None:
    """Refuse a tower, or a tower with an adapter, that means nothing to the pipeline's UNet.

    Shapes that cannot work are refused always; a missing alignment is a warning with
    `allow_unaligned`. A fine-tune of the model that an adapter was aligned to shares its text
    space, so that one is only warned of.

    Args:
        own: the pipeline's own towers, as far as it has them.
    Raises:
        PipelineError: why, and what to do.
    """
    if adapter is None:
        check_width(tower.width, pipe, "Use the text tower that the UNet was trained with, or an "
                    f"adapter for this one. To train one: {ALIGN}")  # fmt: skip
        reasons = list(_without_adapter(tower, own))
    else:
        _check_shapes(pipe, tower, adapter)
        reasons = list(_with_adapter(pipe, tower, adapter))
    for message, remedy in reasons:
        if not allow_unaligned:
            raise PipelineError(message, f"{remedy}\n{ALL_THE_SAME}")
        warn(ClipcondWarning(message))
    if reasons:
        return
    if adapter is None:
        _warn_of_strangers(tower, own)
    elif adapter.record is not None:
        _warn_of_others(pipe, own, adapter.record)


def _without_adapter(tower: TextTower, own: Sequence[TextTower]) -> Iterator[tuple[str, str]]:
    difference = _difference(tower, own)
    if difference:
        yield (
            f"{tower.name!r} was not trained with this pipeline's UNet ({difference}): what it "
            "says means nothing to the UNet, and pictures would not follow the prompt.",
            f"Give an adapter that was aligned to both: adapter='...'. To train one: {ALIGN}",
        )


def _difference(tower: TextTower, own: Sequence[TextTower]) -> str:
    """How a tower differs from the pipeline's own by more than fine-tuning; "" = it does not."""
    if not isinstance(tower, OWN_KINDS):
        return f"it is a {type(tower).__name__}"
    if not own:  # nothing to compare with; a CLIP of the right width is what a UNet reads
        return ""
    theirs = own[0]
    if tower.depth != theirs.depth:
        return f"it has {tower.depth} blocks, the pipeline's own has {theirs.depth}"
    one, other = (each.tokenizer.encode(_PROBE) for each in (tower, theirs))
    specials = [(each.special.bos, each.special.eos) for each in (tower, theirs)]
    return "" if one == other and specials[0] == specials[1] else "it has another vocabulary"


def _check_shapes(pipe: Any, tower: TextTower, adapter: Adapter) -> None:
    """What no alignment could mend."""
    config = adapter.config
    if config.tower_width != tower.width:
        raise PipelineError(
            f"The adapter reads a tower {config.tower_width} wide, but {tower.name!r} is "
            f"{tower.width} wide.",
            f"Use the tower that it was aligned to{_called(adapter.record)}.",
        )
    check_width(config.width, pipe, f"Use an adapter aligned to this UNet. To train one: {ALIGN}")
    reads = pooled_width(pipe)
    if reads is not None and config.pooled_width != reads:
        gives = "none" if config.pooled_width is None else f"one {config.pooled_width} wide"
        raise PipelineError(
            f"This pipeline's UNet reads a pooled vector {reads} wide; the adapter gives {gives}.",
            f"Use an adapter aligned to this UNet. To train one: {ALIGN}",
        )


def _with_adapter(pipe: Any, tower: TextTower, adapter: Adapter) -> Iterator[tuple[str, str]]:
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
        yield (
            f"The adapter was aligned to another tower{_called(record)}: its hash begins with "
            f"{_short(record.tower)}, that of {tower.name!r} with {_short(found)}.",
            f"Use that tower{_in_bfloat16(tower)}, or align an adapter to this one: {ALIGN}",
        )
    family = unet_family(pipe.unet)
    if family != record.family:
        yield (
            f"The adapter was aligned to a UNet of family {record.family!r}, but this pipeline's "
            f"is {family!r}: the same tower needs another adapter for it.",
            f"Use an adapter aligned to this UNet. To train one: {ALIGN}",
        )


def _warn_of_strangers(tower: TextTower, own: Sequence[TextTower]) -> None:
    """A tower of the same shape that was trained apart has another text space."""
    tables = [_token_table(each) for each in (tower, *own[:1])]
    if len(tables) < 2 or any(table is None for table in tables):
        return
    n_both = min(len(table) for table in tables)
    one, other = (table[:n_both].float().flatten() for table in tables)
    likeness = float(torch.nn.functional.cosine_similarity(one, other.to(one.device), dim=0))
    if likeness < RELATED:
        warn(
            ClipcondWarning(
                f"{tower.name!r} has the shape of the pipeline's own text tower, but seems to have "
                f"been trained apart from it (cosine of their token embeddings {likeness:.2f}): "
                "pictures may not follow the prompt"
            )
        )


def _token_table(tower: TextTower) -> Any:
    weights = dict(getattr(tower, "model", torch.nn.Module()).named_parameters())
    found = (w for name, w in weights.items() if name.endswith("token_embedding.weight"))
    table = next(found, None)
    return None if table is None or table.is_meta else table.detach()


def _warn_of_others(pipe: Any, own: Sequence[TextTower], record: AlignmentRecord) -> None:
    """Another UNet or text tower of the same family; in bfloat16 that cannot be told."""
    models = {"UNet": [pipe.unet], "text tower": [getattr(t, "model", None) for t in own]}
    hashes = {
        "UNet": (record.unet, lambda: unet_fingerprint(pipe.unet)),
        "text tower": (record.teacher, lambda: teacher_fingerprint(own)),
    }
    others = [
        what
        for what, (expected, found) in hashes.items()
        if models[what] and all(map(is_comparable, models[what])) and found() != expected
    ]
    if others:
        warn(
            ClipcondWarning(
                f"the adapter was aligned to another {' and '.join(others)} of the same family "
                f"({record.family!r}): what was trained on top of that family is mostly kept, but "
                "pictures may follow the prompt less well"
            )
        )


def _is_of(adapter: Adapter, unet: Any) -> bool:
    record = adapter.record
    width = unet.config.get("cross_attention_dim")
    return record is not None and (record.family, record.width) == (unet_family(unet), width)


def _called(record: AlignmentRecord | None) -> str:
    return "" if record is None else f", {record.tower_name!r}"


def _in_bfloat16(tower: TextTower) -> str:
    if tower.dtype != torch.bfloat16:
        return ""
    return " (in bfloat16 it is not recognised: open it in float32, or by its name)"


def _short(fingerprint: str) -> str:
    """As much of a hash as tells two apart at a glance."""
    return fingerprint[:12] or "unknown"
