"""Methods of few pipelines, besides the one that encodes, that read prompts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial, wraps
from typing import Any, Protocol

import torch

from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.pipelines.call_context import at_least, by_default
from clipcond.pipelines.family import Encoding
from clipcond.pipelines.steps import without_marks
from clipcond.pipelines.subclasses import same_named


class EncodingOfCalls(Encoding, Protocol):
    """What a `__call__` of ours may ask of an attachment."""

    choices: dict[str, Any]

    def explain_clip_skip(self, clip_skip: int | None) -> None: ...


@dataclass(frozen=True, slots=True)
class OneLength:
    """A method that encodes prompts in several calls, and joins them: all get one length.

    Args:
        name: the method's.
        texts: its parameters that are prompts: strings, lists, or dictionaries by frame.
        owner: the class that has it; None = the pipeline's.
    """

    name: str
    texts: tuple[str, ...]
    encoding: Encoding
    owner: type | None = None

    @torch.no_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> object:
        pipe = self.encoding.pipe
        stock = getattr(self.owner or type(pipe), self.name).__get__(pipe)
        given = inspect.signature(stock).bind(*args, **kwargs).arguments
        texts = [text for name in self.texts for text in _texts(given.get(name))]
        with at_least(self._rows(texts) if texts else 0):
            return stock(*args, **kwargs)

    def _rows(self, texts: list[str]) -> int:
        """Count the rows of the longest; the chunks are encoded for the call anyway."""
        with collect_warnings(shown=False):
            return self.encoding.conditioner(["", *texts]).embeds.shape[1]


@dataclass(frozen=True, slots=True)
class ClipSkipOfCall:
    """A `__call__` that takes a clip skip, and does not hand it to `encode_prompt`."""

    encoding: EncodingOfCalls
    owner: type

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        stock = self.owner.__call__.__get__(self.encoding.pipe)
        given = inspect.signature(stock).bind(*args, **kwargs).arguments
        self.encoding.explain_clip_skip(given.get("clip_skip"))
        with by_default(given.get("clip_skip")):
            return stock(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class ClipSkipOfClass:
    """A `__call__` with a clip skip of its own, where the caller and `attach` choose none.

    diffusers counts it from 0.
    """

    encoding: EncodingOfCalls
    owner: type

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        stock = self.owner.__call__.__get__(self.encoding.pipe)
        signature = inspect.signature(stock)
        own: int | None = None
        if "clip_skip" not in signature.bind(*args, **kwargs).arguments:
            kwargs["clip_skip"] = None
            if not _chooses_layer(self.encoding):
                own = int(signature.parameters["clip_skip"].default) + 1
        with by_default(own):
            return stock(*args, **kwargs)


def _chooses_layer(encoding: EncodingOfCalls) -> bool:
    """Whether `attach` or the model's files chose a layer of the tower."""
    chosen = [encoding.choices.get(name) is not None for name in ("clip_skip", "layer")]
    return any(chosen) or encoding.conditioner.clip_skip != 1


@dataclass(frozen=True, slots=True)
class TokenIndices:
    """Attend-and-Excite's `get_indices`: the rows of the embeddings, and the token in each."""

    encoding: Encoding

    def __call__(self, prompt: str) -> dict[int, str]:
        conditioner = self.encoding.conditioner
        indices: dict[int, str] = {}
        wrapped: Any = conditioner.towers[0].tokenizer
        for n, chunk in enumerate(conditioner.chunks(prompt)):
            start, stop = n * len(chunk.input_ids), chunk.places.stop + 1
            tokens = wrapped.source.convert_ids_to_tokens(list(chunk.input_ids[:stop]))
            # the vectors of an inversion are no tokens of its
            indices.update((i, token or "<inversion>") for i, token in enumerate(tokens, start))
        return indices


# The name of a method -> what takes its place.
_MADE: Mapping[str, Callable[[Encoding], Any]] = {
    "get_indices": TokenIndices,
    "generate_mask": partial(
        OneLength,
        "generate_mask",
        tuple(
            f"{which}_{what}"
            for which in ("target", "source")
            for what in ("prompt", "negative_prompt")
        ),
    ),
    "_encode_prompt_free_noise": partial(
        OneLength, "_encode_prompt_free_noise", ("prompt", "negative_prompt")
    ),
}


def other_methods(pipe: object) -> dict[str, Callable[[Encoding], Any]]:
    """Find the methods of a pipeline's class that read prompts, and what makes substitutes."""
    return {name: make for name, make in _MADE.items() if hasattr(type(pipe), name)}


def use_own_call(pipe: object) -> None:
    """Give a pipeline a `__call__` of ours, if its class's does not say enough to `encode_prompt`.

    Python looks `__call__` up in the class, so the pipeline gets a subclass of the same name.
    """
    kind: Any = type(pipe)
    if kind.__name__ in _CALLS:
        pipe.__class__ = _with_call(kind)


@cache
def _with_call(stock: type) -> type:
    make = _CALLS[stock.__name__]

    @wraps(stock.__call__)
    def call(self: object, *args: Any, **kwargs: Any) -> object:
        return make(vars(self)["encode_prompt"], owner=stock)(*args, **kwargs)

    return same_named(stock, {"__call__": call}, _with_call)


def _cycle(encoding: Encoding, owner: type) -> OneLength:
    """Give both prompts of cycle diffusion, which encodes them in two calls, one length."""
    return OneLength("__call__", ("prompt", "source_prompt"), encoding, owner)


def _hands_out(encoding: Encoding, owner: type) -> Callable[..., object]:
    """Take the marks off the embeddings that Stable Cascade's prior returns for the decoder."""

    def call(*args: Any, **kwargs: Any) -> object:
        return without_marks(encoding.pipe, owner.__call__(encoding.pipe, *args, **kwargs))

    return call


_CALLS: Mapping[str, Callable[..., Callable[..., Any]]] = {
    "CycleDiffusionPipeline": _cycle,
    "I2VGenXLPipeline": ClipSkipOfClass,
    "StableCascadePriorPipeline": _hands_out,
    "StableUnCLIPImg2ImgPipeline": ClipSkipOfCall,
}


def _texts(given: str | dict[Any, str] | Iterable[str] | None) -> Iterable[str]:
    """List the strings in an argument."""
    if isinstance(given, str):
        return [given]
    return list(given.values() if isinstance(given, dict) else given or ())
