"""How much each prompt counts at each place, and the sizes of layers."""

import itertools
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import ArgumentError, PromptWarning
from clipcond.pipelines import Region
from clipcond.pipelines.regions.masks import resample_box, resample_mask
from clipcond.pipelines.regions.shares import Shares

sides = st.integers(1, 13)


def shares_of(regions, base_share=0.0, latents=(8, 8), size=None, picture=(64, 64)):
    """The shares in a layer: [1 + regions, height, width], zeros where there are none."""
    size = latents if size is None else size
    hidden = torch.zeros(1, size[0] * size[1], 1, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PromptWarning)
        found = Shares(regions, base_share, latents, picture).of_layer(hidden)
    empty = torch.zeros(size[0] * size[1], 1, dtype=torch.float64)
    return torch.stack([empty if each is None else each for each in found]).reshape(-1, *size)


@given(sides, sides, st.tuples(sides, sides), st.integers(0, 2**31))
def test_resampling_keeps_the_mean(height, width, size, seed):
    mask = torch.rand(size, generator=torch.Generator().manual_seed(seed))
    made = resample_mask(mask, height, width)

    assert made.shape == (height, width)
    assert made.mean().item() == pytest.approx(mask.mean().item(), abs=1e-6)
    assert torch.allclose(resample_mask(torch.ones(size), height, width), torch.ones_like(made))
    assert torch.allclose(made.flip(1), resample_mask(mask.flip(1), height, width))


@given(sides, sides, st.integers(0, 6), st.integers(7, 12))
def test_a_box_is_the_mask_of_its_pixels(height, width, start, stop):
    mask = torch.zeros(12, 12)
    mask[2:9, start:stop] = 1
    box = (start / 12, 2 / 12, stop / 12, 9 / 12)

    made = resample_box(box, height, width)
    assert torch.allclose(made, resample_mask(mask, height, width), atol=1e-6)


regions = st.lists(
    st.builds(
        lambda x, y, w, h, weight: Region("a", (x, y, x + w, y + h), weight=weight),
        *(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.1, 0.5), st.floats(0.1, 0.5)),
        st.floats(0.1, 3),
    ),
    min_size=1,
    max_size=5,
)


@given(regions, st.floats(0, 0.9), sides, sides)
def test_shares_sum_up_to_one(regions, base_share, height, width):
    found = shares_of(regions, base_share, (height, width))

    assert torch.allclose(found.sum(dim=0), torch.ones(height, width, dtype=torch.float64))
    assert found.min() >= 0


@given(regions, st.floats(0, 0.9))
def test_the_order_of_regions_does_not_matter(regions, base_share):
    found = shares_of(regions, base_share)
    for order in itertools.islice(itertools.permutations(range(len(regions))), 6):
        again = shares_of([regions[i] for i in order], base_share)
        assert torch.allclose(again[0], found[0])
        assert torch.allclose(again[1:], found[1:][list(order)])


def test_left_and_right_exchanged_is_the_mirror_image():
    for latents, size in (((8, 8), (8, 8)), ((5, 7), (3, 4))):
        one = shares_of([Region("a", "left"), Region("b", "top right")], 0.2, latents, size)
        two = shares_of([Region("a", "right"), Region("b", "top left")], 0.2, latents, size)
        assert torch.allclose(one, two.flip(2))


def test_what_each_share_is():
    left, right = Region("a", "left"), Region("b", "right")
    everything = Region("c", "all")
    at = (..., 0, 0)  # the top left corner

    assert shares_of([left, right])[at].tolist() == [0, 1, 0]
    assert shares_of([left, right], 0.2)[at].tolist() == pytest.approx([0.2, 0.8, 0])
    assert shares_of([right])[at].tolist() == [1, 0]
    assert shares_of([left, everything])[at].tolist() == pytest.approx([0, 0.5, 0.5])
    heavy = Region("a", "left", weight=3)
    assert shares_of([heavy, everything])[at].tolist() == pytest.approx([0, 0.75, 0.25])
    assert shares_of([heavy], 0.2)[at].tolist() == pytest.approx([0.2 / 2.6, 2.4 / 2.6])
    soft = Region("a", mask=torch.full((2, 2), 0.25))
    assert shares_of([soft])[at].tolist() == pytest.approx([0.75, 0.25])
    assert shares_of([soft], 0.5)[at].tolist() == pytest.approx([0.875, 0.125])


def test_a_prompt_that_counts_nowhere_is_left_out():
    hidden = torch.zeros(1, 64, 1)
    found = Shares([Region("a", "all")], 0.0, (8, 8), (64, 64)).of_layer(hidden)

    assert found[0] is None
    assert torch.equal(found[1], torch.ones(64, 1))


def test_pixels_are_those_of_the_picture():
    pixels = Region("a", (0, 0, 32, 96))
    assert torch.equal(
        shares_of([pixels], latents=(12, 8), picture=(96, 64)),
        shares_of([Region("a", "left")], latents=(12, 8)),
    )
    with pytest.raises(ArgumentError) as caught:
        shares_of([pixels])
    assert caught.value.message == (
        "the box (0, 0, 32, 96) of the region 'a' is outside the picture, which is 64x64"
    )


def test_layers_of_other_sizes_are_refused():
    shares = Shares([Region("a", "left")], 0.0, (8, 8), (64, 64))
    with pytest.raises(
        ArgumentError, match="a layer of attention has 48 places, which is no level"
    ):
        shares.of_layer(torch.zeros(1, 48, 1))


def test_warnings():
    mask = torch.ones(4, 8)
    with pytest.warns(
        PromptWarning, match="the mask of 'a' is 8x4, the picture 64x64: the mask is"
    ):
        Shares([Region("a", mask=mask)], 0.0, (8, 8), (64, 64))
    small = Shares([Region("a small cat", (0, 0, 0.1, 0.1))], 0.0, (8, 8), (64, 64))
    small.of_layer(torch.zeros(1, 64, 1))
    with pytest.warns(PromptWarning) as caught:
        list(map(small.of_layer, (torch.zeros(1, n, 1) for n in (16, 4, 16))))
    assert [str(each.message) for each in caught] == [
        "the region of 'a small cat' is too small for layers of 4x4: it hardly counts there, and "
        "may be missing\nMake it larger, or the picture."
    ]
