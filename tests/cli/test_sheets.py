"""Sheets: every picture in its place, labels beside it, nothing larger than files can be."""

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageFont

from clipcond.cli import sheets
from clipcond.cli.sheets import Labels, draw_sheet
from clipcond.errors import ClipcondWarning
from clipcond.reading import lettering


def coloured(n, size=(32, 24)):
    return [Image.new("RGB", size, (20 * i, 255 - 20 * i, 100)) for i in range(n)]


def places(sheet, image):
    """Count the places where a picture is on a sheet, bit by bit."""
    big, small = np.asarray(sheet), np.asarray(image)
    views = np.lib.stride_tricks.sliding_window_view(big, small.shape)
    return int((views == small).all(axis=(3, 4, 5)).sum())


def test_every_picture_is_there_once():
    images = coloured(6)
    sheet = draw_sheet(
        [images[:3], images[3:]], Labels("steps: 5", ["a", "b", "c"], ["seed: 1", "seed: 2"])
    )
    assert [places(sheet, image) for image in images] == [1] * 6
    bare = draw_sheet([images[:3], images[3:]], Labels("", ["", "", ""], ["", ""]))
    assert bare.width < sheet.width
    assert bare.height < sheet.height
    assert [places(bare, image) for image in images] == [1] * 6
    # the order: left to right, then down
    centres = [bare.getpixel((24 + x * 40, 20 + y * 32)) for y in (0, 1) for x in (0, 1, 2)]
    assert centres == [image.getpixel((0, 0)) for image in images]


def test_pictures_of_several_sizes_are_kept_whole():
    images = [*coloured(1, (40, 10)), *coloured(3, (16, 30))[1:]]
    sheet = draw_sheet([images], Labels("", ["a", "b", "c"], [""]))
    assert [places(sheet, image) for image in images] == [1] * 3


def test_labels_are_written_whole_and_beside_the_pictures():
    long = "a very long prompt about a red fox, a blue owl and several green apples on a hill"
    images = coloured(2, (64, 64))
    with_text, without = (
        draw_sheet([images], Labels("", [label, "b"], [""])) for label in (long, long[:20])
    )
    assert with_text.height > without.height
    assert [places(with_text, image) for image in images] == [1, 1]
    tall = draw_sheet([[images[0]]], Labels("", [""], [f"{long} {long}"]))
    assert places(tall, images[0]) == 1


def test_labels_in_chinese(monkeypatch):
    images = coloured(1, (64, 64))
    found, has_all = lettering.font_for(["猫", "狗"], 14)
    if has_all:
        masks = [bytes(found.getmask(letter)) for letter in "猫狗"]
        assert masks[0] != masks[1]
        one, two = (draw_sheet([images], Labels("", [text], [""])) for text in "猫狗")
        assert ImageChops.difference(one, two).getbbox()
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ())
    with pytest.warns(ClipcondWarning, match="shown by their numbers"):
        numbered = draw_sheet([images * 2], Labels("", ["猫", "b"], [""]))
    plain = draw_sheet([images * 2], Labels("", ["1", "b"], [""]))
    assert not ImageChops.difference(numbered, plain).getbbox()


def test_labels_in_the_font_of_a_pillow_without_freetype(monkeypatch):
    bitmap = getattr(ImageFont, "load_default_imagefont", ImageFont.load_default)()  # Pillow 11
    monkeypatch.setattr(ImageFont, "load_default", lambda *_: bitmap)
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ())
    images = coloured(2)
    sheet = draw_sheet([images], Labels("steps: 5", ["a long label of words", "b"], ["seed: 1"]))
    assert [places(sheet, image) for image in images] == [1, 1]
    with pytest.warns(ClipcondWarning, match="shown by their numbers"):
        draw_sheet([images], Labels("猫", ["é", "b"], [""]))


def test_a_sheet_that_would_be_too_large_is_scaled_down(monkeypatch):
    monkeypatch.setattr(sheets, "MOST_SIDE", 100)
    with pytest.warns(ClipcondWarning, match="scaled down to 52%"):
        sheet = draw_sheet([coloured(6)], Labels("", ["a"] * 6, [""]))
    assert sheet.width < 160
    monkeypatch.setattr(sheets, "MOST_SIDE", 1000)
    monkeypatch.setattr(sheets, "MOST_PIXELS", 32 * 24 * 6 // 4)
    with pytest.warns(ClipcondWarning, match="scaled down to 50%"):
        draw_sheet([coloured(6)], Labels("", ["a"] * 6, [""]))
