"""Regions against cross-attention written out by hand, in Stable Diffusion and in SDXL."""

import itertools

import pytest
import torch

from clipcond import attach
from clipcond.pipelines import Region
from tests.pipelines.models import latents, seeded, tiny_sd, tiny_sdxl
from tests.pipelines.regions.by_hand import draw_by_hand, encoded

MAKERS = {"sd": tiny_sd, "sdxl": tiny_sdxl}
SOFT = torch.linspace(0, 1, 12).expand(8, 12)
LONG = "a (dog:1.3), " * 30


def columns(width, start, stop):
    """How much of each of so many columns is between two fractions of the width."""
    edges = torch.arange(width + 1, dtype=torch.float64) / width
    low, high = edges[:-1].clamp(min=start), edges[1:].clamp(max=stop)
    return ((high - low) * width).clamp(min=0)


def halves(share):
    """The shares of a base prompt and of two halves, in layers of any size."""

    def shares(height, width):
        left = columns(width, 0, 0.5).expand(height, width)
        right = columns(width, 0.5, 1).expand(height, width)
        return torch.full_like(left, share), (1 - share) * left, (1 - share) * right

    return shares


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("size", [(8, 8), (5, 12), (9, 7)])
def test_halves_equal_the_reference(make, size):
    """Odd sizes too: 5 x 12 latents have layers of 3 x 6."""
    pipe = attach(make().to(torch.float64))
    noise = torch.randn(2, 4, *size, dtype=torch.float64, generator=seeded())
    call = {"latents": noise, "num_images_per_prompt": 2}
    regions = [Region(LONG, "left", negative="fog"), Region("a red cat", box=(0.5, 0, 1, 1))]

    ours = latents(pipe, "a field", negative_prompt="grey", regions=regions, base_share=0.3, **call)
    texts = [encoded(pipe, LONG, "fog", 2), encoded(pipe, "a red cat", "grey", 2)]
    base = encoded(pipe, "a field", "grey", 2)
    theirs = draw_by_hand(pipe, base, texts, halves(0.3), latents=noise)
    plain = latents(attach(pipe), "a field", negative_prompt="grey", **call)

    assert (ours - theirs).abs().max() < 1e-9
    assert (ours - plain).abs().max() > 1e-2


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_weighted_overlapping_masks_equal_the_reference(make, guidance):
    """Soft masks, whose sum is above 1 in places, in float32 and with and without guidance."""
    pipe = attach(make())
    call = {"guidance_scale": guidance, "width": 24, "height": 16}
    regions = [Region("a cat", mask=SOFT, weight=2.0), Region("a dog", "right")]

    def shares(height, width):
        starts = torch.linspace(0, 12, width + 1, dtype=torch.float64)
        soft = torch.stack(
            [mean_between(SOFT[0].double(), a, b) for a, b in itertools.pairwise(starts)]
        )
        right, base = columns(width, 0.5, 1), 0.2
        total = soft + right
        own = [(1 - base) * w * m / total.clamp(min=1) for w, m in ((2.0, soft), (1.0, right))]
        rest = 1 - (1 - base) * total.clamp(max=1)
        everything = rest + sum(own)
        return [(each / everything).expand(height, width) for each in (rest, *own)]

    ours = latents(pipe, "a field", regions=regions, **call)
    texts = [encoded(pipe, text, guided=guidance > 1) for text in ("a cat", "a dog")]
    theirs = draw_by_hand(
        pipe, encoded(pipe, "a field", guided=guidance > 1), texts, shares, **call
    )

    assert (ours - theirs).abs().max() < 1e-5 * max(1.0, float(theirs.abs().max()))


def mean_between(values, start, stop):
    """The mean of a row of pixels from one place in it to another."""
    return sum(
        value * max(0.0, min(i + 1, float(stop)) - max(i, float(start)))
        for i, value in enumerate(values)
    ) / float(stop - start)
