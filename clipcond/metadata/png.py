"""Pictures as PNG files: never half written, and with the settings that made them inside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipcond.errors import CheckpointError

__all__ = ["check_writable", "parameters_text", "save_png"]


def parameters_text(prompt: str, negative: str, settings: Mapping[str, object]) -> str:
    """The settings as A1111's web UI writes them into a PNG, so that its readers read ours.

    Prompt, then "Negative prompt: ...", then one line of "Name: value" pairs.
    """
    lines = [prompt]
    if negative:
        lines.append(f"Negative prompt: {negative}")
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in settings.items()))
    return "\n".join(lines)


def check_writable(path: Path) -> None:
    """Find out, before the work, whether `save_png` could write there.

    Raises:
        CheckpointError: no such folder, or nothing can be written to it.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; a file name is needed.", path)
    part = _part(path)
    try:
        part.touch(exist_ok=False)
        part.unlink()
    except OSError as error:
        raise _not_written(path, error) from error


def save_png(image: Any, path: Path, text: str = "") -> None:
    """Write a PIL image, with `text` as its "parameters"; what was at `path` stays until then.

    Raises:
        CheckpointError: the file cannot be written.
    """
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if text:
        info.add_text("parameters", text)
    part = _part(path)
    try:
        with part.open("xb") as file:
            image.save(file, format="PNG", pnginfo=info)
        os.replace(part, path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        # Gone already if all went well; an interrupt or a full disk leaves it.
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _not_written(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"Cannot write {path}: {error.strerror or error}.", path)


def _quoted(value: str) -> str:
    """A value with a separator in it stands in JSON's quotes, as the web UI does it."""
    return json.dumps(value, ensure_ascii=False) if set(value) & set(',:\n"') else value
