"""What a family of pipelines is: how to recognise it, what it reads, how its text gets in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.explaining import ModelReads
from clipcond.pipelines.own_towers import own_tower
from clipcond.pipelines.protocols import ConditionedPipeline

# What pipelines of diffusers call the method for prompts.
METHODS = ("encode_prompt", "_encode_prompt")
# Parameters of it that most families have: prompts, and how they are encoded.
PROMPTS = frozenset({"prompt", "negative_prompt", "prompt_embeds", "negative_prompt_embeds"})
OF_CALL = frozenset({"device", "num_images_per_prompt", "do_classifier_free_guidance"})
# What diffusers calls a parameter in some classes -> what it calls it in most.
RENAMED = {
    "num_videos_per_prompt": "num_images_per_prompt",
    "prompt_embeds_pooled": "pooled_prompt_embeds",
    "negative_prompt_embeds_pooled": "negative_pooled_prompt_embeds",
}


class Encoding(Protocol):
    """What the code of a family may ask of an attachment."""

    family: Family

    @property
    def pipe(self) -> ConditionedPipeline: ...
    @property
    def conditioner(self) -> Conditioner: ...
    def move_tower(self, device: torch.device | None) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A family of pipelines: those whose method for prompts takes the same, in any order.

    The class does not matter: text-to-image, image-to-image, inpainting and ControlNet pipelines
    share their parameters. Parameters have the names that most classes give them (see `RENAMED`).

    Attributes:
        name: how messages and the table of the pages call it.
        encoders: (text encoder, tokenizer) attributes of the pipeline, in the order in which the
            hidden states are joined. Only those that clipcond conditions on.
        required, optional: parameters that the method has, and may have.
        returns: names for the values that `encode` returns. `embeds` and `pooled` are those of
            `prompt_embeds.PromptEmbeds`; each has one row for each row of the denoiser's batch, and
            so has a value of any other name, but "" for one without rows. Those of negatives begin
            with `negative_`.
        method: the method's name.
        conditioner: the attribute of the pipeline that holds the Conditioner in use.
        follows: argument of the denoiser -> its name in `returns`, for tensors that have to be
            exchanged together with `embeds`, as masks are. They may be of whole numbers.
        axes: name in `returns` -> the axis of the batch, where that is not the first.
        cut: argument of the denoiser with the positions of the rows of text -> its argument with
            the rows. Both are cut to the longest text of a call, by `lengths` in `returns`.
        fixed_because: why prompts cannot change over the steps; "" = they can.
        joins: the names of `returns` that the method joins along the batch, for each tensor of its
            result; without guidance, no negatives. () = it returns all of `returns`.
        reads: what the model reads of its towers; None = as SD or SDXL, by their number.
        further_test: what else is true of a pipeline of the family, where other families have the
            same parameters.
        n_chunks: how many chunks the model can read; None = any number.
        masks: whether the towers' padding is masked; None = as the text encoder's configuration
            says, which it may for Stable Diffusion 1 and 2.
        context_length: of the towers' chunks, where the model's own is another; None = the towers'.
        tower: makes a tower of a text encoder, a tokenizer and `context_length`.
        encode: encodes prompts, given the method's arguments: a value for each of `returns`. None =
            by one call of the Conditioner.
        note: what else the table of the pages says of it.
        tasks: task -> the diffusers class that `build_pipeline` makes.
        components: the names of the text encoders and tokenizers.
        encoder_names: of the text encoders alone.
    """

    name: str
    encoders: tuple[tuple[str, str], ...]
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    returns: tuple[str, ...] = ()
    method: str = "encode_prompt"
    conditioner: str = "conditioner"
    follows: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    cut: Mapping[str, str] = field(default_factory=dict)
    fixed_because: str = ""
    joins: tuple[tuple[str, ...], ...] = ()
    reads: ModelReads | None = None
    further_test: Callable[[Any], bool] | None = None
    n_chunks: int | None = None
    masks: bool | None = False
    context_length: int | None = None
    tower: Callable[..., Any] = own_tower
    encode: Callable[[Encoding, Mapping[str, Any]], tuple[Any, ...]] | None = None
    note: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)
    components: tuple[str, ...] = field(init=False)
    encoder_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(name for pair in self.encoders for name in pair)
        object.__setattr__(self, "components", names)
        object.__setattr__(self, "encoder_names", names[::2])

    def parts_of(self, pipe: object) -> tuple[Any, ...]:
        """List a pipeline's text encoders and tokenizers, as `components`; None = it has none."""
        return tuple(getattr(pipe, name, None) for name in self.components)

    def has(self, pipe: object) -> bool:
        """Whether a pipeline is of this family."""
        parameters = parameters_of(pipe, self.method)
        if parameters is None:
            return False
        names = {RENAMED.get(name, name) for name in parameters}
        fits = self.required <= names <= self.required | self.optional
        return fits and (self.further_test is None or self.further_test(pipe))

    @property
    def negatives_apart(self) -> bool:
        """Whether the method is called for the negatives again, as prompts."""
        return not any(name.startswith("negative_") for name in self.returns)

    def join(self, answer: Sequence[Any], *, is_guided: bool) -> Tensor | tuple[Tensor, ...]:
        """Join a value for each of `returns` by `joins`, as the family's method returns it."""
        made = dict(zip(self.returns, answer, strict=True))
        shown = {n: each for n, each in made.items() if is_guided or not n.startswith("negative_")}
        parts = [[shown.get(name) for name in names] for names in self.joins]
        joined = [torch.cat([each for each in own if each is not None]) for own in parts]
        return joined[0] if len(joined) == 1 else tuple(joined)

    def limit(self, max_chunks: int | None) -> int | None:
        """Take the smaller of two limits of chunks, the caller's and the model's; None = none."""
        return min((n for n in (max_chunks, self.n_chunks) if n is not None), default=None)


def parameters_of(pipe: object, method: str) -> tuple[str, ...] | None:
    """List the parameters of a method of the pipeline's class; None = it has no such method."""
    found = getattr(type(pipe), method, None)
    return None if found is None else tuple(inspect.signature(found).parameters)[1:]


def has_component(name: str, pipe: object) -> bool:
    """Whether a pipeline has a component, or its class expects one."""
    return bool(component_kind(pipe, name))


def component_kind(pipe: object, name: str) -> str:
    """Name the class of a pipeline's component; "" = it is None, or there is none.

    Of a pipeline without components, such as one made by `__new__`, what its class expects.
    """
    if name in vars(pipe):
        part = vars(pipe)[name]
        return "" if part is None else type(part).__name__
    for kind in type(pipe).__mro__:
        parameters = (
            inspect.signature(own).parameters if (own := vars(kind).get("__init__")) else {}
        )
        if name in parameters:
            return str(
                getattr(parameters[name].annotation, "__name__", parameters[name].annotation)
            )
    return ""
