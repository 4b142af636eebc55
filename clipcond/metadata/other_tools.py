"""Read through sd-parsers what ComfyUI, InvokeAI, Fooocus and NovelAI write into pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.errors import PictureError
from clipcond.metadata.parameters import Parameters, of_settings

if TYPE_CHECKING:
    from PIL.Image import Image

# The PNG texts by which their pictures are known.
_TEXTS = ("prompt", "workflow", "invokeai_metadata", "sd-metadata", "fooocus_scheme", "Comment")
# The dialect that each one's prompts are written in.
_DIALECTS = {"COMFYUI": "comfyui", "INVOKEAI": "compel", "FOOOCUS": "a1111"}
# A1111's names of what sd-parsers finds.
_NAMES = {"steps": "Steps", "scheduler": "Schedule type", "cfg_scale": "CFG scale", "seed": "Seed"}


def of_other_tools(image: Image, file: Path) -> Parameters | None:
    """Read an open picture; None if no tool that is known wrote anything.

    Where a picture went through several samplers, its prompts are joined, and the numbers are those
    of the first.

    Raises:
        PictureError: another tool wrote something, and sd-parsers is not installed.
    """
    try:
        from sd_parsers import ParserManager
    except ImportError:
        if not any(name in image.info for name in _TEXTS):
            return None
        raise PictureError(
            f"{str(file)!r} seems to be of another tool, such as ComfyUI or InvokeAI",
            file,
            'To read it: pip install "clipcond[metadata]"',
        ) from None
    found = ParserManager().parse(image)
    if found is None:
        return None
    tool = found.generator
    settings = {"Sampler": found.samplers[0].name} if found.samplers else {}
    for own in (found.samplers[0].parameters if found.samplers else {}, found.metadata):
        single = {name: value for name, value in own.items() if type(value) in (str, int, float)}
        settings |= {_NAMES.get(name, name): str(value) for name, value in single.items()}
    sizes = [own for own in _dictionaries(found.metadata) if {"width", "height"} <= own.keys()]
    if sizes:
        settings["Size"] = f"{sizes[0]['width']}x{sizes[0]['height']}"
    elif "resolution" in settings:  # Fooocus: "(512, 768)"
        settings["Size"] = "x".join(settings.pop("resolution").strip("()").split(", "))
    models = [each.model.name for each in found.samplers if each.model and each.model.name]
    settings |= {"Model": models[0]} if models else {}
    settings |= {"Dialect": _DIALECTS[tool.name]} if tool.name in _DIALECTS else {}
    prompt, negative = (
        ", ".join(str(each.value) for each in prompts)
        for prompts in (found.prompts, found.negative_prompts)
    )
    return of_settings(prompt, negative, {**settings, "Generator": tool.value})


def _dictionaries(metadata: Mapping[Any, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the metadata, and what ComfyUI's nodes have, a list of them for a kind of node."""
    yield metadata
    lists = (nodes for nodes in metadata.values() if isinstance(nodes, list))
    yield from (node for nodes in lists for node in nodes if isinstance(node, dict))
