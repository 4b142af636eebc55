"""Apply weights on the line from the eos of a chunk: the rule of lpw's SDXL pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from clipcond.chunking import TokenChunk
from clipcond.towers.base import TowerOutput
from clipcond.weighting.rule import Encode, by_row, lerp_from


@by_row
def lerp_last(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Move each token's hidden state along the line from the eos behind the chunk's text.

    h' = e + w * (h - e), e = the row behind the chunk's last token, in float32, cast back. Rows of
    weight 1 stay bit-identical; w = 0 gives e.

    Source: diffusers 58eb52c, examples/community/lpw_stable_diffusion_xl.py, whose chunks end with
        that row.
    """
    output = encode(chunks)
    if not any(chunk.is_weighted for chunk in chunks):
        return output
    before = output.hidden.float()
    weights = before.new_tensor([chunk.weights for chunk in chunks]).unsqueeze(-1)
    n = torch.arange(len(chunks))
    last = before[n, [chunk.places.stop for chunk in chunks]].unsqueeze(1)  # [n D] -> [n 1 D]
    return TowerOutput(lerp_from(last, output.hidden, weights), output.pooled)
