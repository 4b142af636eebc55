"""Define what a weighting rule is, and the steps that several rules share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from clipcond.chunking import TokenChunk, empty_chunk
from clipcond.errors import UnknownNameError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.protocol import TowerOutput

if TYPE_CHECKING:
    from torch import Tensor


class Encode(Protocol):
    """Chunks to hidden states: one tower, one layer, weights ignored.

    Chunks that a rule has announced, and chunks encoded lately, cost nothing. A chunk whose
    attention_mask has zeros is encoded with those positions hidden. `special` makes further chunks
    possible: `encode([empty_chunk(encode.special)])`. An attribute `gives_copies` that is true says
    that results belong to the caller, who may write into them.
    """

    @property
    def special(self) -> SpecialTokens: ...

    def __call__(self, chunks: Sequence[TokenChunk]) -> TowerOutput: ...


# The n chunks of one prompt, with dimensionless weights, 1.0 = unweighted; and the `Encode` of a
# tower -> hidden [n L D] in the tower's dtype, pooled [n P] as encoded. Rules compute in float32.
Rule = Callable[[Sequence[TokenChunk], Encode], TowerOutput]
Needs = Callable[[Sequence[TokenChunk], SpecialTokens], Sequence[TokenChunk]]
Normalize = Callable[[Sequence[TokenChunk]], Sequence[TokenChunk]]
Kind = TypeVar("Kind", bound=Rule)
T = TypeVar("T")


def find_by_name(kind: str, wanted: str | T, known: Mapping[str, T]) -> T:
    """Find a function in a table by its name; a function itself comes back as it is.

    Raises:
        UnknownNameError: there is no such name of this kind; suggests the nearest.
    """
    if isinstance(wanted, str) and wanted in known:
        return known[wanted]
    if isinstance(wanted, str) or not callable(wanted):
        raise UnknownNameError(kind, wanted, known)
    return wanted


@dataclass(frozen=True)  # no slots: each rule has a docstring of its own
class RuleWithNeeds:
    """A rule that announces which further chunks it will encode.

    Those are then encoded in the same batch as everything else. A plain function works too: what it
    asks for beyond its chunks is encoded when it asks.

    Args:
        apply: the rule itself; its docstring is that of the whole.
        needs: the chunks of a prompt -> the further ones.
        chunkwise: whether it treats each chunk by itself, as `by_chunk` says.
    """

    apply: Rule
    needs: Needs
    chunkwise: bool = False

    def __post_init__(self) -> None:
        function = self.apply
        while isinstance(function, partial):
            function = function.func
        object.__setattr__(self, "__doc__", function.__doc__)

    def __call__(self, chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
        return self.apply(chunks, encode)


def by_chunk(rule: Kind) -> Kind:
    """Mark a rule that treats each chunk by itself, by an attribute `chunkwise`.

    A prompt of very many chunks is then weighed a part at a time, which saves memory.
    """
    vars(rule)["chunkwise"] = True
    return rule


def by_row(rule: Kind) -> Kind:
    """Mark a rule by chunk that makes each row of that row, its weight, and the text's eos.

    An attribute `rowwise`. Rows behind the text that are not handed on need not be computed then.
    """
    vars(rule)["rowwise"] = True
    return by_chunk(rule)


def lerp_from(start: Tensor, hidden: Tensor, weights: Tensor) -> Tensor:
    """Move hidden states along the line from other ones, row by row.

    h' = s + w * (h - s), in float32, cast back. Rows of weight 1 stay bit-identical.

    Args:
        start: s, [1 L D].
        hidden: h, [n L D].
        weights: [n L 1], dimensionless.
    """
    start = start.float()
    after = (hidden.float() - start) * weights + start
    return hidden.where(weights == 1.0, after.to(hidden.dtype))


def lerp_from_empty(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Move each token's hidden state along the line from the encoded empty prompt.

    h' = e + w * (h - e), e = the same row of the empty chunk, in float32, cast back. Rows of weight
    1 stay bit-identical; w = 0 gives e.

    Args:
        chunks: the n chunks of one prompt; weights are dimensionless, 1.0 = unweighted.
        encode: chunks -> hidden [n L D].
    Returns:
        hidden [n L D] in the tower's dtype; pooled [n P] untouched.
    Source: ComfyUI 0.3.64, comfy/sd1_clip.py (results; tests/parity/test_comfyui_tensors.py).
    """
    output = encode(chunks)
    if not any(chunk.is_weighted for chunk in chunks):
        return output
    empty = encode([empty_chunk(encode.special)]).hidden.float()
    weights = empty.new_tensor([chunk.weights for chunk in chunks]).unsqueeze(-1)
    return TowerOutput(lerp_from(empty, output.hidden, weights), output.pooled)


def empty_if_weighted(chunks: Sequence[TokenChunk], special: SpecialTokens) -> list[TokenChunk]:
    """Announce the empty chunk, if anything is weighted: what `lerp_from_empty` encodes."""
    return [empty_chunk(special)] if any(chunk.is_weighted for chunk in chunks) else []
