"""Read the settings of one sampler of ComfyUI: its numbers, its model, the size it began with."""

from __future__ import annotations

from collections.abc import Iterator

from clipcond.metadata.comfyui_graph import Graph, Node, is_of

_PARTS = ("noise", "guider", "sampler", "sigmas")  # of a sampler that is several nodes
# A1111's names of a sampler's inputs, or its own, and whether they are numbers.
_INPUTS: dict[str, tuple[tuple[str, ...], type[str] | type[float]]] = {
    "Steps": (("steps",), float),
    "Sampler": (("sampler_name",), str),
    "Schedule type": (("scheduler",), str),
    "CFG scale": (("cfg",), float),
    "Seed": (("seed", "noise_seed"), float),
    "denoise": (("denoise",), float),
}
_MODELS = ("ckpt_name", "unet_name", "model_name")
_SIZES = (("width", "height"), ("empty_latent_width", "empty_latent_height"))
_SCALING = ("LatentUpscale", "ImageScale")  # to a width and a height
# Words in the names of inputs that choose another size than the width and height of their node.
_CHOOSING = frozenset("aspect ratio resolution dimension dimensions swap factor".split())
# Nodes that keep the size of an input, by that input; of a composite, it is the destination's.
_KEEPING = {
    **dict.fromkeys("VAEEncode VAEEncodeTiled VAEEncodeForInpaint".split(), "pixels"),
    "InpaintModelConditioning": "pixels",
    **dict.fromkeys("VAEDecode VAEDecodeTiled SetLatentNoiseMask".split(), "samples"),
    **dict.fromkeys("RepeatLatentBatch LatentFromBatch LatentFlip".split(), "samples"),
    **dict.fromkeys(("LatentCompositeMasked", "ImageCompositeMasked"), "destination"),
    **dict.fromkeys(("ImageInvert", "ImageBlur", "ImageSharpen", "ImageQuantize"), "image"),
    "LatentComposite": "samples_to",
    "LatentBlend": "samples1",
    "ImageBlend": "image1",
}


def read_sampling(graph: Graph, sampler: Node) -> tuple[dict[str, str], list[Node]]:
    """Read a sampler's settings, under A1111's names; also the nodes that were read.

    A value that only a node of ComfyUI could compute is "from" the kind of that node.
    """
    parts = list(_parts(graph, sampler))
    settings = {}
    for name, (inputs, kind) in _INPUTS.items():
        has = [(node, each) for node in (sampler, *parts) for each in inputs if each in node.inputs]
        if has:
            settings[name] = _shown(graph, *has[0], kind)
    chosen = graph.link(sampler, "sampler")
    if chosen is not None and "Sampler" not in settings:
        settings["Sampler"] = chosen.node.kind
    if any(node.kind == "BasicGuider" for node in parts):
        settings["CFG scale"] = "1"  # it has no negative prompt
    settings |= dict(_unusual(graph, sampler, settings.get("Steps", "")))
    model, loader = _model(graph, [sampler, *parts])
    size, latent = _size(graph, sampler)
    return {**settings, **size, **model}, [*parts, *loader, *latent]


def _parts(graph: Graph, sampler: Node) -> Iterator[Node]:
    """Yield the nodes that a sampler's settings are spread over, such as SamplerCustomAdvanced's.

    Where one of them changes what another gave it, as SplitSigmas does, that one follows it.
    """
    for name in _PARTS:
        node, seen = sampler, {sampler.number}
        while (link := graph.link(node, name)) is not None and link.node.number not in seen:
            node = link.node
            seen.add(node.number)
            yield node


def _shown(graph: Graph, node: Node, name: str, kind: type[str] | type[float]) -> str:
    held = graph.held(node, name, kind)
    if held.value is None:
        return f"from {held.node.kind}"
    is_whole = isinstance(held.value, float) and held.value.is_integer()
    return str(int(held.value) if is_whole else held.value)


def _unusual(graph: Graph, sampler: Node, steps: str) -> Iterator[tuple[str, str]]:
    """Yield what an advanced sampler does otherwise than from noise through all steps."""
    usual = {
        "add_noise": ("enable", "True"),
        "return_with_leftover_noise": ("disable",),
        "start_at_step": ("0",),
    }
    for name, values in usual.items():
        if name not in sampler.inputs:
            continue
        value = sampler.inputs[name]
        is_number = is_of(value, float) or isinstance(value, list)
        shown = _shown(graph, sampler, name, float) if is_number else str(value)
        if shown not in values:
            yield name, shown
    if "end_at_step" in sampler.inputs:
        end = _shown(graph, sampler, "end_at_step", float)
        if not (end.isdecimal() and steps.isdecimal() and int(end) >= int(steps)):
            yield "end_at_step", end


def _model(graph: Graph, starts: list[Node]) -> tuple[dict[str, str], list[Node]]:
    """Find the file of the model that a sampler got, through LoRAs and patches.

    A node that takes a model changes it, also where it names a file, such as a motion model.
    """
    node = next((link.node for each in starts if (link := graph.link(each, "model"))), None)
    seen: set[str] = set()
    while node is not None and node.number not in seen:
        seen.add(node.number)
        link = graph.link(node, "model")
        if link is not None:
            node = link.node
            continue
        name = next((each for each in _MODELS if each in node.inputs), None)
        is_patch = any("model" in each.name for each in graph.links(node) if each.name != name)
        if name is None or is_patch:
            return {"Model": f"from {node.kind}"}, []
        return {"Model": _shown(graph, node, name, str)}, [node]
    return {}, []


def _size(graph: Graph, sampler: Node) -> tuple[dict[str, str], list[Node]]:
    """Find the size that a sampler began with, where its latent is made or last scaled.

    Only nodes that are known to keep a size are passed: it is "from" the kind of any other.
    """
    links = list(graph.pictures(sampler))
    links = [each for each in links if "latent" in each.name or each.name == "samples"] or links
    if len(links) > 1:
        return {"Size": f"from {sampler.kind}"}, []
    node, seen = links[0].node if links else None, {sampler.number}
    while node is not None and node.number not in seen:
        seen.add(node.number)
        names = next((each for each in _SIZES if node.inputs.keys() >= {*each}), None)
        if names is not None and _gives(graph, node, names):
            return _shown_size(graph, node, names)
        if node.kind.startswith("LoadImage"):
            return {}, []  # it has the size of its file
        kept = _KEEPING.get(node.kind)
        link = None if kept is None else graph.link(node, kept)
        if link is None:
            return {"Size": f"from {node.kind}"}, []
        node = link.node
    return {}, []


def _gives(graph: Graph, node: Node, names: tuple[str, str]) -> bool:
    """Whether a node's width and height are those of its result."""
    if node.kind in _SCALING:  # 0: in proportion to the other
        return all(_shown(graph, node, each, float) != "0" for each in names)
    is_chosen = any(
        not _CHOOSING.isdisjoint(name.lower().split("_")) and "custom" not in str(value).lower()
        for name, value in node.inputs.items()
    )
    is_scaling = names == _SIZES[0] and any(graph.pictures(node))
    return not is_chosen and (not is_scaling or node.kind.startswith("Empty"))


def _shown_size(
    graph: Graph, node: Node, names: tuple[str, str]
) -> tuple[dict[str, str], list[Node]]:
    width, height = (_shown(graph, node, each, float) for each in names)
    is_size = width.isdecimal() and height.isdecimal()
    settings = {"Size": width if width == height and not is_size else f"{width}x{height}"}
    if "batch_size" in node.inputs:
        count = _shown(graph, node, "batch_size", float)
        settings |= {} if count == "1" else {"batch_size": f"one picture of {count}"}
    return settings, [node] if node.kind.startswith("Empty") else []
