"""The three ways in which files name a text tower's tensors, and what shape each must have.

Everything here works on names and shapes; no tensor is read, and torch is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from clipcond.checkpoints.header import FLOATS, Entry, shape_text
from clipcond.errors import excerpt

__all__ = ["FORMS", "Form", "Sizes", "problem", "sizes"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """A tower's sizes; 0 where the file does not say. Projection 0: there is none."""

    vocabulary: int = 0
    context: int = 0
    width: int = 0
    inner: int = 0
    layers: int = 0
    projection: int = 0


@dataclass(frozen=True, slots=True)
class Form:
    """Names and shapes of a text tower, those without a number outside of its blocks.

    Shapes are words of letters: V vocabulary, L context length, D width, T = 3 D, I inner width of
    the MLP, P projection, 2 = two.

    Attributes:
        tensors: of the tower itself.
        blocks: what stands before a block's number.
        block: of each block.
        twin: of each block where it is spelled in another way; told by its first name.
        optional: what a tower may have or not: the text projection, one name of several.
        marks: any of them says that a tower lies here.
        roots: how the names of its tensors begin, where other things lie beside it.
        ignored: what some files have too, and no computation uses.
    """

    tensors: Mapping[str, str]
    blocks: str
    block: Mapping[str, str]
    optional: Mapping[str, str]
    marks: tuple[str, ...]
    roots: tuple[str, ...]
    ignored: frozenset[str]
    twin: Mapping[str, str]

    def expected(self, found: Sizes, names: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
        """Every name with its letters, for so many blocks and what else is there."""
        yield from self.tensors.items()
        first = f"{self.blocks}0.{next(iter(self.twin), '')}"
        block = self.twin if first in names else self.block
        for i in range(found.layers):
            for name, letters in block.items():
                yield f"{self.blocks}{i}.{name}", letters
        for name, letters in self.optional.items():
            if name in names:
                yield name, letters


def _pair(*names: str, out: str = "D", inside: str = "D") -> dict[str, str]:
    """Weight and bias of linear layers."""
    weights = {f"{name}.weight": out + inside for name in names}
    return weights | {f"{name}.bias": out for name in names}


def _norm(*names: str) -> dict[str, str]:
    return {f"{name}.{part}": "D" for name in names for part in ("weight", "bias")}


def _form(
    tensors: dict[str, str], blocks: str, block: dict[str, str], optional: dict[str, str],
    *, marks: tuple[str, ...], roots: tuple[str, ...], ignored: frozenset[str],
    twin: dict[str, str] | None = None,
) -> Form:  # fmt: skip
    fixed = [MappingProxyType(each) for each in (tensors, block, optional, twin or {})]
    return Form(fixed[0], blocks, fixed[1], fixed[2], marks, roots, ignored, fixed[3])


_PROJECTION = {"text_projection": "DP", "text_projection.weight": "PD"}
_ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj")
_BERT = ("attention.self.query", "attention.self.key", "attention.self.value")
_BERT_REST = {
    **_norm("attention.output.LayerNorm", "output.LayerNorm"),
    **_pair("intermediate.dense", out="I"),
    **_pair("output.dense", inside="I"),
}

FORMS: Mapping[str, Form] = MappingProxyType(
    {
        # transformers' CLIPTextModel; `text_model.` before the names is taken off first
        "transformers": _form(
            {
                "embeddings.token_embedding.weight": "VD",
                "embeddings.position_embedding.weight": "LD",
                **_norm("final_layer_norm"),
            },
            "encoder.layers.",
            _pair(*_ATTENTION)
            | _norm("layer_norm1", "layer_norm2")
            | _pair("mlp.fc1", out="I")
            | _pair("mlp.fc2", inside="I"),
            {"text_projection.weight": "PD"},
            marks=(
                "embeddings.token_embedding.weight",
                "embeddings.position_embedding.weight",
                "final_layer_norm.weight",
            ),
            roots=("embeddings.", "encoder.layers.", "final_layer_norm.", "text_projection."),
            ignored=frozenset({"embeddings.position_ids", "logit_scale"}),
        ),
        # OpenAI's own and open_clip's
        "open_clip": _form(
            {"token_embedding.weight": "VD", "positional_embedding": "LD", **_norm("ln_final")},
            "transformer.resblocks.",
            {"attn.in_proj_weight": "TD", "attn.in_proj_bias": "T"}
            | _pair("attn.out_proj")
            | _norm("ln_1", "ln_2")
            | _pair("mlp.c_fc", out="I")
            | _pair("mlp.c_proj", inside="I"),
            # LongCLIP's positions from the 21st on
            {**_PROJECTION, "positional_embedding_res": "LD"},
            marks=("token_embedding.weight", "positional_embedding", "ln_final.weight"),
            roots=(
                *("token_embedding.", "positional_embedding", "transformer.resblocks."),
                *("ln_final.", "text_projection"),
            ),
            ignored=frozenset(
                {"attn_mask", "logit_scale", "input_resolution", "context_length", "vocab_size"}
            ),
        ),
        # BERT, as cn_clip and transformers' ChineseCLIP have it; `bert.` or `text_model.` is taken
        # off first
        "bert": _form(
            {
                "embeddings.word_embeddings.weight": "VD",
                "embeddings.position_embeddings.weight": "LD",
                "embeddings.token_type_embeddings.weight": "2D",
                **_norm("embeddings.LayerNorm"),
            },
            "encoder.layer.",
            _pair(*_BERT, "attention.output.dense") | _BERT_REST,
            _PROJECTION,
            marks=("embeddings.word_embeddings.weight",),
            roots=("text_projection",),
            # cn_clip's when trained with flash attention
            twin={"attention.self.Wqkv.weight": "TD", "attention.self.Wqkv.bias": "T"}
            | _pair("attention.self.out_proj")
            | _BERT_REST,
            # neither cn_clip nor transformers uses the pooler, and published files lack it
            ignored=frozenset(
                {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
            ),
        ),
    }
)


def sizes(form: Form, names: Mapping[str, Entry]) -> Sizes:
    """What the shapes say, each size as most of the tensors have it."""
    votes: dict[str, Counter[int]] = {}
    for name, entry in names.items():
        letters = _letters(form, name)
        if len(letters) == len(entry.shape):
            for letter, n in zip(letters, entry.shape, strict=True):
                votes.setdefault(letter, Counter())[n] += 1
    most = {letter: counted.most_common(1)[0][0] for letter, counted in votes.items()}
    blocks = {name[len(form.blocks) :].partition(".")[0] for name in names if _in_block(form, name)}
    return Sizes(
        vocabulary=most.get("V", 0),
        context=most.get("L", 0),
        width=most.get("D", 0),
        inner=most.get("I", 0),
        layers=len(blocks),
        projection=most.get("P", 0),
    )


def problem(form: Form, names: Mapping[str, Entry], called: Mapping[str, str]) -> str:
    """What is wrong with a tower, or "": a tensor missing, misshapen, of whole numbers, unknown.

    Args:
        names: the tower's tensors by the form's names.
        called: the same names as the file has them, for the message.
    """
    found = sizes(form, names)
    by_letter = {"V": found.vocabulary, "L": found.context, "D": found.width, "I": found.inner}
    by_letter |= {"T": 3 * found.width, "P": found.projection, "2": 2}
    left = set(names) - form.ignored
    for name, letters in form.expected(found, names):
        expected = tuple(by_letter[letter] for letter in letters)
        entry = names.get(name)
        if entry is None:
            return f"it has no tensor {_beside(name, called)!r} (expected {shape_text(expected)})"
        if entry.shape != expected:
            return f"{called[name]!r} is {shape_text(entry.shape)}, expected {shape_text(expected)}"
        if entry.dtype not in FLOATS:
            return f"{called[name]!r} is {entry.dtype}, expected floating point"
        left.discard(name)
    if left:
        first = called[min(left)]
        return f"it has {len(left)} tensors that no such tower has, such as {excerpt(first, 100)!r}"
    if not all((found.vocabulary, found.context, found.width, found.inner, found.layers)):
        return "it has a size of 0, or no block"
    return ""


def _letters(form: Form, name: str) -> str:
    if _in_block(form, name):
        part = name[len(form.blocks) :].partition(".")[2]
        return form.block.get(part) or form.twin.get(part, "")
    return form.tensors.get(name) or form.optional.get(name, "")


def _in_block(form: Form, name: str) -> bool:
    return name.startswith(form.blocks)


def _beside(name: str, called: Mapping[str, str]) -> str:
    """What the file would call a tensor that it lacks."""
    prefixes = (full.removesuffix(short) for short, full in called.items())
    return max(prefixes, key=len, default="") + name
