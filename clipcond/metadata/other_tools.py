"""Read what other tools write into pictures: ComfyUI here, others through sd-parsers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.errors import PictureError
from clipcond.metadata.comfyui import of_comfyui
from clipcond.metadata.comfyui_graph import read_graph
from clipcond.metadata.parameters import Parameters, of_settings
from clipcond.metadata.png_texts import png_text

if TYPE_CHECKING:
    from PIL.Image import Image

# The PNG texts by which pictures of other tools than ComfyUI are known.
_TEXTS = ("invokeai_metadata", "sd-metadata", "fooocus_scheme", "Comment")
_EXPORT = "Open it in ComfyUI, choose Export (API), and give what that writes."
# The dialect that each one's prompts are written in.
_DIALECTS = {
    "INVOKEAI": "compel", "FOOOCUS": "a1111", "NOVELAI": "novelai",
}  # fmt: skip
# A1111's names of what sd-parsers finds.
_NAMES = {
    "steps": "Steps", "scheduler": "Schedule type", "cfg_scale": "CFG scale", "seed": "Seed",
    "noise_seed": "Seed",
}  # fmt: skip
_READ = {"width", "height", "clip_skip"}  # below other names
_NOTHING = {"", "None", "[]", "{}"}


def of_other_tools(image: Image, shown: str, path: str | Path) -> Parameters | None:
    """Read an open picture; None if no tool that is known wrote anything.

    Args:
        shown, path: what errors call the picture, and their `path`.
    Raises:
        PictureError: another tool wrote something, and sd-parsers is not installed or cannot read
            it; or there is no prompt.
    """
    graph = read_graph(png_text(image, "prompt"))
    if graph is not None:
        return of_comfyui(graph, lambda remedy: _unread(shown, path, remedy))
    is_other = any(name in image.info for name in _TEXTS)
    if "workflow" in image.info and not is_other:
        what = "the workflow of ComfyUI's page, but not the graph that its API takes"
        raise PictureError(f"{shown} has {what}", path, _EXPORT)
    is_other = is_other or "prompt" in image.info
    try:
        from sd_parsers import ParserManager
    except ImportError:
        if is_other:
            raise _unread(shown, path, 'To read it: pip install "clipcond[metadata]"') from None
        return None
    found = ParserManager().parse(image)
    if found is None:
        if is_other:
            raise _unread(shown, path, "sd-parsers cannot read what it wrote there.")
        return None
    tool, samplers = found.generator, found.samplers
    settings = {"Sampler": samplers[0].name} if samplers else {}
    for own in (samplers[0].parameters if samplers else {}, found.metadata):
        single = {name: str(value) for name, value in own.items() if _is_single(value)}
        settings |= {_NAMES.get(name, name): value for name, value in single.items()}
    settings |= _sizes(found.metadata, settings) | _clip_skips(tool.name, found.metadata)
    model = samplers[0].model.name if samplers and samplers[0].model else None
    settings |= {"Model": model} if isinstance(model, str) else {}
    settings |= {"Dialect": _DIALECTS[tool.name]} if tool.name in _DIALECTS else {}
    settings["Generator"] = tool.value
    prompt, negative = (
        ", ".join(str(each.value) for each in prompts)
        for prompts in (found.prompts, found.negative_prompts)
    )
    if not prompt:
        raise _unread(shown, path, "sd-parsers finds no prompt in what it wrote there.")
    kept = {name: value for name, value in settings.items() if name not in _READ}
    return of_settings(prompt, negative, kept)


def _unread(shown: str, path: str | Path, remedy: str) -> PictureError:
    message = f"{shown} seems to be of another tool, such as ComfyUI or InvokeAI"
    return PictureError(message, path, remedy)


def _is_single(value: object) -> bool:
    is_kind = isinstance(value, str | int | float) and not isinstance(value, bool)
    return is_kind and str(value) not in _NOTHING


def _sizes(metadata: Mapping[str, Any], settings: dict[str, str]) -> dict[str, str]:
    if {"width", "height"} <= metadata.keys():
        return {"Size": f"{metadata['width']}x{metadata['height']}"}
    resolution = settings.pop("resolution", "")  # Fooocus: "(512, 768)"
    return {"Size": "x".join(resolution.strip("()").split(", "))} if resolution else {}


def _clip_skips(tool: str, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Count clip skip as A1111 does: InvokeAI counts layers left out, by default none."""
    own = metadata.get("clip_skip")
    if isinstance(own, int):
        return {"Clip skip": str(own + (tool == "INVOKEAI"))}
    return {"Clip skip": "1"} if tool == "INVOKEAI" else {}
