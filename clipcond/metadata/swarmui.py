"""Read the JSON that SwarmUI writes into pictures: {"sui_image_params": {"prompt": "a cat", ...}}.

Source: SwarmUI's documentation, "Image Metadata Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from clipcond.errors import PictureError
from clipcond.metadata.comfyui_graph import LAST, STOPS

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


def read_swarmui(text: str) -> tuple[str, str, dict[str, str]] | None:
    """Read prompt, negative prompt, and settings under A1111's names; None if it is other text.

    Raises:
        PictureError: the JSON is damaged.
    """
    own = _own(text)
    if own is None:
        return None
    prompt, negative = (own.get(name, "") for name in _PROMPTS)
    settings = dict(_settings(own))
    return str(prompt), str(negative), {**settings, "Dialect": "comfyui", "Generator": "SwarmUI"}


def _own(text: str) -> Mapping[str, object] | None:
    if not text.lstrip().startswith("{") or _PARAMETERS not in text:
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise PictureError(
            "the text is SwarmUI's JSON, but is damaged", "", "Copy it again, all of it."
        ) from None
    own = read.get(_PARAMETERS)
    return own if isinstance(own, dict) else None


def _settings(own: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the settings; where no layer is named, it is that of the model, as in ComfyUI."""
    for name, value in own.items():
        if name in _READ or (name == "images" and str(value) == "1"):
            continue
        if name == "aspectratio" and own.keys() >= {"width", "height"}:
            continue
        written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield _NAMES.get(name, name), written
    if own.keys() >= {"width", "height"}:
        yield "Size", f"{own['width']}x{own['height']}"
    layer = str(own.get(_STOP, LAST))
    if _STOP in own and layer == LAST:
        yield _STOP, LAST
    yield "Clip skip", layer[1:] if layer.startswith("-") else f"layer {layer}"
