"""Read what a picture of ComfyUI was made with from its graph, as far as its output is linked.

Links are followed from the node that saved the picture up to the first sampler, the one that no
other sampler comes before; its settings and prompts are read. NODES lists what else the picture
depends on; all other nodes are ignored.

Source: ComfyUI's documentation of its nodes' inputs, and of workflows in the form of its API.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from clipcond.errors import PictureError
from clipcond.metadata.comfyui_encoders import read_encoders
from clipcond.metadata.comfyui_graph import VALUES, Graph, Node, only_holds
from clipcond.metadata.comfyui_joins import JOINED, read_joins
from clipcond.metadata.comfyui_sampling import read_sampling
from clipcond.metadata.comfyui_texts import clip_skip, find_texts
from clipcond.metadata.parameters import Parameters, of_settings

NODES = "Nodes"  # the setting that lists what else took part
OUTPUTS = "Outputs"  # the setting that says that several pictures were drawn
# Nodes that change no picture, so that NODES need not list them.
_SILENT = frozenset("VAEDecode SaveImage PreviewImage Note".split())
# Nodes whose inputs are all read if they belong to the sampler that is read.
_WHOLE = frozenset(
    "KSampler KSamplerAdvanced SamplerCustom SamplerCustomAdvanced KSamplerSelect BasicScheduler "
    "RandomNoise CFGGuider BasicGuider CLIPTextEncode CLIPSetLastLayer CheckpointLoaderSimple "
    "CheckpointLoader UNETLoader EmptyLatentImage EmptySD3LatentImage".split()
)


class _Output(NamedTuple):
    """A node that saves a picture, and the number and output of the node that brings it."""

    node: Node
    source: tuple[str, int]


def of_comfyui(graph: Graph, unread: Callable[[str], PictureError]) -> Parameters:
    """Read a graph.

    Args:
        unread: makes the error out of what could not be found.
    Raises:
        PictureError: no sampler leads to a picture that was saved, or no prompt to the sampler.
    """
    samplers = [number for number, node in graph.nodes.items() if _is_sampler(graph, node)]
    above = graph.nearest_above(samplers)
    outputs = _outputs(graph, {*above, *samplers})
    if not outputs:
        raise unread("No sampler leads to a node there that saves a picture.")
    output = outputs[0].node
    sampler = graph.nodes[_first_sampler(output.number, above)]
    positive, negative = (find_texts(graph, sampler, side) for side in ("positive", "negative"))
    if positive.unread or not (positive.nodes or positive.is_zero):
        raise unread("No prompt that can be read leads to its sampler.")
    sampling, read = read_sampling(graph, sampler)
    layer, choosing = clip_skip(graph, positive, negative)
    settings = {**sampling, **layer, **positive.others()}
    settings |= {f"negative {name}": value for name, value in negative.others().items()}
    if negative.unread:
        settings["Negative text"] = f"from {', '.join(negative.unread)}"
    encoders = read_encoders(graph, positive.nodes, negative.nodes)
    settings |= {**encoders, "Generator": "ComfyUI"}
    prompts = {}
    for side, texts in (("positive", positive), ("negative", negative)):
        prompts[side], joins = read_joins(
            graph, texts.values, texts.nodes, texts.joins, encoders["Dialect"],
            n_others=texts.n_others,
        )  # fmt: skip
        settings |= {JOINED[side]: joins} if joins else {}
    if len({each.source for each in outputs}) > 1:
        settings[OUTPUTS] = f"several that differ; that of {output.kind} {output.number} is read"
    whole = [sampler, *read, *choosing, *positive.nodes, *negative.nodes]
    settings |= _others(graph, output, {node.number for node in whole if node.kind in _WHOLE})
    return of_settings(prompts["positive"], prompts["negative"], settings)


def _is_sampler(graph: Graph, node: Node) -> bool:
    """Whether a node draws: it has a sampler's settings, and a link that brings more than a value.

    A node with the settings alone only holds them for others.
    """
    names = node.inputs.keys()
    is_named = names >= {"steps", "cfg"} or names >= {"sampler", "sigmas"}
    return is_named and any(link.name not in VALUES for link in graph.links(node))


def _outputs(graph: Graph, drawn: set[str]) -> list[_Output]:
    """List what saves pictures of samplers: what is called so, or what nothing is linked to.

    Args:
        drawn: numbers of the nodes that a sampler's result comes to.
    """
    nodes = [node for number, node in graph.nodes.items() if number in drawn]
    saving = [node for node in nodes if "save" in node.kind.lower()]
    showing = [node for node in nodes if "preview" in node.kind.lower()]
    used = {link.node.number for node in graph.nodes.values() for link in graph.links(node)}
    ends = [node for node in nodes if node.number not in used]
    for group in ([*saving, *showing], ends):
        found = [
            _Output(node, (link.node.number, link.output))
            for node in group
            for link in graph.pictures(node)
            if link.name.lower().startswith("image") and link.node.number in drawn
        ]
        if found:
            return found
    return [_Output(node, (node.number, 0)) for node in ends]


def _first_sampler(output: str, above: dict[str, str]) -> str:
    """Find the sampler that a picture began with: further passes are below it.

    Args:
        above: of each node, the nearest sampler above it.
    """
    sampler, passes = output, {output}
    while (found := above.get(sampler, sampler)) not in passes:
        passes.add(found)
        sampler = found
    return sampler


def _others(graph: Graph, output: Node, read: set[str]) -> dict[str, str]:
    """List the kinds of nodes that a picture depends on and that are not read."""
    above = graph.all_above(output) - read - {output.number}
    kinds = Counter(
        node.kind
        for number, node in graph.nodes.items()
        if number in above and node.kind not in _SILENT and not only_holds(node)
    )
    shown = (kind if n == 1 else f"{n} x {kind}" for kind, n in kinds.items())
    return {NODES: ", ".join(shown)} if kinds else {}
