"""Name the dialect that nodes of ComfyUI read texts in, and what of their settings is not followed.

ComfyUI's own nodes read its syntax. Nodes of other people may read another one, or let weights act
otherwise; which, their settings say: `parser` and `weight_interpretation`. Only what those words
themselves say is taken over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from clipcond.metadata.comfyui_graph import Graph, Held, Node, with_settings

# Settings of ours: nodes whose syntax is not followed (other people's, and ComfyUI's own for models
# that are read otherwise), whose weights act otherwise than in any
# dialect, and whose texts are in another dialect than the prompt.
UNKNOWN, WEIGHTS, OTHERS = "Encoder", "Encoder weights", "Other dialects"
OF_ENCODERS = frozenset({UNKNOWN, WEIGHTS, OTHERS})
_USUAL = "comfyui"
_OWN = frozenset(
    "CLIPTextEncode CLIPTextEncodeSDXL CLIPTextEncodeSDXLRefiner CLIPTextEncodeSD3 "
    "CLIPTextEncodeFlux CLIPTextEncodeHunyuanDiT CLIPTextEncodePixArtAlpha CLIPTextEncodeLumina2 "
    "CLIPTextEncodeHiDream CLIPTextEncodeControlnet".split()
)
_DIALECTS = {"a1111": "a1111", "compel": "compel", "comfy": _USUAL}
# Settings of weights, and the value with which they act as in the dialect that the node reads.
_OF_WEIGHTS = {"weight_interpretation": "comfy", "token_normalization": "none"}
_OF_A1111 = {
    "mean_normalization": "True",
    "multi_conditioning": "True",
    "use_old_emphasis_implementation": "False",
}


class _Reading(NamedTuple):
    """How a node reads: its dialect or the nearest, and descriptions of what is not followed."""

    dialect: str
    unknown: str = ""
    weights: str = ""


def read_encoders(
    graph: Graph, positive: Sequence[Node], negative: Sequence[Node]
) -> dict[str, str]:
    """Name the dialect of a prompt, as the setting "Dialect", and what else its nodes do.

    Args:
        positive, negative: the nodes that encode the texts of a side.
    """
    nodes = {node.number: node for node in (*positive, *negative)}
    readings = [(node.kind, _reading(graph, node)) for node in nodes.values()]
    dialect = readings[0][1].dialect if readings else _USUAL
    listed = {
        UNKNOWN: (each.unknown for _, each in readings),
        WEIGHTS: (each.weights for _, each in readings),
        OTHERS: (
            f"{each.dialect} ({kind})"
            for kind, each in readings
            if each.dialect != dialect and not each.unknown
        ),
    }
    shown = {name: "; ".join(dict.fromkeys(filter(None, all_))) for name, all_ in listed.items()}
    return {"Dialect": dialect, **{name: value for name, value in shown.items() if value}}


def encoders_not_honoured(others: Mapping[str, str]) -> Iterator[str]:
    """Say what of the nodes that encoded the texts is not followed."""
    if UNKNOWN in others:
        yield (
            f"Encoder: {others[UNKNOWN]}; how it reads brackets and weights is not followed, they "
            "are read as this pipeline does."
        )
    if WEIGHTS in others:
        yield f"Weights: {others[WEIGHTS]}; that is not followed, they act as this pipeline's do."
    if OTHERS in others:
        yield (
            f"Dialects: some of the texts are in {others[OTHERS]}; all are read as this pipeline "
            "does."
        )


def _reading(graph: Graph, node: Node) -> _Reading:
    said = _said(graph, node, ("parser",))
    parser = next(iter(said.values()), None)
    if parser is not None and parser.lower() not in _DIALECTS:
        return _Reading(_USUAL, unknown=with_settings(node, said))
    dialect = _USUAL if parser is None else _DIALECTS[parser.lower()]
    usual = _OF_A1111 if dialect == "a1111" else _OF_WEIGHTS
    of_weights = _said(graph, node, usual)
    unlike = {
        name: value
        for name, value in of_weights.items()
        if not any(name.endswith(each) and value == is_usual for each, is_usual in usual.items())
    }
    # a loader encodes as ComfyUI does, unless its settings say otherwise
    is_known = node.kind in _OWN or said or of_weights or "ckpt_name" in node.inputs
    if not is_known:
        return _Reading(_USUAL, unknown=node.kind)
    return _Reading(dialect, weights=with_settings(node, unlike) if unlike else "")


def _said(graph: Graph, node: Node, names: Collection[str]) -> dict[str, str]:
    """Read settings of a node by their names, or by names that end in these."""
    found = {}
    for name, value in node.inputs.items():
        if any(name == each or name.endswith(f"_{each}") for each in names):
            held = graph.held(node, name, str)
            shown = value if held.value is None else held.value
            found[name] = str(shown) if graph.link(node, name) is None else _linked(held)
    return found


def _linked(held: Held) -> str:
    return f"from {held.node.kind}" if held.value is None else str(held.value)
