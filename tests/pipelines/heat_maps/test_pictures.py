"""Maps as pictures: colours, overlays, sheets."""

import numpy as np
import pytest
import torch
from PIL import Image

from clipcond.errors import ReadingError
from clipcond.pipelines import HeatMap
from clipcond.pipelines.heat_maps.sheet import draw_sheet
from clipcond.reading import lettering


def heat(text="cat", height=8, width=12):
    values = torch.zeros(height, width)
    values[2, 5] = 0.5
    return HeatMap(text, values, 1)


def pixels(image):
    return np.asarray(image).astype(int)


def test_the_highest_place_is_the_lightest():
    found = pixels(heat().image())

    assert heat().peak == (5, 2)
    assert found.shape == (8, 12, 3)
    assert found[2, 5].tolist() == [252, 255, 164]
    assert found[0, 0].tolist() == [20, 12, 54]
    assert repr(heat()) == "HeatMap('cat', 12x8, at most 0.5)"


def test_an_overlay_keeps_the_picture_and_darkens_the_rest():
    picture = Image.new("RGB", (12, 8), (200, 100, 50))
    before = picture.copy()
    over = pixels(heat().overlay(picture))

    assert over[0, 0].tolist() == [70, 35, 17]  # 0.35 of its light
    assert over[2, 5].tolist() == [223, 169, 101]  # 0.55 of it, 0.45 of the colour
    assert pixels(picture).tolist() == pixels(before).tolist()
    assert heat().overlay(picture.resize((24, 16))).size == (24, 16)


def test_a_map_that_is_the_same_everywhere():
    even = HeatMap("cat", torch.full((8, 12), 0.2), 1)
    assert len({*map(tuple, pixels(even.image()).reshape(-1, 3).tolist())}) == 1


@pytest.mark.parametrize(("n", "size"), [(0, (274, 159)), (1, (274, 208)), (7, (944, 410))])
def test_a_sheet_has_a_cell_for_each_word(n, size):
    sheet = draw_sheet(Image.new("RGB", (12, 8)), [heat(f"word{i}") for i in range(n)])
    assert sheet.size == size


def test_other_letters(monkeypatch):
    """They are written in a font of the system that has them, or else numbered, with a warning."""
    picture = Image.new("RGB", (12, 8))
    with pytest.raises(ReadingError, match=r"the font 'none\.ttf' cannot be read"):
        draw_sheet(picture, [heat()], "none.ttf")
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ("none.ttf",))
    with pytest.warns(UserWarning, match="has no letters for some labels"):
        numbered = draw_sheet(picture, [heat("猫")])
    assert pixels(numbered).tolist() == pixels(draw_sheet(picture, [heat("1")])).tolist()
