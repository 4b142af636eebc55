"""Attach a Conditioner to a pipeline, and detach it again."""

from __future__ import annotations

from os import PathLike
from typing import TypeVar

from clipcond.adapters import Adapter
from clipcond.conditioning.cache import CACHE_BYTES
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName
from clipcond.conditioning.prompt_text import ExtraNetworks
from clipcond.errors import PipelineError
from clipcond.pipelines.attachment import Attachment, attachment_of
from clipcond.pipelines.families.refusals import refusal
from clipcond.pipelines.own_encoders import check_is_own
from clipcond.pipelines.protocols import ConditionedPipeline, DiffusersPipeline
from clipcond.pipelines.steps import StepCount, check_idle
from clipcond.towers import HiddenLayer, TextTower
from clipcond.weighting import NormalizeChoice, WeightingChoice

Pipe = TypeVar("Pipe")


def attach(
    pipe: DiffusersPipeline,
    *,
    clip_skip: int | None = None,
    dialect: DialectName | Dialect = "a1111",
    weighting: WeightingChoice | None = None,
    normalize: NormalizeChoice | None = None,
    layer: HiddenLayer | tuple[HiddenLayer, ...] | None = None,
    tower: TextTower | str | PathLike[str] | None = None,
    adapter: Adapter | str | PathLike[str] | None = None,
    allow_unaligned: bool = False,
    fullwidth: bool | None = None,
    extra_networks: ExtraNetworks = None,
    allow_pickle: bool = False,
    max_chunks: int | None = None,
    cache_bytes: int = CACHE_BYTES,
    step_count: StepCount = "a1111",
) -> ConditionedPipeline:
    """Let the prompts of a diffusers pipeline go through a Conditioner.

    Works on `pipe` itself and returns it; `detach(pipe)` undoes it. Attaching again replaces the
    choices, and keeps textual inversions. `pipe.conditioner` is the Conditioner in use; assign
    another to change it.
    `from_pipe` makes a new, stock pipeline: attach that one too, and to share choices and cache
    say `new.conditioner = pipe.conditioner`.

    Args:
        pipe: a pipeline that CLIP conditions, for any task. Without its text encoders it takes
            `prompt_embeds` as before, and raises an error where it is to encode text.
        clip_skip: 1 = last layer (plain diffusers), 2 = penultimate; for positive and negative. In
            XL 1 and 2 are both the penultimate layer, which plain diffusers takes. None = the
            model's own where its text encoder's configuration names one, else 1.
            `pipe(..., clip_skip=n)` counts the same way and goes before this.
        dialect, weighting, normalize, layer, fullwidth, extra_networks, max_chunks, cache_bytes: as
            for `Conditioner`.
        tower: a tower, or a name for `load_tower`, instead of the pipeline's own text encoder. A
            tower that is opened here by its name moves with the pipeline to its device and dtype; a
            tower of yours stays where you put it. Needed where the text encoder is a BERT.
        adapter: maps a tower of another kind into the space that the UNet reads; or its path.
        allow_unaligned: only warn where no record says that tower, adapter and UNet go together.
        allow_pickle: read weights, and nothing else, out of a tower's pickle.
        step_count: "a1111" = image-to-image begins at step 0; "schedule" = where strength leads.
    Raises:
        PipelineError: not a supported family; a BERT without `tower`; the tower's width does not
            fit; or tower, adapter and UNet do not belong together (see `check_compatible`).
        CheckpointError: the tower or the adapter cannot be read.
        UnknownNameError: no such dialect, weighting or normalization.
        ArgumentError: both clip_skip and layer are given.
    """
    choices = {
        **{"clip_skip": clip_skip, "dialect": dialect, "weighting": weighting, "layer": layer},
        **{"normalize": normalize, "fullwidth": fullwidth, "extra_networks": extra_networks},
        **{"max_chunks": max_chunks, "cache_bytes": cache_bytes, "step_count": step_count},
    }
    check_is_own(pipe, is_chosen=tower is not None or attachment_of(pipe) is not None)
    attachment = Attachment(
        choices, tower, adapter, allow_unaligned=allow_unaligned, allow_pickle=allow_pickle
    )
    attachment.explains_clip_skip = clip_skip is None  # code for plain diffusers counts otherwise
    return attachment.put_on(pipe)


def detach(pipe: Pipe) -> Pipe:
    """Undo `attach`: the pipeline is as it was before. Does nothing if it is not attached.

    Raises:
        PipelineError: it is a class or no pipeline; or a call of it is drawing a prompt over time,
            and goes on after a callback.
    """
    if isinstance(pipe, type):
        raise PipelineError(f"detach needs an object, not the class {pipe.__name__}")
    if not callable(pipe):
        raise refusal(pipe)
    attachment = attachment_of(pipe)
    if attachment is not None:
        check_idle(pipe)
        attachment.take_off(pipe)
    return pipe
