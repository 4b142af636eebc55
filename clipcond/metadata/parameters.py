"""Hold what a picture was made with, read from its file or from the text of A1111."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from clipcond.errors import PictureError
from clipcond.metadata.infotext import Setting, join_infotext, split_infotext, written_value

if TYPE_CHECKING:
    from clipcond.pipelines.protocols import ConditionedPipeline

Size: TypeAlias = tuple[int, int]
_PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".gif", ".tif", ".tiff")


def _read_size(text: str) -> Size:
    width, height = text.lower().split("x")
    return int(width), int(height)


def _read_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _short(value: float) -> str:
    """Write a number with as few digits as give it back."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)


def _refuse(text: str) -> None:
    raise ValueError(text)


# A1111's names of the settings that have a field: the field, how to read it, how to write it. New
# pictures have them in this order, the others before the last.
_FIELDS: dict[str, tuple[str, Callable[[str], Any], Callable[[Any], str]]] = {
    "Steps": ("steps", int, str),
    "Sampler": ("sampler", str, str),
    "Schedule type": ("schedule_type", str, str),
    "CFG scale": ("guidance", _read_finite, _short),
    "Seed": ("seed", int, str),
    "Size": ("size", _read_size, lambda size: f"{size[0]}x{size[1]}"),
    "Clip skip": ("clip_skip", int, str),
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

    def text(self) -> str:
        """Write A1111's "parameters"; what was read from such a text is written as it was.

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
            num_inference_steps, guidance_scale, width, height, clip_skip, strength and generator,
            a CPU generator at the seed.
        Raises:
            PipelineError: the pipeline is not attached.
        """
        from clipcond.metadata.calls import make_call

        return make_call(self, pipe)

    def not_honoured(self, pipe: ConditionedPipeline) -> list[str]:
        """List, one sentence each, the settings that a call of this pipeline does not follow.

        Such as another noise source, high-resolution passes, ControlNet, and inversions that are
        not loaded.

        Raises:
            PipelineError: the pipeline is not attached.
        """
        from clipcond.metadata.calls import not_honoured

        return not_honoured(self, pipe)


def parse_parameters(text: str) -> Parameters:
    """Read A1111's "parameters"; a text without settings is a prompt."""
    prompt, negative, settings = split_infotext(text)
    values = {name: setting.value for name, setting in settings.items()}
    return replace(of_settings(prompt, negative, values), _read=settings)


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


def read_parameters(source: str | os.PathLike[str]) -> Parameters:
    """Read what a picture was made with.

    Args:
        source: a PNG, JPEG or WebP file of A1111, Forge, Civitai or clipcond, and of ComfyUI,
            InvokeAI, Fooocus or NovelAI if sd-parsers is installed; a .txt file of A1111; or the
            text itself. A `str` of one line that names a file or ends as a picture does is a file.
    Raises:
        PictureError: no such file, no picture, or one that does not say how it was made.
    """
    if isinstance(source, str) and not _is_name(source):
        return parse_parameters(source)
    if not isinstance(source, str | os.PathLike):
        raise PictureError(f"parameters are a file or a text, not {type(source).__name__}")
    from clipcond.metadata.pictures import picture_parameters

    return picture_parameters(source)


def _is_name(text: str) -> bool:
    if "\n" in text or len(text) > 4096 or "\0" in text:
        return False
    return text.lower().endswith(_PICTURES) or os.path.isfile(text)


def _try(read: Callable[[str], object], text: str) -> object:
    """Read a value; None if it is of another form."""
    try:
        return read(text)
    except ValueError:
        return None
