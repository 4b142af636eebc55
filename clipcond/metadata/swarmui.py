"""Read the JSON that SwarmUI writes into pictures: {"sui_image_params": {"prompt": "a cat", ...}}.

Source: SwarmUI's documentation, "Image Metadata Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from clipcond.errors import PictureError
from clipcond.metadata.comfyui_graph import LAST, STOPS

COPY = "Copy it again, all of it."  # what to do about a text that is damaged
_PARAMETERS = "sui_image_params"
# A1111's names of SwarmUI's parameters.
_NAMES = {
    "steps": "Steps",
    "sampler": "Sampler",
    "scheduler": "Schedule type",
    "cfgscale": "CFG scale",
    "seed": "Seed",
    "model": "Model",
}
_STOP = STOPS[1]
_PROMPTS = ("prompt", "negativeprompt")
# Read below other names, or no picture depends on them.
_READ = frozenset({*_PROMPTS, "width", "height", _STOP, "swarm_version", "automaticvae"})


def is_swarmui(text: str) -> bool:
    """Whether a text is JSON of SwarmUI, which may be damaged."""
    return text.lstrip().startswith("{") and _PARAMETERS in text


def read_swarmui(
    text: str, shown: str = "the text", path: str | Path = "", remedy: str = COPY
) -> tuple[str, str, dict[str, str]] | None:
    """Read prompt, negative prompt, and settings under A1111's names; None if it is other text.

    Args:
        shown, path, remedy: of the error: what it calls the text, its `path`, and what to do.
    Raises:
        PictureError: the JSON is damaged.
    """
    if not is_swarmui(text):
        return None
    try:
        own = json.loads(text).get(_PARAMETERS)
    except (ValueError, RecursionError):
        raise PictureError(f"{shown} is SwarmUI's JSON, but is damaged", path, remedy) from None
    if not isinstance(own, dict):
        return None
    own = {name: value for name, value in own.items() if value is not None}
    prompt, negative = (_written(own.get(name, "")) for name in _PROMPTS)
    settings = dict(_settings(own))
    return prompt, negative, {**settings, "Dialect": "comfyui", "Generator": "SwarmUI"}


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _settings(own: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the settings; where no layer is named, it is that of the model, as in ComfyUI."""
    for name, value in own.items():
        if name in _READ or (name == "images" and str(value) == "1"):
            continue
        if name == "aspectratio" and own.keys() >= {"width", "height"}:
            continue
        yield _NAMES.get(name, name), _written(value)
    if own.keys() >= {"width", "height"}:
        yield "Size", f"{own['width']}x{own['height']}"
    layer = str(own.get(_STOP, LAST))
    if _STOP in own and layer == LAST:
        yield _STOP, LAST
    yield "Clip skip", layer[1:] if layer.startswith("-") else f"layer {layer}"
