"""open_clip's names for a text model's weights, and the shape that each must have.

The same names serve OpenAI's own files, EVA-CLIP's, LongCLIP's, and within SD2 and SDXL files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from clipcond.errors import CheckpointError

__all__ = [
    "BLOCKS",
    "EMBEDDING",
    "LINEAR_PROJECTION",
    "POSITIONS",
    "PROJECTION",
    "Half",
    "text_half",
    "text_prefix",
]

BLOCKS = "transformer.resblocks."
MARK = BLOCKS + "0.attn.in_proj_weight"
# Other stacks of blocks with the same names: vision, and CoCa's decoder of captions.
ELSEWHERE = ("visual.", "text_decoder.")
EMBEDDING, POSITIONS = "token_embedding.weight", "positional_embedding"
PROJECTION, LINEAR_PROJECTION = "text_projection", "text_projection.weight"
# What begins a text model's names. cls_emb is CoCa's, which is refused for it.
TEXT = (BLOCKS, EMBEDDING, POSITIONS, "ln_final.", PROJECTION, "cls_emb")


@dataclass(frozen=True, slots=True)
class Half:
    """The text half of a state dict, its names and shapes checked.

    Attributes:
        weights: the whole state dict, as it was given.
        keys: a tensor's name within the text half -> its name in `weights`.
        width, inner, depth, context, projection: D; of the MLP; blocks; positions; P or None.
    """

    weights: Mapping[str, Tensor]
    keys: Mapping[str, str]
    vocabulary: int
    width: int
    inner: int
    depth: int
    context: int
    projection: int | None

    def __getitem__(self, key: str) -> Tensor:
        return self.weights[self.keys[key]]


def text_prefix(keys: Iterable[str]) -> str | None:
    """What stands before a text model's names: "", "text.", "module."...; None: no such model."""
    found = (key.removesuffix(MARK) for key in keys if key.endswith(MARK))
    return min((p for p in found if not p.endswith(ELSEWHERE)), key=len, default=None)


def text_half(weights: Mapping[str, Tensor], name: str) -> Half:
    """Find the text half and check every name and shape.

    Args:
        weights: a state dict, flat or with `text.`, vision half and wrapper or not.
        name: where it is from, for messages.
    Raises:
        CheckpointError: it has none; a tensor is missing, unknown, misshapen or no floats.
    """
    prefix = text_prefix(weights)
    if prefix is None:
        raise CheckpointError(
            f"{name!r} has no tensor {MARK!r}, with or without 'text.': it holds no text model in "
            f"open_clip's layout",
            name,
            f"It has {len(weights)} tensors, such as {min(weights, default='none')!r}.",
        )
    own = (key for key in weights if key.startswith(prefix))
    keys = {key[len(prefix) :]: key for key in own if key[len(prefix) :].startswith(TEXT)}
    half = _measured(weights, keys, prefix, name)
    expected = _expected(half)
    for key, shape in expected.items():
        _tensor(half.weights, keys, prefix, key, name, shape)
    unknown = sorted(keys.keys() - expected.keys())
    if unknown:
        raise CheckpointError(
            f"{name!r} has {len(unknown)} tensors that a plain CLIP text model has not, such as "
            f"{keys[unknown[0]]!r}",
            name,
            "Open it with open_clip, and give the model to OpenClipTower.",
        )
    return half


def _measured(
    weights: Mapping[str, Tensor], keys: Mapping[str, str], prefix: str, name: str
) -> Half:
    """Sizes as the shapes say; the width from the final norm, never from the projection."""
    (width,) = _tensor(weights, keys, prefix, "ln_final.weight", name, (None,)).shape
    vocabulary, _ = _tensor(weights, keys, prefix, EMBEDDING, name, (None, width)).shape
    context, _ = _tensor(weights, keys, prefix, POSITIONS, name, (None, width)).shape
    first = f"{BLOCKS}0.mlp.c_fc.weight"
    inner, _ = _tensor(weights, keys, prefix, first, name, (None, width)).shape
    numbers = {key[len(BLOCKS) :].partition(".")[0] for key in keys if key.startswith(BLOCKS)}
    projection = None
    if PROJECTION in keys:
        projection = _tensor(weights, keys, prefix, PROJECTION, name, (width, None)).shape[1]
    elif LINEAR_PROJECTION in keys:
        projection = _tensor(weights, keys, prefix, LINEAR_PROJECTION, name, (None, width)).shape[0]
    depth = len(numbers)
    return Half(weights, keys, vocabulary, width, inner, depth, context, projection)


def _expected(half: Half) -> dict[str, tuple[int | None, ...]]:
    """Every name that the text half must have, with its shape."""
    width, inner = half.width, half.inner
    shapes: dict[str, tuple[int | None, ...]] = {
        EMBEDDING: (half.vocabulary, width),
        POSITIONS: (half.context, width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
    }
    for i in range(half.depth):
        block = f"{BLOCKS}{i}."
        shapes[f"{block}attn.in_proj_weight"] = (3 * width, width)
        shapes[f"{block}attn.in_proj_bias"] = (3 * width,)
        for part, out, into in (
            ("attn.out_proj", width, width),
            ("mlp.c_fc", inner, width),
            ("mlp.c_proj", width, inner),
        ):
            shapes[f"{block}{part}.weight"], shapes[f"{block}{part}.bias"] = (out, into), (out,)
        for norm in ("ln_1", "ln_2"):
            shapes[f"{block}{norm}.weight"] = shapes[f"{block}{norm}.bias"] = (width,)
    if PROJECTION in half.keys:
        shapes[PROJECTION] = (width, half.projection)
    elif LINEAR_PROJECTION in half.keys:
        shapes[LINEAR_PROJECTION] = (half.projection, width)
    return shapes


def _tensor(
    weights: Mapping[str, Tensor],
    keys: Mapping[str, str],
    prefix: str,
    key: str,
    name: str,
    shape: tuple[int | None, ...],
) -> Tensor:
    """A tensor of the text half, of this shape; None in it = any size from 1."""
    told = "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
    if key not in keys:
        raise CheckpointError(f"{name!r} has no tensor {prefix + key!r} (expected {told})", name)
    tensor = weights[keys[key]]
    fits = tensor.dim() == len(shape) and all(
        found > 0 and n in (None, found) for found, n in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        found = list(tensor.shape)
        raise CheckpointError(f"{name!r}: {keys[key]!r} is {found}, expected {told}", name)
    if not tensor.is_floating_point():
        message = f"{name!r}: {keys[key]!r} is {tensor.dtype}, expected floating point"
        raise CheckpointError(message, name)
    return tensor
