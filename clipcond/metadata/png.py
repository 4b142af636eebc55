"""Write pictures as PNG files that contain the settings that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clipcond.files import write_whole

if TYPE_CHECKING:
    from PIL.Image import Image


def parameters_text(prompt: str, negative: str, settings: Mapping[str, object]) -> str:
    """Write the settings as A1111's web UI does, so that its readers can read them.

    Prompt, then "Negative prompt: ...", then one line of "Name: value" pairs.
    """
    lines = [prompt]
    if negative:
        lines.append(f"Negative prompt: {negative}")
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in settings.items()))
    return "\n".join(lines)


def save_png(image: Image, path: Path, parameters: str = "") -> None:
    """Write a picture, with its settings as the PNG text "parameters", whole or not at all.

    Raises:
        CheckpointError: the file cannot be written.
    """
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if parameters:
        info.add_text("parameters", parameters)
    write_whole(path, lambda file: image.save(file, format="PNG", pnginfo=info))


def _quoted(value: str) -> str:
    """Put a value that contains a separator in JSON's quotes, as the web UI does."""
    return json.dumps(value, ensure_ascii=False) if set(value) & set(',:\n"') else value
