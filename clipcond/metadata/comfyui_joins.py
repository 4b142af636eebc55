"""Say which nodes of ComfyUI brought several texts together, and what is made of them here.

    ConditioningCombine   draws with each of the texts; A1111's AND is the nearest
    ConditioningConcat    encodes each in chunks of its own, as A1111's BREAK does
    ConditioningAverage   mixes their embeddings by a strength

A dialect that can say the same gets it: BREAK in a1111. Elsewhere a comma is between the texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

import clipcond.lazy_re as re
from clipcond.metadata.comfyui_graph import Graph, Node, with_settings

# Settings of ours: the nodes of each side.
JOINED = {"positive": "Joined texts", "negative": "Joined negative texts"}
_COMMA, _BREAK = ", ", " BREAK "
_AND = re.compile(r"\bAND\b")
_HERE = "its texts are joined by commas here"
# By a word in the name of a node: what ComfyUI does.
_THERE = {
    "combine": "ComfyUI draws with each of them, and nearest to that is AND of dialect a1111",
    "concat": "ComfyUI encodes each in chunks of its own, and nearest to that is BREAK of dialect "
    "a1111",
    "average": "ComfyUI mixes their embeddings, and its strength is not applied",
}
_UNKNOWN = "what the node makes of them is not followed"

Place: TypeAlias = tuple[str, str]  # the number of a node, and the side that it is asked for


def joining(above: Mapping[Place, Collection[Place]], texts: Collection[Place]) -> list[Place]:
    """Find the nodes that texts come to from several others.

    Args:
        above: for each node the ones that its prompt may come from.
        texts: where texts are, or zeros in their place.
    """
    below: dict[Place, list[Place]] = {}
    for place, sources in above.items():
        for each in {*sources}:
            below.setdefault(each, []).append(place)
    n_sources: Counter[Place] = Counter()
    rest = [*dict.fromkeys(texts)]
    reached = {*rest}
    for place in rest:  # it grows
        for user in below.get(place, ()):
            n_sources[user] += 1
            rest += [] if user in reached else [user]
            reached.add(user)
    return [place for place in above if n_sources[place] > 1]


def read_joins(
    graph: Graph, texts: Collection[str], nodes: Sequence[Node], joins: Sequence[Node], dialect: str
) -> tuple[str, str]:
    """Make one prompt of the texts of a side; also describe what joined them there, or "".

    Args:
        texts: each once.
        nodes: that they were written in.
        joins: that brought them together.
    """
    is_concat = all("concat" in node.kind.lower() for node in joins)
    is_whole = len(texts) == len(nodes) and not any(map(_AND.search, texts))
    if joins and dialect == "a1111" and is_concat and is_whole:
        return _BREAK.join(texts), ""
    shown = (with_settings(node, _strengths(graph, node)) for node in joins)
    return _COMMA.join(texts), "; ".join(dict.fromkeys(shown))


def joins_not_honoured(others: Mapping[str, str]) -> Iterator[str]:
    """Say what became of texts that nodes brought together."""
    for side, name in JOINED.items():
        for each in others[name].split("; ") if name in others else ():
            there = next((text for word, text in _THERE.items() if word in each.lower()), _UNKNOWN)
            where = " (negative)" if side == "negative" else ""
            yield f"{each}{where}: {_HERE}; {there}."


def _strengths(graph: Graph, node: Node) -> dict[str, str]:
    """Read the strengths of a node that mixes embeddings."""
    held = {name: graph.held(node, name, float) for name in node.inputs if "strength" in name}
    return {
        name: f"from {each.node.kind}" if each.value is None else str(each.value)
        for name, each in held.items()
    }
