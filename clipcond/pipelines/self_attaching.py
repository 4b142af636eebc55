"""Make diffusers pipelines that attach themselves, for `custom_pipeline=`."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import diffusers
from diffusers.image_processor import PipelineImageInput as Image

from clipcond.errors import warn
from clipcond.pipelines.attaching import attach
from clipcond.pipelines.attachment import Attachment
from clipcond.pipelines.families import class_for_task, family_of
from clipcond.pipelines.protocols import ConditionedPipeline, DiffusersPipeline

Prompt: TypeAlias = str | list[str] | None
_CHOICES = [p for p in inspect.signature(attach).parameters.values() if p.kind is p.KEYWORD_ONLY]


class SelfAttaching:
    """A mixin that lets a stock pipeline attach itself, with the extra methods of lpw.

    The choices of `attach` become arguments of `__init__`, so that diffusers' `from_pretrained` and
    `from_pipe` pass them on; keywords of the class statement change their defaults. A subclass
    takes the stock class's name, which `save_pretrained` writes: what it saves is a stock folder.
    """

    def __init_subclass__(cls, **defaults: Any) -> None:
        super().__init_subclass__()
        if SelfAttaching in cls.__bases__:
            cls.__init__ = _attaching(super().__init__, defaults)  # type: ignore[method-assign]

    def __call__(self, *args: Any, **call: Any) -> Any:
        stock: Any = super()
        return stock.__call__(*args, **_without_limit(call))

    def text2img(self, prompt: Prompt, **call: Any) -> Any:
        """Draw from text alone, as lpw's method does; `call` is the pipeline's."""
        return self._task("text2image")(prompt, **_without_limit(call))

    def img2img(self, image: Image, prompt: Prompt, **call: Any) -> Any:
        """Draw over a picture, as lpw's method does; `call` is the pipeline's."""
        pipe = self._task("image2image")
        return pipe(prompt, image=image, **_without_limit(call))

    def inpaint(self, image: Image, mask_image: Image, prompt: Prompt, **call: Any) -> Any:
        """Fill the white of a mask, as lpw's method does; `call` is the pipeline's."""
        pipe = self._task("inpainting")
        return pipe(prompt, image=image, mask_image=mask_image, **_without_limit(call))

    def _task(self, task: str) -> ConditionedPipeline:
        """Make a stock pipeline for another task, of the same models and Conditioner."""
        attachment: Attachment = vars(self)["encode_prompt"]
        stock = getattr(diffusers, class_for_task(family_of(self), task))
        pipe = copy.copy(attachment).put_on(stock.from_pipe(self))
        pipe.conditioner = attachment.conditioner
        return pipe


def _attaching(stock: Callable[..., None], defaults: Mapping[str, Any]) -> Callable[..., None]:
    @functools.wraps(stock)
    def init(self: DiffusersPipeline, *args: Any, **kwargs: Any) -> None:
        given = {p.name: kwargs.pop(p.name) for p in _CHOICES if p.name in kwargs}
        stock(self, *args, **kwargs)
        attach(self, **{**defaults, **given})

    signature = inspect.signature(stock)
    parameters = [*signature.parameters.values(), *_CHOICES]
    vars(init)["__signature__"] = signature.replace(parameters=parameters)
    return init


def _without_limit(call: dict[str, Any]) -> dict[str, Any]:
    """Take out lpw's `max_embeddings_multiples`; warns that it limits nothing here."""
    if call.pop("max_embeddings_multiples", None) is not None:
        warn("max_embeddings_multiples limits nothing here; dialect= says how long prompts are")
    return call
