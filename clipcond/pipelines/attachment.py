"""Put a Conditioner in the place of a pipeline's `encode_prompt`, and take it out again.

Two attributes of the pipeline *instance* are all that changes: `encode_prompt`, an `Attachment`,
and `conditioner`. The class stays the stock one, so `save_pretrained` writes a stock folder; the
modules are not touched, so LoRA loaders, hooks and offloading find what they expect. The
Attachment is an object that knows its pipeline, not a closure: a deep copy of the pipeline takes
along a copy that knows the new pipeline.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from clipcond.adapters import Adapter
from clipcond.checkpoints import load_tower
from clipcond.checkpoints.textual_inversions import hand_on
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.dialects import Dialect
from clipcond.errors import PipelineError, excerpt
from clipcond.pipelines.compatibility import check_compatible, embedded_adapter, open_adapter
from clipcond.pipelines.families import Family, family_of
from clipcond.pipelines.prompt_embeds import (
    EncodePromptArguments,
    check_width,
    make_prompt_embeds,
    model_dtype,
)
from clipcond.pipelines.protocols import ConditionedPipeline, DiffusersPipeline
from clipcond.towers import HiddenLayer, OpenAIClipTower, TextTower
from clipcond.weighting import Normalize, Rule

__all__ = ["Attachment", "attach", "attachment_of", "detach"]

Pipe = TypeVar("Pipe")

# What a text tower computes in; a UNet may be stored in less.
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_ATTRIBUTES = ("encode_prompt", "conditioner")


def attach(
    pipe: DiffusersPipeline,
    *,
    clip_skip: int = 1,
    dialect: str | Dialect = "a1111",
    weighting: str | Rule | None = None,
    normalize: str | Normalize | None = None,
    layer: HiddenLayer | tuple[HiddenLayer, ...] | None = None,
    tower: TextTower | str | PathLike[str] | None = None,
    adapter: Adapter | str | PathLike[str] | None = None,
    allow_unaligned: bool = False,
    fullwidth: bool | None = None,
    allow_pickle: bool = False,
) -> ConditionedPipeline:
    """Let the prompts of a Stable Diffusion 1.x, 2.x or XL pipeline go through a Conditioner.

    Works on `pipe` itself and returns it; `detach(pipe)` undoes it. Attaching again replaces the
    choices, and keeps textual inversions. `pipe.conditioner` is the Conditioner in use; assign
    another to change it.
    `from_pipe` makes a new, stock pipeline: attach that one too, and to share choices and cache
    say `new.conditioner = pipe.conditioner`.

    Args:
        pipe: any pipeline with Stable Diffusion's `encode_prompt`: text-to-image, image-to-image,
            inpainting, ControlNet, ...
        clip_skip: 1 = last layer (plain diffusers), 2 = penultimate; for positive and negative. In
            XL 1 and 2 are both the penultimate layer, which plain diffusers takes.
            `pipe(..., clip_skip=n)` counts the same way and goes before this.
        dialect, weighting, normalize, layer, fullwidth: as for `Conditioner`.
        tower: a tower, or a name for `load_tower`, instead of the pipeline's own text encoder. A
            tower that is opened here by its name moves with the pipeline to its device and dtype; a
            tower of yours stays where you put it.
        adapter: for a tower of another kind than the pipeline's own: what maps its hidden states
            into the space that the UNet reads; the adapter, or the path of its file.
        allow_unaligned: only warn where no alignment record says that tower, adapter and UNet
            belong together.
        allow_pickle: read weights, and nothing else, out of a tower's pickle.
    Raises:
        PipelineError: not a supported family; no text encoder; the tower's width does not fit; or
            tower, adapter and UNet do not belong together (see `check_compatible`).
        CheckpointError: the tower or the adapter cannot be read.
        UnknownNameError: no such dialect, weighting or normalisation.
    """
    choices = {
        "clip_skip": clip_skip,
        "dialect": dialect,
        "weighting": weighting,
        "normalize": normalize,
        "layer": layer,
        "fullwidth": fullwidth,
    }
    family_of(pipe)  # refuses other families before anything is opened
    return Attachment(
        choices, tower, adapter, allow_unaligned=allow_unaligned, allow_pickle=allow_pickle
    ).put_on(pipe)


def attachment_of(pipe: object) -> Attachment | None:
    """The pipeline's Attachment; None = the pipeline is not attached."""
    found = vars(pipe).get("encode_prompt")
    return found if isinstance(found, Attachment) else None


def detach(pipe: Pipe) -> Pipe:
    """Undo `attach`: the pipeline is as it was before. Does nothing if it is not attached."""
    attachment = attachment_of(pipe)
    if attachment is not None:
        for name in _ATTRIBUTES:
            vars(pipe).pop(name, None)
        vars(pipe).update(attachment.replaced)
    return pipe


class Attachment:
    """A substitute for one pipeline's `encode_prompt`: the same arguments and kind of result."""

    _pipe: weakref.ref[ConditionedPipeline]
    family: Family
    replaced: dict[str, Any]  # the pipeline's own values of `_ATTRIBUTES`, for detach

    def __init__(
        self,
        choices: Mapping[str, Any],
        tower: TextTower | str | PathLike[str] | None,
        adapter: Adapter | str | PathLike[str] | None,
        *,
        allow_unaligned: bool,
        allow_pickle: bool = False,
    ) -> None:
        """Open tower and adapter; `choices` are arguments of Conditioner."""
        self.choices = choices
        is_name = isinstance(tower, str | PathLike)
        if not (is_name or tower is None or hasattr(tower, "encode")) or isinstance(tower, bytes):
            raise PipelineError(
                f"tower={excerpt(repr(tower))} is no text tower.",
                "Give a tower, or a name, folder or file for load_tower.",
            )
        self.tower_name = str(tower) if is_name else None
        self.tower: Any = tower
        if isinstance(tower, str | PathLike):
            self.tower = load_tower(tower, allow_pickle=allow_pickle)
        self.adapter = open_adapter(adapter)
        self.allow_unaligned = allow_unaligned
        self._made: Conditioner | None = None
        self._made_from: tuple[object, ...] = ()

    def put_on(self, pipe: DiffusersPipeline) -> ConditionedPipeline:
        """Attach a pipeline; where that raises an error, the pipeline stays as it was."""
        conditioned, before = cast(ConditionedPipeline, pipe), attachment_of(pipe)
        # Weak, or the pipeline would be part of a cycle and `del pipe` would not free its memory.
        self._pipe = weakref.ref(conditioned)
        self.family = family_of(pipe)
        own = {name: vars(pipe)[name] for name in _ATTRIBUTES if name in vars(pipe)}
        self.replaced = own if before is None else before.replaced
        if self.adapter is None and self.tower_name is not None:
            self.adapter = embedded_adapter(self.tower_name, pipe)
        self._check_compatible()
        vars(pipe).update(conditioner=self.make_conditioner(), encode_prompt=self)
        return conditioned

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pipe": self.pipe}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _pipe=weakref.ref(state["_pipe"]))

    @property
    def __signature__(self) -> inspect.Signature:
        stock = type(self.pipe).encode_prompt  # type: ignore[attr-defined]  # checked by family_of
        return inspect.signature(stock.__get__(self.pipe))

    @property
    def pipe(self) -> ConditionedPipeline:
        pipe = self._pipe()
        if pipe is None:
            raise PipelineError(
                "The pipeline that this encode_prompt belonged to no longer exists."
            )
        return pipe

    @property
    def conditioner(self) -> Conditioner:
        """The pipeline's Conditioner; a new one if its text encoder or tokenizer was replaced.

        The new one gets the textual inversions of the old one, as far as they fit.
        """
        conditioner: Conditioner | None = vars(self.pipe).get("conditioner")
        stale = conditioner is self._made and any(
            new is not old for new, old in zip(self._components(), self._made_from, strict=True)
        )
        if stale or conditioner is None:
            conditioner = vars(self.pipe)["conditioner"] = self.make_conditioner()
        return conditioner

    def make_conditioner(self) -> Conditioner:
        towers = [self.tower] if self.tower is not None else self._own_towers()
        if self.adapter is None:
            check_width(sum(tower.width for tower in towers), self.pipe)
        self._made_from = self._components()
        self._made = Conditioner(*towers, **self.choices, adapter=self.adapter)
        before = vars(self.pipe).get("conditioner")
        if self.tower is None and isinstance(before, Conditioner):
            hand_on(before.towers, towers)
        return self._made

    def _check_compatible(self) -> None:
        if self.tower is not None:
            own = self._own_towers() if self._has_clip() else []
            check_compatible(
                self.pipe, own, self.tower, self.adapter, allow_unaligned=self.allow_unaligned
            )
        elif self.adapter is not None:
            record = self.adapter.record
            named = "" if record is None else f": it was aligned to {record.tower_name!r}"
            raise PipelineError(
                "An adapter was given without the tower that it reads.", f"Say tower=...{named}."
            )

    def move_tower(self, device: torch.device | None) -> None:
        """Move a tower that was opened by name to the pipeline's device and dtype."""
        tower, dtype = self.tower, model_dtype(self.pipe)
        if tower is None or self.tower_name is None or dtype not in _DTYPES:
            return
        device = tower.device if device is None else torch.device(device)
        if (tower.device, tower.dtype) != (device, dtype):
            tower.model.to(device, dtype)

    def _components(self) -> tuple[object, ...]:
        return tuple(
            getattr(self.pipe, name, None) for pair in self.family.encoders for name in pair
        )

    def _own_towers(self) -> list[TextTower]:
        for name in (name for pair in self.family.encoders for name in pair):
            if getattr(self.pipe, name, None) is None:
                raise PipelineError(
                    f"This {type(self.pipe).__name__} has no {name}.",
                    "Load it with one, or say which tower to use: attach(pipe, tower=...).",
                )
        if not self._has_clip():
            raise PipelineError(
                f"The text encoder of this {type(self.pipe).__name__}, a "
                f"{type(self._components()[0]).__name__}, is no CLIP text model.",
                "Say which tower reads its prompts: attach(pipe, tower=...). For a BERT that is "
                "ChineseClipTower(pipe.text_encoder, pipe.tokenizer) of clipcond.towers.",
            )
        return [
            OpenAIClipTower(getattr(self.pipe, encoder), getattr(self.pipe, tokenizer))
            for encoder, tokenizer in self.family.encoders
        ]

    def _has_clip(self) -> bool:
        """Whether the pipeline has all of its text encoders, and they are CLIP's."""
        encoders = [getattr(self.pipe, encoder, None) for encoder, _ in self.family.encoders]
        return all(self._components()) and all(map(OpenAIClipTower.is_model, encoders))

    @torch.no_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Tensor | None, ...]:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        call = EncodePromptArguments(**bound.arguments)
        self.move_tower(call.device)
        with _lora_scaled(self.pipe, self.family, call.lora_scale):
            made = make_prompt_embeds(self.pipe, self.conditioner, call)
        return tuple(getattr(made, name) for name in self.family.returns)


@contextmanager
def _lora_scaled(pipe: object, family: Family, scale: float | None) -> Iterator[None]:
    """Let the text encoders' LoRA layers act with `scale`, as diffusers does, and undo it."""
    from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
    from diffusers.utils import USE_PEFT_BACKEND, scale_lora_layers, unscale_lora_layers

    loaders = (StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin)
    models = []
    if scale is not None and isinstance(pipe, loaders):
        vars(pipe)["_lora_scale"] = scale
        # Without peft no LoRA can have been loaded, so there is nothing to scale.
        names = [encoder for encoder, _ in family.encoders if USE_PEFT_BACKEND]
        models = [model for model in (getattr(pipe, n, None) for n in names) if model is not None]
    for model in models:
        scale_lora_layers(model, scale)
    try:
        yield
    finally:
        for model in models:
            unscale_lora_layers(model, scale)
