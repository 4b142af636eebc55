"""Tell JSON that a tool wrote from a prompt, and say what is to be given instead of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from clipcond.metadata.infotext import has_settings

_EXPORT = "In ComfyUI choose Export (API) and give what that writes, or give a picture's file."
# Names in ComfyUI's graph, and in a workflow of its page.
_OF_COMFYUI = ('"class_type"', '"last_node_id"', '"widgets_values"')


def is_json(text: str) -> bool:
    """Whether a text is JSON with something named in it, or what is left of ComfyUI's.

    Templates such as "{a|b}" and "[a|b]", and lists of texts, are prompts.
    """
    if not text.lstrip().startswith(("{", "[")) or ":" not in text:
        return False
    read = _read(text)
    if read is not None:
        return any(map(bool, _objects(read)))
    return any(name in text for name in _OF_COMFYUI) and not has_settings(text)


def problem_with(text: str, remedy: str) -> tuple[str, str]:
    """Say what is wrong with JSON that no reader takes.

    Args:
        remedy: what to do if it is damaged.
    Returns:
        what it is, as in "the text is ...", and the remedy.
    """
    read = _read(text)
    if read is None:
        return "ComfyUI's JSON, but is damaged", f"{remedy} {_EXPORT}"
    objects = list(_objects(read))
    if any(isinstance(each.get("nodes"), list) and "links" in each for each in objects):
        return "a workflow as ComfyUI's page saves it, not as its API takes it", _EXPORT
    if any(each.keys() >= {"class_type", "inputs"} for each in objects):
        return "other JSON with ComfyUI's graph in it", f"Give the graph alone. {_EXPORT}"
    return "JSON of another tool", "Give its prompt alone, or the picture's file."


def _read(text: str) -> object:
    """Read JSON; None if it is none."""
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read


def _objects(read: object) -> Iterator[dict[str, Any]]:
    """Yield the objects in what JSON holds, the outer ones first."""
    rest = [read]
    for each in rest:  # it grows
        if isinstance(each, dict):
            yield each
            rest += each.values()
        elif isinstance(each, list):
            rest += each
