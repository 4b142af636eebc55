"""Compute how much each prompt counts at each place of a layer of attention."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from clipcond.errors import ArgumentError, PromptWarning, excerpt, warn
from clipcond.pipelines.regions.masks import resample_box, resample_mask
from clipcond.pipelines.regions.region import Region
from clipcond.prompt.places import Box, is_in_pixels

Size = tuple[int, int]  # height and width
_ALIKE = 1.02  # aspect ratios of a mask and a picture that need no warning


class Shares:
    """The shares of the base prompt and of each region, for layers of any size.

    Where the masks m_r of the regions overlap, they are scaled to the sum 1; of that, base_share is
    the base prompt's, and all of what no region covers:

        n_r = m_r / max(1, sum m)    a_r = (1 - base_share) w_r n_r
        a_0 = 1 - (1 - base_share) sum n    share_i = a_i / sum a

    Args:
        regions: at least one.
        base_share: 0 to below 1.
        latents, picture: height and width, of both.
    Raises:
        ArgumentError: a box in pixels that is outside the picture.
    """

    def __init__(
        self, regions: Sequence[Region], base_share: float, latents: Size, picture: Size
    ) -> None:
        self._regions, self._base_share, self._latents = tuple(regions), base_share, latents
        self._boxes = [_in_fractions(each, picture) for each in regions]
        for each in regions:
            _warn_if_stretched(each, picture)
        self._made: dict[object, list[Tensor | None]] = {}
        self._small: set[int] = set()

    def of_layer(self, hidden: Tensor) -> list[Tensor | None]:
        """Compute the shares at each row of a layer's hidden states [b N C].

        Returns:
            for the base prompt and each region [N 1], in float32 at least; None = nothing anywhere.
        """
        size = _layer_size(self._latents, hidden.shape[1])
        dtype = torch.promote_types(hidden.dtype, torch.float32)  # in less they do not sum up to 1
        key = size, hidden.device, dtype
        if key not in self._made:
            shares = self._computed(size).flatten(1).unsqueeze(-1)
            self._made[key] = [
                each.to(hidden.device, dtype) if bool(each.any()) else None for each in shares
            ]
        return self._made[key]

    def _computed(self, size: Size) -> Tensor:
        masks = torch.stack([self._mask(i, size) for i in range(len(self._regions))])
        self._warn_if_small(masks, size)
        total = masks.sum(dim=0)
        normalised = masks / total.clamp(min=1)
        weights = torch.tensor([each.weight for each in self._regions], dtype=torch.float64)
        own = (1 - self._base_share) * weights[:, None, None] * normalised
        base = 1 - (1 - self._base_share) * total.clamp(max=1)
        joined = torch.cat([base[None], own])
        return joined / joined.sum(dim=0)

    def _mask(self, i: int, size: Size) -> Tensor:
        box, mask = self._boxes[i], self._regions[i].mask
        if box is not None:
            return resample_box(box, *size)
        assert mask is not None
        return resample_mask(mask, *size)

    def _warn_if_small(self, masks: Tensor, size: Size) -> None:
        """Warn once of a region that is less than half of any cell of a layer."""
        for i, (region, own) in enumerate(zip(self._regions, masks, strict=True)):
            most = 1.0 if region.mask is None else float(region.mask.max())
            if i in self._small or float(own.max()) >= most / 2:
                continue
            self._small.add(i)
            message = (
                f"the region of {excerpt(region.prompt)!r} is too small for layers of "
                f"{size[1]}x{size[0]}: it hardly counts there, and may be missing"
            )
            warn(PromptWarning(message, remedy="Make it larger, or the picture."))


def _in_fractions(region: Region, picture: Size) -> Box | None:
    """Convert a box in pixels into fractions.

    Raises:
        ArgumentError: it is outside the picture.
    """
    if region.box is None or not is_in_pixels(region.box):
        return region.box
    height, width = picture
    left, top, right, bottom = region.box
    if right > width or bottom > height:
        shown = ", ".join(f"{n:g}" for n in region.box)
        raise ArgumentError(
            f"the box ({shown}) of the region {excerpt(region.prompt)!r} is outside the picture, "
            f"which is {width}x{height}",
            "Boxes in pixels are (left, top, right, bottom).",
        )
    return left / width, top / height, right / width, bottom / height


def _warn_if_stretched(region: Region, picture: Size) -> None:
    if region.mask is None:
        return
    height, width = region.mask.shape
    ratio = (width / height) / (picture[1] / picture[0])
    if max(ratio, 1 / ratio) > _ALIKE:
        message = (
            f"the mask of {excerpt(region.prompt)!r} is {width}x{height}, the picture "
            f"{picture[1]}x{picture[0]}: the mask is stretched to it"
        )
        warn(PromptWarning(message, remedy="Crop the mask to the picture's proportions."))


def _layer_size(latents: Size, n: int) -> Size:
    """Find height and width of a layer with n places: each level halves both, rounded up.

    Raises:
        ArgumentError: no level has so many.
    """
    height, width = latents
    while height * width > n and max(height, width) > 1:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
    if height * width != n:
        raise ArgumentError(
            f"a layer of attention has {n} places, which is no level of {latents[1]}x{latents[0]} "
            "latents: its regions are not known",
            "Switch off what merges or drops tokens, or draw without regions=.",
        )
    return height, width
