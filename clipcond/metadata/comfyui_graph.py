"""Follow the links of ComfyUI's graph, in the form that its pictures and its API have.

    {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "latent_image": ["5", 0]}}, ...}

An input is a value, or a link: the number of a node, and which of that node's outputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard

from clipcond import lazy_re
from clipcond.errors import excerpt

# Inputs that are one value, wherever it comes from.
VALUES = frozenset(
    "seed noise_seed steps cfg sampler_name scheduler denoise width height batch_size amount "
    "start_at_step end_at_step add_noise text text_g text_l".split()
)
# Settings that say that the last layer was chosen: ComfyUI's and SwarmUI's.
STOPS = ("stop_at_clip_layer", "clipstopatlayer")
LAST, LAST_OF_SOME = "-1", "-1 for some of the texts"
# Inputs that are no picture and no latent: those, models, prompts, masks.
_NO_PICTURES = VALUES | frozenset(
    "model clip vae positive negative conditioning mask control_net noise guider sampler "
    "sigmas text_embeds basic_pipe".split()
)
# Words that the name of a node has whose output is the value it was given: what the value is, that
# it is fixed, how it is typed in; and packs of nodes, whose names go with those.
_HOLDING = frozenset("int integer float number numeric seed string str text bool boolean".split())
_PACKS = frozenset(
    "constant const literal value node input multiline box simple image saver easy impact cr jw "
    "tt n rgthree was kj everywhere".split()
)
_WORD = lazy_re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+|\d+")


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a workflow.

    Args:
        number: as the links name it; nodes of a group have two, "12:3".
        kind: what ComfyUI calls its class, such as "KSampler".
    """

    number: str
    kind: str
    inputs: Mapping[str, object]


class Link(NamedTuple):
    """What an input is linked to: a node, and which of its outputs."""

    name: str
    node: Node
    output: int


class Held(NamedTuple):
    """A value, and the node that has it; None = it cannot be read from there."""

    value: str | float | None
    node: Node


class Graph:
    """The nodes of a workflow by their numbers, in the order of the file.

    Nodes that only pass one link on (Reroute) are left out: links go through them.
    """

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        passing = ((number, _passed_on(node)) for number, node in nodes.items())
        self._passing = {number: link for number, link in passing if link is not None}
        self._all = nodes
        self.nodes = {number: nodes[number] for number in nodes if number not in self._passing}
        self._sources: dict[str, tuple[Node, int]] = {}  # of links through nodes, as asked so far

    def links(self, node: Node) -> Iterator[Link]:
        """Yield the links of a node's inputs to nodes that there are."""
        return filter(None, (self.link(node, name) for name in node.inputs))

    def link(self, node: Node, name: str) -> Link | None:
        """Find what one input is linked to; None if it is not."""
        value = node.inputs.get(name)
        if not _is_link(value):
            return None
        number = str(value[0])
        if number in self._passing:
            return Link(name, *self._source(number))
        above = self.nodes.get(number)
        return None if above is None else Link(name, above, value[1])

    def _source(self, number: str) -> tuple[Node, int]:
        """Find the node and output that a Reroute passes on; itself, if its links lead nowhere."""
        found = self._sources.get(number)
        passed: dict[str, None] = {}
        while found is None:
            passed[number] = None
            above, output = self._passing[number]
            if above in self.nodes:
                found = self.nodes[above], output
            elif above in passed or above not in self._passing:
                found = self._all[number], 0
            else:
                number, found = above, self._sources.get(above)
        self._sources |= dict.fromkeys(passed, found)
        return found

    def pictures(self, node: Node) -> Iterator[Link]:
        """Yield the links through which a picture or a latent may come."""
        return (each for each in self.links(node) if each.name not in _NO_PICTURES)

    def all_above(self, node: Node) -> set[str]:
        """Number the nodes that a node's result depends on, and the node itself."""
        found, rest = {node.number}, [node]
        while rest:
            new = [each.node for each in self.links(rest.pop()) if each.node.number not in found]
            found |= {each.number for each in new}
            rest += new
        return found

    def nearest_above(self, sources: Iterable[str]) -> dict[str, str]:
        """Find for each node the nearest of the sources that a picture or latent comes from.

        Nodes without one are not in it; of a source it is the one above.
        """
        below: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for each in self.pictures(node):
                below.setdefault(each.node.number, []).append(node.number)
        nearest = {number: number for number in sources}
        above: dict[str, str] = {}
        rest = [*nearest]
        for number in rest:  # it grows
            for user in below.get(number, ()):
                above.setdefault(user, nearest[number])
                if user not in nearest:
                    nearest[user] = nearest[number]
                    rest.append(user)
        return above

    def held(self, node: Node, name: str, kind: type[str] | type[float]) -> Held:
        """Read a value of a kind, also where it is linked to a node that only holds it."""
        link = self.link(node, name)
        if link is not None:
            node = link.node
            names = [key for key, each in node.inputs.items() if is_of(each, kind)]
            if len(names) != 1 or not only_holds(node):
                return Held(None, node)
            name = names[0]
        value = node.inputs.get(name)
        return Held(value if is_of(value, kind) else None, node)


def with_settings(node: Node, settings: Mapping[str, str]) -> str:
    """Describe a node by its kind and some of its settings."""
    values = {name: excerpt(" ".join(value.split())) for name, value in settings.items()}
    shown = ", ".join(f"{name}={value}" for name, value in values.items())
    return f"{node.kind} with {shown}" if shown else node.kind


def only_holds(node: Node) -> bool:
    """Whether a node's output is its one value, by its name and inputs: INTConstant, easy seed.

    What other nodes make of a value is theirs, whatever input it is: SimpleMath, RandomInt. A
    second input may change the value, too; only Primitive nodes are known to have one that doesn't.
    """
    if any(map(_is_link, node.inputs.values())):
        return False
    if node.kind.startswith("Primitive"):
        return True
    words = {word.lower() for word in _WORD.findall(node.kind)}
    return len(node.inputs) == 1 and words <= _HOLDING | _PACKS and bool(words & _HOLDING)


def _passed_on(node: Node) -> tuple[str, int] | None:
    """Read the link of a node that only passes it on; None of other nodes."""
    if len(node.inputs) != 1 or "reroute" not in node.kind.lower():
        return None
    [value] = node.inputs.values()
    return (str(value[0]), value[1]) if _is_link(value) else None


def is_of(value: object, kind: type[str] | type[float]) -> TypeGuard[str | float]:
    """Whether a value is a text, or for `float` any number."""
    if kind is str:
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_link(value: object) -> TypeGuard[tuple[str | int, int]]:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return isinstance(value[0], str | int) and type(value[1]) is int


def read_graph(text: object) -> Graph | None:
    """Read a graph from its JSON, also as the body of a request of /prompt; None if it is none."""
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for graph in (read, read.get("prompt")):
        nodes = _read_nodes(graph) if isinstance(graph, dict) else {}
        if nodes:
            return Graph(nodes)
    return None


def _read_nodes(graph: Mapping[str, object]) -> dict[str, Node]:
    nodes = {}
    for number, node in graph.items():
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if isinstance(node, dict) and isinstance(inputs, dict) and "class_type" in node:
            nodes[number] = Node(number, str(node["class_type"]), inputs)
    return nodes
