"""Find the prompts that a sampler of ComfyUI is linked to, and the layer they are encoded with."""

from __future__ import annotations

from dataclasses import dataclass, field

from clipcond.metadata.comfyui_graph import (
    LAST,
    LAST_OF_SOME,
    STOPS,
    VALUES,
    Graph,
    Link,
    Node,
)
from clipcond.metadata.comfyui_joins import Place, joining

# Inputs that bring no prompt: the rest of a node is looked through for texts.
_NO_TEXTS = VALUES | frozenset(
    "model clip vae control_net image images mask pixels latent latent_image samples noise "
    "sampler sigmas style_model clip_vision clip_vision_output".split()
)
_TEXTS = ("text", "text_g", "text_l", "clip_g", "clip_l", "t5xxl", "prompt")
_OTHER = {"positive": "negative", "negative": "positive"}
# No conditioning comes through them: what was written above is not used.
_EMPTY = frozenset({"ConditioningZeroOut"})


@dataclass
class Texts:
    """The prompts of one side of a sampler.

    Args:
        values: what was written, each once.
        nodes: that it was written in.
        several: the texts of each node that has several which differ, by the names of its inputs.
        unread: kinds of nodes whose texts cannot be read, each once.
        is_zero: whether zeros take the place of a text.
        is_empty: whether one of the texts is empty.
        joins: nodes that several texts come together in.
    """

    values: dict[str, None] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    several: list[dict[str, str]] = field(default_factory=list)
    unread: dict[str, None] = field(default_factory=dict)
    is_zero: bool = False
    is_empty: bool = False
    joins: list[Node] = field(default_factory=list)

    @property
    def n_others(self) -> int:
        """Count what takes part without a text: the empty one, zeros, kinds of unread nodes."""
        return self.is_empty + self.is_zero + len(self.unread)

    def others(self) -> dict[str, str]:
        """Name the texts of nodes that have several: text_l, of the second node "text_l 2"."""
        return {
            name if i == 1 else f"{name} {i}": text
            for i, written in enumerate(self.several, 1)
            for name, text in written.items()
        }


def find_texts(graph: Graph, start: Node, role: str) -> Texts:
    """Find the texts that a sampler, or its guider, has as "positive" or "negative"."""
    found, seen = Texts(), {(start.number, role)}
    rest = [(start, role)]
    above: dict[Place, list[Place]] = {}
    ends: list[Place] = []
    while rest:
        node, side = rest.pop()
        if node.kind in _EMPTY:
            found.is_zero = True
            ends.append((node.number, side))
            continue
        if _add_texts(graph, node, side, found):
            ends.append((node.number, side))
            continue
        links = [(each.node, _side_of(each, side)) for each in _links(graph, node, side)]
        rest += [each for each in reversed(links) if (each[0].number, each[1]) not in seen]
        above[node.number, side] = [(each.number, each_side) for each, each_side in links]
        seen |= {*above[node.number, side]}
    found.joins = [graph.nodes[number] for number, _ in joining(above, ends)]
    return found


def _links(graph: Graph, node: Node, side: str) -> list[Link]:
    """List the links of a node that may bring the texts of a side."""
    links = [each for each in graph.links(node) if each.name not in _NO_TEXTS]
    named = [each for each in links if each.name == side]
    if named:
        return named
    if side == "negative" and _is_one_sided(node):
        return []
    return [each for each in links if each.name != _OTHER[side]]


def _is_one_sided(node: Node) -> bool:
    """Whether a sampler or guider takes one prompt, as BasicGuider does."""
    return "model" in node.inputs and "conditioning" in node.inputs


def _side_of(link: Link, side: str) -> str:
    """Name the side that a link brings.

    Nodes that change both prompts, such as ControlNetApplyAdvanced, have them as outputs: 0 is
    positive, 1 negative. A guider takes both as well, but has one output; it is known by its model.
    """
    inputs = link.node.inputs
    is_pair = all(isinstance(inputs.get(each), list) for each in _OTHER) and "model" not in inputs
    if is_pair and link.output in (0, 1):
        return ("positive", "negative")[link.output]
    return side


def _add_texts(graph: Graph, node: Node, side: str, found: Texts) -> bool:
    """Add the texts that a node encodes; False if it encodes none."""
    own: tuple[str, ...] = (side,) if isinstance(node.inputs.get(side), str) else _TEXTS
    if "with_SDXL" in node.inputs:  # says which of its texts count
        own = ("text_g", "text_l") if node.inputs["with_SDXL"] is True else ("text",)
    names = [name for name in own if name in node.inputs]
    if not names:
        return False
    texts = {name: graph.held(node, name, str) for name in names}
    found.unread |= {each.node.kind: None for each in texts.values() if each.value is None}
    written = {name: str(each.value or "").strip() for name, each in texts.items()}
    first = next(filter(None, written.values()), "")
    found.values |= {first: None} if first else {}
    found.is_empty |= not first and all(each.value is not None for each in texts.values())
    found.nodes.append(node)
    if len({*written.values()}) > 1:
        found.several.append(written)
    return True


def clip_skip(graph: Graph, positive: Texts, negative: Texts) -> tuple[dict[str, str], list[Node]]:
    """Find the layer that the texts are encoded with, and the nodes that choose it.

    ComfyUI counts from the end. Where nothing chooses it, it is 1, the layer that a model was
    trained on; so the last, where it is chosen, is written as well as it is there.
    """
    found = [_stops(graph, each.nodes) for each in (positive, negative)]
    stops = [stop for side, _ in found for stop in side]
    nodes = [node for _, above in found for node in above]
    if not stops:
        return {}, nodes
    said = {STOPS[0]: LAST if {*stops} == {"1"} else LAST_OF_SOME} if "1" in stops else {}
    if len({*map(_skip, stops)}) == 1:
        return {"Clip skip": _skip(stops[0]), **said}, nodes
    sides = (" and ".join(dict.fromkeys(map(_skip, side))) for side, _ in found)
    shown = ", ".join(
        f"{side} for the {name}"
        for side, name in zip(sides, ("prompt", "negative"), strict=True)
        if side
    )
    return {"Clip skip": shown}, nodes


def _skip(stop: str) -> str:
    return stop or "1"


def _stops(graph: Graph, nodes: list[Node]) -> tuple[list[str], list[Node]]:
    """Find the clip skip of each node that encodes a text, "" where nothing chooses it."""
    known: dict[str, Node | None] = {}
    stops, above = [], []
    for node in nodes:
        is_loader = "clip_skip" in node.inputs  # that encodes as well
        if node.kind != "CLIPTextEncode" and not is_loader and graph.link(node, "clip") is None:
            continue
        last = node if is_loader else _last_layer(graph, node, known)
        name = "clip_skip" if is_loader else "stop_at_clip_layer"
        held = None if last is None else graph.held(last, name, float)
        above += [] if last is None else [last]
        if held is None:
            stops.append("")
        elif isinstance(held.value, int):
            stops.append(str(-held.value))
        else:
            stops.append(f"from {held.node.kind}")
    return stops, above


def _last_layer(graph: Graph, node: Node, known: dict[str, Node | None]) -> Node | None:
    """Find the first CLIPSetLastLayer above a text, which is the one that counts.

    Args:
        known: of nodes that were looked at before, by their numbers; those of now are added.
    """
    passed: dict[str, None] = {}
    found: Node | None = None
    while (link := graph.link(node, "clip")) is not None and link.node.number not in passed:
        node = link.node
        if node.kind == "CLIPSetLastLayer" or node.number in known:
            found = known.get(node.number, node)
            break
        passed[node.number] = None
    known |= dict.fromkeys(passed, found)
    return found
