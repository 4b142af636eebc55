"""How weights are brought to a common level before they act: the second axis beside the rules."""

from __future__ import annotations

from collections.abc import Sequence

from clipcond.chunking import TokenChunk

__all__ = ["none"]


def none(chunks: Sequence[TokenChunk]) -> Sequence[TokenChunk]:
    """Take weights as they were written."""
    return chunks
