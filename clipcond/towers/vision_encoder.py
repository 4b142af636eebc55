"""The vision encoder of a dual model, as nn.Module."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class VisionEncoder(nn.Module):
    """A vision model of transformers and its projection into the space that it shares with texts.

    Args:
        vision_model: gives a `pooler_output` for pixels.
        visual_projection: [P D], without bias; None if the model projects its output itself.
    """

    def __init__(self, vision_model: nn.Module, visual_projection: nn.Module | None = None) -> None:
        super().__init__()
        self.vision_model = vision_model
        self.visual_projection = visual_projection
        self.config = vision_model.config

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode prepared pixels [n 3 H W] as [n P]."""
        output: Any = self.vision_model(pixel_values=pixels)
        pooled: Tensor = output.pooler_output
        return pooled if self.visual_projection is None else self.visual_projection(pooled)
