"""Hold what a picture was made with, read from its file or from the text of A1111."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from clipcond.arguments import type_name
from clipcond.errors import ArgumentError, PictureError
from clipcond.metadata.infotext import (
    NEGATIVE,
    Setting,
    behind_label,
    is_read_as,
    join_infotext,
    split_infotext,
    without_label,
    written_value,
)
from clipcond.metadata.json_texts import is_json
from clipcond.metadata.swarmui import read_swarmui

if TYPE_CHECKING:
    from clipcond.pipelines.protocols import ConditionedPipeline
    from clipcond.reading.pictures import Picture

Size: TypeAlias = tuple[int, int]
_PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".gif", ".tif", ".tiff")
TEXTS = (".txt", ".json")  # files that are read as the text itself


def _read_size(text: str) -> Size:
    width, height = text.lower().split("x")
    return _at_least(1)(width), _at_least(1)(height)


def _at_least(least: int, below: int = 2**64) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not least <= value < below:
            raise ValueError(text)
        return value

    return read


def _read_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _read_name(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text


def _short(value: float) -> str:
    """Write a number with as few digits as give it back."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)


def _refuse(text: str) -> None:
    raise ValueError(text)


# A1111's names of the settings that have a field: the field, how to read it, how to write it. New
# pictures have them in this order, the others before the last.
_FIELDS: dict[str, tuple[str, Callable[[str], Any], Callable[[Any], str]]] = {
    "Steps": ("steps", _at_least(1), str),
    "Sampler": ("sampler", _read_name, str),
    "Schedule type": ("schedule_type", _read_name, str),
    "CFG scale": ("guidance", _read_finite, _short),
    "Seed": ("seed", _at_least(0), str),
    "Size": ("size", _read_size, lambda size: f"{size[0]}x{size[1]}"),
    "Clip skip": ("clip_skip", _at_least(1), str),
}


@dataclass(frozen=True)
class Parameters:
    """What a picture was made with; None = its file does not say.

    Attributes:
        prompt, negative: as they were written.
        sampler: as A1111 names it, such as "DPM++ 2M".
        schedule_type: how noise levels are spaced, such as "Karras".
        guidance: what A1111 calls CFG scale.
        size: width and height in pixels.
        clip_skip: 1 = last layer, as A1111 counts.
        others: every other setting, by the name that the file has for it; also those above whose
            value cannot be read.
    """

    prompt: str = ""
    negative: str = ""
    steps: int | None = None
    sampler: str | None = None
    schedule_type: str | None = None
    guidance: float | None = None
    seed: int | None = None
    size: Size | None = None
    clip_skip: int | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    # settings as the file has them, so that what is not changed is written as it was
    _read: Mapping[str, Setting] = field(default_factory=dict, repr=False, compare=False)
    # of the file, where masks are looked for; None = there is none
    _folder: str | None = field(default=None, repr=False, compare=False)
    # names of settings that are chosen elsewhere, so that nothing has to be said of them
    _elsewhere: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the kinds of what was given.

        Raises:
            ArgumentError: a value of another kind, or out of range.
        """
        for name in ("prompt", "negative"):
            if not isinstance(getattr(self, name), str):
                raise ArgumentError(f"{name} is a str, not {type_name(getattr(self, name))}")
        for name, (attribute, read, write) in _FIELDS.items():
            value = getattr(self, attribute)
            if value is not None and not _fits(value, read, write):
                raise ArgumentError(f"{attribute}={value!r} cannot be what A1111 calls {name}")
        if not isinstance(self.others, Mapping) or not all(
            isinstance(each, str) for pair in self.others.items() for each in pair
        ):
            raise ArgumentError("others are texts by name, a dict of str to str")

    def text(self) -> str:
        """Write A1111's "parameters"; settings that A1111 wrote are written as they were.

        Raises:
            ArgumentError: it could not be read again: for a name in `others`, settings without
                steps, or without any a line in a prompt such as "Negative prompt: x".
        """
        text = self.as_written()
        if not is_read_as(text, self.prompt, self.negative):
            raise ArgumentError(
                "the text would be read as other prompts",
                f"Give the steps; without, no line of a prompt may begin with {NEGATIVE!r} or "
                "'Steps: 20'.",
            )
        return text

    def as_written(self) -> str:
        """Write the text also where it would be read otherwise, as A1111 does.

        Raises:
            ArgumentError: a name in `others` that could not be read again.
        """
        now: dict[str, str] = {}
        for name, (attribute, read, write) in _FIELDS.items():
            value = getattr(self, attribute)
            if value is not None:
                was = self._read.get(name)
                same = was is not None and _try(read, was.value) == value
                now[name] = was.value if was is not None and same else write(value)
        late = {name: now.pop(name) for name in ("Clip skip",) if name in now}
        now = {**now, **self.others, **late}  # in A1111's order: the version last
        now |= {"Version": now.pop("Version")} if "Version" in now else {}
        order = dict.fromkeys([*(name for name in self._read if name in now), *now])
        texts = {name: self._written(name, now[name]) for name in order}
        return join_infotext(self.prompt, self.negative, texts)

    def _written(self, name: str, value: str) -> str:
        was = self._read.get(name)
        return was.written if was is not None and was.value == value else written_value(value)

    def call(self, pipe: ConditionedPipeline) -> dict[str, Any]:
        """Make the arguments of a call that draws the picture again, and set the scheduler.

        `pipe(**parameters.call(pipe)).images[0]`. A warning lists what the pipeline does otherwise:
        see `not_honoured`.

        Args:
            pipe: one that is attached, of text or picture to image.
        Returns:
            prompt, negative_prompt, and as far as they are known and the pipeline takes them
            num_inference_steps, guidance_scale, width, height, clip_skip, strength, regions,
            base_share and generator, a CPU generator at the seed.
        Raises:
            PipelineError: the pipeline is not attached.
        """
        from clipcond.metadata.calls import make_call

        return make_call(self, pipe)

    def not_honoured(self, pipe: ConditionedPipeline) -> list[str]:
        """List, a line each, the settings that a call of this pipeline does not follow.

        Such as another noise source, high-resolution passes, ControlNet, and inversions that are
        not loaded.

        Raises:
            PipelineError: the pipeline is not attached.
        """
        from clipcond.metadata.calls import not_honoured

        return not_honoured(self, pipe)


def parse_parameters(text: str) -> Parameters:
    """Read A1111's "parameters", or SwarmUI's; a text without settings is a prompt."""
    of_swarmui = read_swarmui(text)
    if of_swarmui is not None:
        return of_settings(*of_swarmui)
    prompt, negative, settings = split_infotext(text)
    values = {name: setting.value for name, setting in settings.items()}
    return replace(of_settings(prompt, negative, values), _read=settings)


def pasted(text: str) -> str:
    """Take off the label that a viewer showed before settings or JSON."""
    behind = behind_label(text)
    return behind if behind != text and is_json(behind) else without_label(text)


def of_settings(prompt: str, negative: str, settings: Mapping[str, str]) -> Parameters:
    """Make parameters of settings under A1111's names, as texts."""
    fields: dict[str, Any] = {}
    others: dict[str, str] = {}
    for name, value in settings.items():
        attribute, read, _ = _FIELDS.get(name, ("", _refuse, str))
        known = _try(read, value)
        if known is None:
            others[name] = value
        else:
            fields[attribute] = known
    return Parameters(prompt, negative, others=others, **fields)


def read_parameters(source: Picture) -> Parameters:
    """Read what a picture was made with.

    Args:
        source: a PNG, JPEG or WebP file of A1111, Forge, Civitai, SwarmUI or clipcond, a PNG file
            of ComfyUI, and one of InvokeAI, Fooocus or NovelAI if sd-parsers is installed; a .txt
            file of A1111, a .json file of ComfyUI's API or of SwarmUI; or the text of one of these
            itself. A `str` of one line that names a file or folder, or ends as such a file does, is
            a file.
    Raises:
        PictureError: no such file, no picture, or one that does not say how it was made.
    """
    if isinstance(source, str) and not _is_name(source):
        source = pasted(source)
        if not is_json(source):
            return parse_parameters(source)
        from clipcond.metadata.pictures import text_parameters

        return text_parameters(source)
    is_picture = isinstance(source, str | os.PathLike | bytes | bytearray | memoryview)
    if not is_picture and not hasattr(source, "read"):
        raise PictureError(f"parameters are a file or a text, not {type(source).__name__}")
    from clipcond.metadata.pictures import picture_parameters

    return picture_parameters(source)


def _is_name(text: str) -> bool:
    if not text or "\n" in text or len(text) > 4096 or "\0" in text:
        return False
    return text.lower().endswith((*_PICTURES, *TEXTS)) or os.path.exists(text)


def _fits(value: object, read: Callable[[str], object], write: Callable[[Any], str]) -> bool:
    """Whether a value is of the field's kind: written and read again, it is the same."""
    try:
        again = read(write(value))
    except (TypeError, ValueError, IndexError):
        return False
    numbers = isinstance(value, int | float) and not isinstance(value, bool)
    return again == value and (numbers or type(again) is type(value))


def _try(read: Callable[[str], object], text: str) -> object:
    """Read a value; None if it is of another form."""
    try:
        return read(text)
    except ValueError:
        return None
