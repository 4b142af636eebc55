"""What every kind of text model has: modules, a number of positions, ends of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipcond.errors import TowerError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class TowerModules:
    """The modules of a text model that every tower needs.

    Attributes:
        blocks: the transformer blocks, first to last.
        embedding: the token embeddings [V D].
        norm: a layer norm; its weight has the dtype that the model computes in.
    """

    blocks: nn.ModuleList
    embedding: nn.Embedding
    norm: nn.LayerNorm


def choose_context_length(wanted: int | None, default: int, n_positions: int, name: str) -> int:
    """Choose the length of a tower's chunks: as wanted, else the default, cut to its positions.

    Raises:
        TowerError: more than its positions, or no room for a single token of text.
    """
    length = min(default, n_positions) if wanted is None else wanted
    is_number = isinstance(length, int) and not isinstance(length, bool)
    if n_positions < 3:
        raise TowerError(f"{name!r} has {n_positions} positions: no room for a token of text")
    if not is_number or not 3 <= length <= n_positions:
        raise TowerError(
            f"context_length={length!r} does not fit {name!r}, which has {n_positions} "
            f"positions; use a whole number from 3 to {n_positions}"
        )
    return length


def first_eos(input_ids: Tensor, eos: int) -> Tensor:
    """Find the position [n] of each row's first EOS in `input_ids` [n L].

    By id, not by the largest id: the ids of added tokens (textual inversion) are larger than EOS,
    and the configs published with Stable Diffusion have a wrong EOS id.

    Raises:
        TowerError: a row has no EOS, so the end of its text is unknown.
    """
    is_eos = input_ids == eos
    if not bool(is_eos.any(dim=-1).all()):
        raise TowerError(f"no EOS (id {eos}) in a row of input_ids: nothing to pool")
    return is_eos.char().argmax(dim=-1)
