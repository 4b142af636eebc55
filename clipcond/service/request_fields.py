"""What requests can ask for: their fields, kinds and bounds."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clipcond.errors import UnknownNameError, excerpt
from clipcond.service.refusals import RequestError
from clipcond.service.settings import MAX_GUIDANCE, MAX_SEED, MOST_PIXELS, MOST_STEPS, Limits

Name: TypeAlias = Annotated[str, Field(max_length=100)]
ClipSkip: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
Asked = TypeVar("Asked", bound=BaseModel)
TOGETHER = 4  # times the longest prompt: what a request's texts may have, as others wait for them


class Asking(BaseModel):
    """Fields that every request has which reads a prompt; None = as the service was started."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    dialect: Name | None = None
    clip_skip: ClipSkip | None = None
    normalize: Name | None = None
    fullwidth: bool | None = None


class EncodeAsked(Asking):
    """A request of /encode.

    Attributes:
        prompt, prompts: one of them; prompts of a request are brought to one length.
        negative, negatives: one for all prompts, or one for each; none = nothing is guided.
        weighting: another rule than the dialect's.
        pooled: whether pooled vectors are wanted; None = if the model reads any.
        keep: "full" = all rows; "trimmed" = those of the prompts' own tokens.
        dtype: of the answer's embeds and pooled vectors.
        format: of the answer; None = as its Accept says.
    """

    prompt: str | None = None
    prompts: list[str] | None = None
    negative: str | None = None
    negatives: list[str] | None = None
    weighting: Name | None = None
    pooled: bool | None = None
    keep: Literal["full", "trimmed"] = "full"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    format: Literal["safetensors", "json"] | None = None

    def texts(self) -> tuple[list[str], list[str] | None]:
        """List the prompts, and the negatives if there are any.

        Raises:
            RequestError: both or neither of the fields for one or several are given.
        """
        prompts = _one_of(("prompt", self.prompt), ("prompts", self.prompts))
        negatives = _one_of(("negative", self.negative), ("negatives", self.negatives))
        if prompts is None:
            raise _wrong('it has neither "prompt" nor "prompts"', 'Add "prompt": "...".')
        if negatives is not None and len(negatives) not in (1, len(prompts)):
            n = f"{len(negatives)} negatives for {len(prompts)} prompts"
            raise _wrong(n, "Give one for all, or one for each.")
        return prompts, negatives


class InspectAsked(Asking):
    """A request of /inspect, with the arguments of `explain`.

    Attributes:
        compact: leave out the padding of chunks.
        movement: also encode it, to show how far its weight moves each token.
    """

    prompt: str
    negative: str | None = None
    weighting: Name | None = None
    compact: bool = False
    movement: bool = False


class ConvertAsked(BaseModel):
    """A request of /convert: a prompt, the syntax that it is in, and the one to write."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    prompt: str
    source: Name = Field(default="a1111", alias="from")
    target: Name = Field(alias="to")
    exact: bool = False
    fullwidth: bool | None = None


class GenerateAsked(Asking):
    """A request of /generate; None = the model's own. `seed`: -1 = one at random."""

    prompt: str
    negative: str = ""
    weighting: Name | None = None
    seed: Annotated[int, Field(ge=-1, le=MAX_SEED)] = -1
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] | None = None
    guidance: Annotated[float, Field(ge=0, le=MAX_GUIDANCE)] | None = None
    size: Annotated[str, Field(pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")] | None = None
    scheduler: Name | None = None
    format: Literal["png", "jpg", "webp"] = "png"

    @property
    def sides(self) -> tuple[int, int] | None:
        """Width and height in pixels.

        Raises:
            RequestError: there are too many pixels.
        """
        if self.size is None:
            return None
        width, height = map(int, self.size.split("x"))
        if width * height > MOST_PIXELS:
            raise _wrong(f'"size": pictures have at most {MOST_PIXELS:,} pixels here')
        return width, height


def read_asked(kind: type[Asked], found: dict[str, object]) -> Asked:
    """Make a request of its fields.

    Raises:
        RequestError: says which field is wrong, and what it has to be.
        UnknownNameError: there is no such field; suggests the nearest.
    """
    known = [field.alias or name for name, field in kind.model_fields.items()]
    for name in found:
        if name not in known:
            raise UnknownNameError("field", name, known)
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if not str(part).startswith("constr"))
        said = re.sub(r"^Input should", "it should", first["msg"])
        said = "it is missing" if first["type"] == "missing" else said
        raise _wrong(f"{excerpt(place)!r}: {said}") from None


def check_texts(texts: list[str], limits: Limits) -> None:
    """Refuse too many, or too long, prompts.

    Raises:
        RequestError: 413; says what the limit is.
    """
    if len(texts) > limits.batch:
        raise RequestError(
            f"{len(texts)} prompts and negatives; a request has at most {limits.batch}",
            "Send several requests: those that arrive together are encoded together.",
            413,
            "too-many-prompts",
        )
    longest = max(map(len, texts), default=0)
    if longest > limits.prompt:
        raise RequestError(
            f"a prompt has {longest:,} characters; at most {limits.prompt:,} are read here",
            "Shorten it.",
            413,
            "prompt-too-long",
        )
    n_all, most = sum(map(len, texts)), TOGETHER * limits.prompt
    if n_all > most:
        raise RequestError(
            f"the prompts have {n_all:,} characters together; a request has at most {most:,}",
            "Send several requests.",
            413,
            "prompts-too-long",
        )


def _one_of(one: tuple[str, str | None], several: tuple[str, list[str] | None]) -> list[str] | None:
    if one[1] is not None and several[1] is not None:
        raise _wrong(f'it has both "{one[0]}" and "{several[0]}"', "Give one of them.")
    if several[1] is not None and not several[1]:
        raise _wrong(f'"{several[0]}" is empty', 'Use "" for an empty prompt.')
    return several[1] if one[1] is None else [one[1]]


def _wrong(message: str, remedy: str = "") -> RequestError:
    return RequestError(message, remedy, 400, "field")
