"""Regions as Python has them: kinds of masks and boxes, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from clipcond.errors import (
    ArgumentError,
    PictureError,
    PromptSyntaxError,
    PromptTypeError,
    UnknownNameError,
)
from clipcond.pipelines import Region, regional
from clipcond.pipelines.regions.region import MOST, read_regions

HALF = np.zeros((4, 6), bool)
HALF[:, :3] = True


def pictures():
    """The left half in every form that a mask may have."""
    whole = HALF.astype(np.uint8) * 255
    grey = Image.fromarray(whole)
    clear = Image.new("RGBA", (6, 4), (255, 255, 255, 0))
    clear.paste((255, 255, 255, 255), (0, 0, 3, 4))
    return [
        *(HALF, whole, HALF.astype(np.int64), HALF.astype(np.float16), HALF.astype(float)),
        *(torch.from_numpy(HALF), torch.from_numpy(whole)[None], torch.from_numpy(HALF)[..., None]),
        *(torch.from_numpy(HALF).float()[None, None], torch.from_numpy(HALF).to(torch.bfloat16)),
        *(grey.convert(mode) for mode in ("L", "1", "RGB", "P")),
        *(clear, clear.convert("LA")),
    ]  # fmt: skip


@pytest.mark.parametrize("mask", pictures())
def test_kinds_of_masks(mask):
    made = Region("a cat", mask=mask)

    assert made.mask.dtype == torch.float32
    assert torch.equal(made.mask, torch.from_numpy(HALF).float())
    assert made.box is None
    assert repr(made) == "Region('a cat', mask=6x4)"


def test_a_mask_is_a_copy_and_may_be_a_file(tmp_path):
    own = HALF.astype(np.float32)
    made = Region("a", mask=own)
    own[:] = 0
    assert made.mask.sum() == 12

    Image.fromarray(HALF.astype(np.uint8) * 255).save(tmp_path / "a.png")
    for file in (tmp_path / "a.png", str(tmp_path / "a.png")):
        assert torch.equal(Region("a", mask=file).mask, made.mask)
    (read,) = regional(f"{tmp_path / 'a.png'}: a fox")
    assert torch.equal(read.mask, made.mask)


NAN = np.full((2, 2), np.nan)
GIVE = "Give a picture, its file, an array or a tensor [height width], of 0 to 1 or 0 to 255."


@pytest.mark.parametrize(
    ("choices", "kind", "message"),
    [
        ({}, ArgumentError, "the region 'a' has neither box nor mask"),
        ({"box": "left", "mask": HALF}, ArgumentError, "the region 'a' has both a box and a mask"),
        ({"box": "lft"}, UnknownNameError, "no place 'lft'. Did you mean 'left'?"),
        ({"box": (0, 0, 1)}, ArgumentError, "a box is four numbers, not (0, 0, 1)"),
        ({"box": 3}, ArgumentError, "a box is four numbers, not 3"),
        ({"box": (0, 0, 1, "1")}, ArgumentError, "a box is four numbers, not (0, 0, 1, '1')"),
        ({"box": (0, 0, 1, -1)}, ArgumentError, "the box (0, 0, 1, -1) is none: of its number -1, "
         "it is outside the picture: it is below 0"),
        ({"box": (0, 0, 1, float("nan"))}, ArgumentError, "the box (0, 0, 1, nan) is none: of its "
         "number nan, it is no finite number"),
        ({"box": (0, 0, 0, 1)}, ArgumentError, "the box (0, 0, 0, 1) is none: of its number 0, the "
         "box is not wide: its end is not behind its start, 0"),
        ({"box": (0, 0.5, 512, 512)}, ArgumentError, "the box (0, 0.5, 512, 512) is none: of its "
         "number 0.5, pixels are whole numbers, and fractions are at most 1"),
        ({"mask": np.zeros((2, 2))}, ArgumentError, "a mask is 0 all over: nothing is inside"),
        ({"mask": NAN}, ArgumentError, "a mask has NaN or infinite values"),
        ({"mask": torch.tensor([[0.5, 1.5]])}, ArgumentError, "a mask has values from 0.5 to 1.5"),
        ({"mask": np.array([[0, 256]])}, ArgumentError, "a mask has values from 0 to 256"),
        ({"mask": np.ones((2, 2, 3))}, ArgumentError, "a mask of the shape [2, 2, 3] is not "
         "[height width]"),
        ({"mask": np.ones((0, 2))}, ArgumentError, "a mask of the shape [0, 2] is not"),
        ({"mask": 1}, ArgumentError, "a mask is no int"),
        ({"mask": "a.png"}, PictureError, "the mask 'a.png' cannot be read: there is no such file"),
        ({"box": "left", "weight": 0}, ArgumentError, "the weight of a region is a number above 0, "
         "not 0"),
        ({"box": "left", "weight": True}, ArgumentError, "the weight of a region is a number above "
         "0, not True"),
        ({"box": "left", "negative": 3}, PromptTypeError, "the negative of a region is a string"),
    ],
)  # fmt: skip
def test_refusals(choices, kind, message):
    with pytest.raises(kind) as caught:
        Region("a", **choices)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("regions", "kind", "message"),
    [
        (3, ArgumentError, 'regions is a list such as [Region("a cat", "left")], not an int: 3'),
        ([3], ArgumentError, 'regions is a list such as [Region("a cat", "left")], not an int: 3'),
        (["a cat"], PromptSyntaxError, "a region has no colon behind its place"),
        (["left: a"] * (MOST + 1), ArgumentError, f"{MOST + 1} regions are too many: at most 32"),
    ],
)
def test_refusals_of_lists(regions, kind, message):
    with pytest.raises(kind) as caught:
        read_regions(regions, None)
    assert caught.value.message == message


@pytest.mark.parametrize("share", [1, -0.1, float("nan"), "0.2", True])
def test_refusals_of_shares(share):
    with pytest.raises(ArgumentError, match="base_share is a number from 0 to below 1, not"):
        read_regions("left: a", share)


def test_without_text_or_regions():
    with pytest.raises(ArgumentError, match="a region has no prompt"):
        Region("  ", "left")
    with pytest.raises(PromptTypeError, match="the prompt of a region is a string: None"):
        Region(None, "left")
    assert read_regions(None, None) is None
    assert read_regions([], None) is None
    with pytest.raises(ArgumentError, match="base_share goes with regions, and there are none"):
        read_regions([], 0.5)
    assert len(read_regions("left: a", 0.5).regions) == 1
    assert repr(regional("left *2: a Negative prompt: b")[0]) == (
        "Region('a', box=(0, 0, 0.5, 1), negative='b', weight=2)"
    )
