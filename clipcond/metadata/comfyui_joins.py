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
# Where it is one text, and the same again, an empty one or zeros: how a setting ends then.
_OF_ONE = " (of one text)"
_ONE_HERE = "what it joins to its first text, such as zeros or the same text, is left out here"
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
    graph: Graph, texts: Collection[str], nodes: Sequence[Node], joins: Sequence[Node],
    dialect: str, *, n_others: int = 0,
) -> tuple[str, str]:  # fmt: skip
    """Make one prompt of the texts of a side; also describe what joined them there, or "".

    Args:
        texts: each once.
        nodes: that they were written in.
        joins: that brought them together.
        n_others: how many kinds of other things take part: empty texts, zeros, unread ones.
    """
    is_concat = all(map(_is_concat, joins))
    is_whole = len(texts) == len(nodes) > 1 and not n_others and not any(map(_AND.search, texts))
    if joins and dialect == "a1111" and is_concat and is_whole:
        return _BREAK.join(texts), ""
    is_same = len(texts) + n_others < 2
    mark = "" if len(texts) > 1 else _OF_ONE
    shown = (
        with_settings(node, _strengths(graph, node)) + mark
        for node in joins
        if not (is_same and _keeps_the_same(node))
    )
    return _COMMA.join(texts), "; ".join(dict.fromkeys(shown))


def _is_concat(node: Node) -> bool:
    return "concat" in node.kind.lower()


def _keeps_the_same(node: Node) -> bool:
    """Whether a node gives the embeddings that it has, where they all are the same."""
    return any(word in node.kind.lower() for word in ("combine", "average"))


def joins_not_honoured(others: Mapping[str, str]) -> Iterator[str]:
    """Say what became of texts that nodes brought together."""
    for side, name in JOINED.items():
        for each in others[name].split("; ") if name in others else ():
            there = next((text for word, text in _THERE.items() if word in each.lower()), _UNKNOWN)
            where = " (negative)" if side == "negative" else ""
            here = _ONE_HERE if each.endswith(_OF_ONE) else _HERE
            yield f"{each.removesuffix(_OF_ONE)}{where}: {here}; {there}."


def _strengths(graph: Graph, node: Node) -> dict[str, str]:
    """Read the strengths of a node that mixes embeddings."""
    held = {name: graph.held(node, name, float) for name in node.inputs if "strength" in name}
    return {
        name: f"from {each.node.kind}" if each.value is None else str(each.value)
        for name, each in held.items()
    }
