"""Read through sd-parsers what ComfyUI, InvokeAI, Fooocus and NovelAI write into pictures."""

from __future__ import annotations

from collections import Counter
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
_DIALECTS = {
    "COMFYUI": "comfyui", "INVOKEAI": "compel", "FOOOCUS": "a1111", "NOVELAI": "novelai",
}  # fmt: skip
# A1111's names of what sd-parsers finds.
_NAMES = {
    "steps": "Steps", "scheduler": "Schedule type", "cfg_scale": "CFG scale", "seed": "Seed",
    "noise_seed": "Seed",
}  # fmt: skip
_READ = {"width", "height", "clip_skip"}  # below other names
_NOTHING = {"", "None", "[]", "{}"}
# ComfyUI's nodes that are read, or that do not change the picture.
_NODES = frozenset(
    "KSampler KSamplerAdvanced CheckpointLoaderSimple CheckpointLoader CLIPTextEncode VAEDecode "
    "EmptyLatentImage SaveImage PreviewImage CLIPSetLastLayer Note".split()
)
# Of several of these, one is read: which of them the picture comes from is not looked for.
_SINGLE = frozenset(
    "KSampler KSamplerAdvanced CheckpointLoaderSimple CheckpointLoader EmptyLatentImage "
    "CLIPSetLastLayer".split()
)
NODES = "Nodes"  # the setting that lists the others


def of_other_tools(image: Image, shown: str, path: str | Path) -> Parameters | None:
    """Read an open picture; None if no tool that is known wrote anything.

    Where a picture went through several samplers, its prompts are joined, and the numbers are those
    of the first. `others` lists under NODES what else ComfyUI did, by the kinds of its nodes.

    Args:
        shown, path: what errors call the picture, and their `path`.
    Raises:
        PictureError: another tool wrote something, and sd-parsers is not installed, cannot read it,
            or finds no prompt.
    """
    is_other = any(name in image.info for name in _TEXTS)
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
    raw = found.raw_parameters
    settings |= _sizes(found.metadata, settings) | _clip_skips(tool.name, found.metadata, raw)
    model = samplers[0].model.name if samplers and samplers[0].model else None
    settings |= {"Model": model} if isinstance(model, str) else {}
    settings |= {"Dialect": _DIALECTS[tool.name]} if tool.name in _DIALECTS else {}
    settings["Generator"] = tool.value
    further = [*_nodes(raw), *(each.name for each in samplers[1:])]
    settings |= {NODES: ", ".join(map(str, further))} if further else {}
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
    for own in _dictionaries(metadata):
        if {"width", "height"} <= own.keys():
            return {"Size": f"{own['width']}x{own['height']}"}
    resolution = settings.pop("resolution", "")  # Fooocus: "(512, 768)"
    return {"Size": "x".join(resolution.strip("()").split(", "))} if resolution else {}


def _clip_skips(tool: str, metadata: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, str]:
    """Count clip skip as A1111 does: InvokeAI counts layers left out, ComfyUI from the end.

    Where neither says so, it is the last layer, whatever a model's own is.
    """
    own = metadata.get("clip_skip")
    if isinstance(own, int):
        return {"Clip skip": str(own + (tool == "INVOKEAI"))}
    if tool == "INVOKEAI":
        return {"Clip skip": "1"}
    if tool != "COMFYUI":
        return {}
    nodes = dict(_workflow(raw))
    found = {_stop_of(node, nodes) for node in nodes.values() if _is_text(node)}
    stop = next(iter(found)) if len(found) == 1 else None
    return {} if stop is None else {"Clip skip": str(-stop)}


def _is_text(node: Mapping[str, Any]) -> bool:
    return bool(node["class_type"] == "CLIPTextEncode")


def _stop_of(node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> int | None:
    """Find the layer that a text node gets its encoder with: of the first CLIPSetLastLayer above.

    Without any it is -1, the last.
    """
    for _ in nodes:  # no longer than all of them, though links may go in a circle
        link = node["inputs"].get("clip")
        above = nodes.get(str(link[0])) if isinstance(link, list) and link else None
        if above is None:
            return -1
        if above["class_type"] == "CLIPSetLastLayer":
            stop = above["inputs"].get("stop_at_clip_layer")
            return stop if type(stop) is int else None
        node = above
    return None


def _nodes(raw: Mapping[str, Any]) -> list[str]:
    """List nodes that are not read, and those of which one of several is."""
    kinds = Counter(str(node["class_type"]) for _, node in _workflow(raw))
    several = {kind: n for kind, n in kinds.items() if n > 1 and kind in _SINGLE}
    others = [kind for kind in kinds if kind not in _NODES and kind not in several]
    return [*others, *(f"{n} x {kind}" for kind, n in several.items())]


def _workflow(raw: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the nodes of ComfyUI's "prompt", each with its number."""
    import json

    nodes = raw.get("prompt")
    if isinstance(nodes, str):
        try:
            nodes = json.loads(nodes)
        except (ValueError, RecursionError):
            return
    for number, node in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node, dict) and isinstance(node.get("inputs"), dict) and "class_type" in node:
            yield str(number), node


def _dictionaries(metadata: Mapping[Any, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the metadata, and what ComfyUI's nodes have, a list of them for a kind of node."""
    yield metadata
    lists = (nodes for nodes in metadata.values() if isinstance(nodes, list))
    yield from (node for nodes in lists for node in nodes if isinstance(node, dict))
