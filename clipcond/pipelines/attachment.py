"""Put a Conditioner in the place of a pipeline's `encode_prompt`.

Two attributes of the pipeline *instance* change: `encode_prompt`, an `Attachment`, and
`conditioner`. The class stays the stock one, or becomes a subclass of its name where the model has
default arguments of its own, so `save_pretrained` writes a stock folder; the modules are not
touched, so LoRA loaders, hooks and offloading find what they expect. The Attachment is an object
that knows its pipeline, not a closure: a copy of the pipeline gets a copy that knows the new one.
"""

from __future__ import annotations

import copy
import copyreg
import functools
import inspect
import sys
import weakref
from collections.abc import Mapping
from contextlib import nullcontext
from os import PathLike
from typing import Any, cast

import torch
from torch import Tensor

from clipcond.adapters import Adapter
from clipcond.checkpoints.textual_inversions import hand_on
from clipcond.conditioning.conditioner import Conditioner
from clipcond.errors import ClipcondWarning, PipelineError, warn
from clipcond.pipelines import compatibility
from clipcond.pipelines.families import Family, family_of
from clipcond.pipelines.lora_scale import lora_scaled
from clipcond.pipelines.own_towers import own_tower
from clipcond.pipelines.prompt_embeds import (
    EncodePromptArguments,
    check_width,
    make_prompt_embeds,
    model_dtype,
)
from clipcond.pipelines.protocols import ConditionedPipeline, DiffusersPipeline
from clipcond.towers import OpenAIClipTower, TextTower
from clipcond.towers.base import own_defaults

__all__ = ["Attachment", "attachment_of"]

# What a text tower computes in; a UNet may be stored in less.
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_OWN_DEFAULTS = ("guidance_scale", "num_inference_steps")
_ATTRIBUTES = ("encode_prompt", "conditioner")


def attachment_of(pipe: object) -> Attachment | None:
    """The pipeline's Attachment; None = the pipeline is not attached."""
    found = vars(pipe).get("encode_prompt")
    return found if isinstance(found, Attachment) else None


class Attachment:
    """A substitute for one pipeline's `encode_prompt`: the same arguments and kind of result."""

    _pipe: weakref.ref[ConditionedPipeline]
    family: Family
    replaced: dict[str, Any]  # the pipeline's own values of `_ATTRIBUTES`, for detach
    replaced_class: type  # and its own class

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
        self.tower_name = str(tower) if isinstance(tower, str | PathLike) else None
        self.tower = compatibility.open_tower(tower, allow_pickle=allow_pickle)
        self.adapter = compatibility.open_adapter(adapter)
        self.allow_unaligned = allow_unaligned
        self.explains_clip_skip = False
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
        self.replaced_class = type(pipe) if before is None else before.replaced_class
        if self.adapter is None and self.tower_name is not None:
            self.adapter = compatibility.embedded_adapter(self.tower_name, pipe)
        self._check_compatible()
        vars(pipe).update(conditioner=self.make_conditioner(), encode_prompt=self)
        _use_own_defaults(pipe)
        copyreg.pickle(type(pipe), _reduced)
        return conditioned

    def take_off(self, pipe: object) -> None:
        """Detach the pipeline: it is as it was before."""
        for name in _ATTRIBUTES:
            vars(pipe).pop(name, None)
        vars(pipe).update(self.replaced)
        pipe.__class__ = self.replaced_class

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
            compatibility.check_compatible(
                self.pipe, own, self.tower, self.adapter, allow_unaligned=self.allow_unaligned
            )
        elif self.adapter is not None:
            compatibility.refuse_lone_adapter(self.adapter)

    def move_tower(self, device: torch.device | None) -> None:
        """Move a tower that was opened by name to the pipeline's device and dtype."""
        tower, dtype = self.tower, model_dtype(self.pipe)
        if tower is None or self.tower_name is None or dtype not in _DTYPES:
            return
        device = tower.device if device is None else torch.device(device)
        if (tower.device, tower.dtype) != (device, dtype):
            tower.model.to(device, dtype)  # type: ignore[attr-defined]  # load_tower's have one

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
        pairs = [iter(self._components())] * 2
        towers = [own_tower(*pair) for pair in zip(*pairs, strict=True)]
        if None in towers:
            raise PipelineError(
                f"The text encoder of this {type(self.pipe).__name__}, a "
                f"{type(self._components()[0]).__name__}, is no CLIP text model and no BERT.",
                "Say which tower reads its prompts: attach(pipe, tower=...).",
            )
        return [tower for tower in towers if tower is not None]

    def _has_clip(self) -> bool:
        """Whether the pipeline has all of its text encoders, and they are CLIP's."""
        encoders = [getattr(self.pipe, encoder, None) for encoder, _ in self.family.encoders]
        return None not in self._components() and all(map(OpenAIClipTower.is_model, encoders))

    @torch.no_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Tensor | None, ...]:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        call = EncodePromptArguments(**bound.arguments)
        if isinstance(call.clip_skip, int) and self.explains_clip_skip:
            self.explains_clip_skip = False
            _warn_of_clip_skip(call.clip_skip)
        self.move_tower(call.device)
        scale = call.lora_scale
        with nullcontext() if scale is None else lora_scaled(self.pipe, self.family, scale):
            made = make_prompt_embeds(self.pipe, self.conditioner, call)
        return tuple(getattr(made, name) for name in self.family.returns)


def _reduced(pipe: object) -> Any:
    """Take a pipeline apart for the modules copy and pickle: as usual, except for `copy.copy`.

    A shallow copy shares what the pipeline has, its Attachment too, which would go on encoding with
    the first pipeline's text encoder after the copy was given another.
    """
    attachment = attachment_of(pipe)
    if attachment is None or sys._getframe(1).f_code is not copy.copy.__code__:
        return pipe.__reduce_ex__(4)
    twin, own = object.__new__(type(pipe)), copy.copy(attachment)
    own._pipe = weakref.ref(cast(ConditionedPipeline, twin))
    vars(twin).update(vars(pipe), encode_prompt=own)
    return (lambda: twin), ()


def _warn_of_clip_skip(n: int) -> None:
    """Warn code that was written for plain diffusers that clip skip counts otherwise here."""
    message = (
        f"clip_skip={n} is layer {n} from the end here, as A1111 counts; plain diffusers means "
        f"layer {n + 1} by it, which is clip_skip={n + 1} here. Say clip_skip= in attach(), and "
        "this is not shown again."
    )
    warn(ClipcondWarning(message))


def _use_own_defaults(pipe: Any) -> None:
    """Give a pipeline its model's own default arguments, if the text encoder names some.

    diffusers keeps defaults in the signature of the class's `__call__`. So the pipeline gets a
    subclass of its class, of the same name: what `save_pretrained` writes stays a stock folder.
    """
    named = own_defaults(getattr(pipe, "text_encoder", None))
    if not named:
        return
    accepted = _signature(type(pipe)).parameters
    own = tuple((name, named[name]) for name in _OWN_DEFAULTS if name in named and name in accepted)
    if own:
        pipe.__class__ = _with_defaults(cast(Any, type(pipe)), own)


def _signature(kind: type) -> inspect.Signature:
    """Find the arguments of a pipeline's call; a mixin may only hand them on."""
    calls = (vars(each)["__call__"] for each in kind.__mro__ if "__call__" in vars(each))
    found = [inspect.signature(call) for call in calls]
    kinds = ({p.kind for p in signature.parameters.values()} for signature in found)
    named = (inspect.Parameter.VAR_POSITIONAL not in each for each in kinds)
    return next((sig for sig, is_named in zip(found, named, strict=True) if is_named), found[0])


@functools.cache
def _with_defaults(stock: Any, own: tuple[tuple[str, float], ...]) -> type:
    """Make a subclass whose `__call__` has these defaults."""
    signature, values = _signature(stock), dict(own)

    @functools.wraps(stock.__call__)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind_partial(self, *args, **kwargs).arguments
        missing = {name: value for name, value in own if name not in given}
        return stock.__call__(self, *args, **kwargs, **missing)

    def reduce_ex(self: Any, protocol: Any) -> Any:
        # pickle finds a class by its name, which is the stock one's
        return (_new, (stock, own), *object.__reduce_ex__(self, protocol)[2:])

    parameters = [
        p.replace(default=values.get(p.name, p.default)) for p in signature.parameters.values()
    ]
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    names = {name: getattr(stock, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(stock.__name__, (stock,), {**names, "__call__": call, "__reduce_ex__": reduce_ex})


def _new(stock: type, own: tuple[tuple[str, float], ...]) -> object:
    return object.__new__(_with_defaults(stock, own))
