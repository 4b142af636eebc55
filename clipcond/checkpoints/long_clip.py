"""The one thing that an official LongCLIP file has and CLIP's has not: a second position table."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from clipcond.errors import CheckpointError

__all__ = ["joined_positions"]

FIRST = "positional_embedding"
SECOND = f"{FIRST}_res"
KEPT = 20  # positions that stay as CLIP had them. Source: LongCLIP, model/model_longclip.py, mask1


def joined_positions(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an official LongCLIP file with one position table [248 D] instead of two.

    Its forward adds the first 20 rows of one and the others of the second; so does the table made
    here, and the file is from then on an ordinary CLIP state dict of 248 positions. Others are
    handed back as they are.

    Args:
        weights: by OpenAI's flat names, which may have a prefix.
    Raises:
        CheckpointError: the two tables do not belong together.
    """
    joined = dict(weights)
    for key in [key for key in weights if key.endswith(SECOND)]:
        second = joined.pop(key)
        other = key.removesuffix(SECOND) + FIRST
        first = joined.get(other)
        if first is None:
            raise CheckpointError(f"there is {key!r}, but no {other!r} beside it")
        if first.shape != second.shape:
            raise CheckpointError(
                f"{other!r} is {list(first.shape)}, but {key!r} is {list(second.shape)}: a "
                f"LongCLIP file has two tables of one shape"
            )
        joined[other] = first.clone()
        joined[other][KEPT:] = second[KEPT:]
    return joined
