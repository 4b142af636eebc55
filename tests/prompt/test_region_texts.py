"""Regions as they are typed: every form, and what is wrong with carets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PromptSyntaxError
from clipcond.prompt.places import PLACES, box_fault, known_places, place_named
from clipcond.prompt.region_texts import RegionText, read_region


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left: a cat", RegionText("a cat", (0, 0, 0.5, 1), "", None, 1.0)),
        ("Top-Right:a cat", RegionText("a cat", (0.5, 0, 1, 0.5), "", None, 1.0)),
        ("lower left *1.5 : a", RegionText("a", (0, 0.5, 0.5, 1), "", None, 1.5)),
        ("0.5,0,1,1: a (red:1.3) cat", RegionText("a (red:1.3) cat", (0.5, 0, 1, 1), "", None, 1)),
        (" 0, 0, 256, 512 : a", RegionText("a", (0, 0, 256, 512), "", None, 1.0)),
        ("0，0，.5，1：一只猫", RegionText("一只猫", (0, 0, 0.5, 1), "", None, 1.0)),
        ("左上角: 猫", RegionText("猫", (0, 0, 0.5, 0.5), "", None, 1.0)),
        ("右边×2：狗", RegionText("狗", (0.5, 0, 1, 1), "", None, 2.0)),
        ("mask.png: a fox", RegionText("a fox", None, "mask.png", None, 1.0)),
        (r"C:\my masks\a.PNG *2: a", RegionText("a", None, r"C:\my masks\a.PNG", None, 2.0)),
        ("b/c *2.webp: x", RegionText("x", None, "b/c *2.webp", None, 1.0)),
        ("top: a Negative prompt: b, c", RegionText("a", (0, 0, 1, 0.5), "", "b, c", 1.0)),
        ("top: a negative prompt:", RegionText("a", (0, 0, 1, 0.5), "", "", 1.0)),
        (
            "left: at 16:9, cat.png: b",
            RegionText("at 16:9, cat.png: b", (0, 0, 0.5, 1), "", None, 1),
        ),
    ],
)
def test_forms(text, expected):
    assert read_region(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("a cat", "a region has no colon behind its place", 0),
        ("", "a region has no colon behind its place", 0),
        ("lft: a cat", "no place is called 'lft'", 0),
        (": a cat", "a region has no place", 0),
        ("left:", "a region has no prompt behind its colon", 5),
        ("left:  Negative prompt: b", "a region has no prompt behind its colon", 5),
        ("left *0: a", "the weight of a region is a number above 0", 6),
        ("left *x: a", "the weight of a region is a number above 0", 6),
        ("left *nan: a", "the weight of a region is a number above 0", 6),
        ("0,0,1: a", "a box has 4 numbers, left, top, right and bottom, not 3", 0),
        ("0,,1,1: a", "a number is missing in a box", 2),
        ("0, 0, 1, x: a", "a number is missing in a box", 9),
        ("0, -1, 1, 1: a", "a box that is none: it is outside the picture: it is below 0", 3),
        ("0,0,nan,1: a", "a box that is none: it is no finite number", 4),
        ("0,0,1.5,1: a", "a box that is none: pixels are whole numbers, and fractions are at "
         "most 1", 4),
        ("0.5,0,0.5,1: a", "a box that is none: the box is not wide: its end is not behind its "
         "start, 0.5", 6),
        ("0,8,8,4: a", "a box that is none: the box is not high: its end is not behind its "
         "start, 8", 6),
    ],
)  # fmt: skip
def test_faults_show_where(text, message, position):
    with pytest.raises(PromptSyntaxError) as caught:
        read_region(text)
    assert (caught.value.message, caught.value.position) == (message, position)
    assert caught.value.remedy


def test_a_place_that_is_nearly_one_is_guessed():
    with pytest.raises(PromptSyntaxError, match="Did you mean 'left'\\?"):
        read_region("lefft: a cat")


def test_every_known_place_is_one():
    boxes = {place_named(name) for name in known_places()}
    assert boxes == {*PLACES.values()}
    assert all(box_fault(box) is None for box in boxes)


@given(st.sampled_from(known_places()), st.text(min_size=1), st.floats(0.01, 9))
def test_what_is_behind_the_colon_is_the_prompt(place, prompt, weight):
    """Whatever it is, but for blanks around it and a negative prompt of its own."""
    if not prompt.strip() or "negative prompt" in prompt.casefold():
        return
    read = read_region(f"{place} *{weight!r}: {prompt}")

    assert (read.prompt, read.weight, read.box) == (prompt.strip(), weight, place_named(place))


@given(st.text(alphabet=st.sampled_from("left top*0.5,1:：，-nax .png")))
def test_any_text_is_a_region_or_an_error(text):
    fault = ""
    try:
        read = read_region(text)
    except PromptSyntaxError as error:
        fault, place = str(error), error.position
    if fault:
        assert 0 <= place <= len(text)
    else:
        assert read.prompt
        assert (read.box is None) == bool(read.mask)
