"""What a picture was made with goes back into the fields; pictures are read."""

import re
from dataclasses import replace

import pytest
from PIL import Image

from clipcond.app.sending import sent
from clipcond.app.wishes import Reading, Wish
from clipcond.errors import ClipcondError
from clipcond.metadata import Parameters, read_parameters
from clipcond.metadata.parameters import parse_parameters

WISH = Wish("a (red:1.3) apple", "a cat", Reading(clip_skip=1), 2, 3.0, "DDIM", 7, (64, 64))


def last(views):
    *_, view = views
    return view


PARAMETERS = Parameters(
    "a fox", "blurry", 30, "DPM++ 2M", "Karras", 5.5, 42, (128, 64), 2, {"Dialect": "compel"}
)


def test_what_a_picture_was_made_with_goes_into_the_fields(desk):
    found = sent(PARAMETERS, desk.studio, desk.language)

    assert found[:-1] == (
        *("a fox", "blurry", "compel", "", 2, 30, 5.5, "DPM++ 2M Karras", 42, 128, 64),
    )
    assert found.notes == ()


def test_what_is_not_known_here_is_noted(desk):
    strange = replace(
        PARAMETERS,
        sampler="DPM adaptive",
        schedule_type=None,
        seed=2**60,
        others={"Dialect": "x", "Tower": "y"},
    )
    found = sent(strange, desk.studio, desk.language)

    assert (found.dialect, found.tower, found.scheduler, found.seed) == (None,) * 4
    assert len(found.notes) == 4


def test_fields_that_a_picture_says_nothing_of_stay(desk):
    found = sent(parse_parameters("a fox"), desk.studio, desk.language)

    assert found[2:-1] == (None,) * 9


def test_sent_and_drawn_again_it_is_the_same_picture(desk):
    path = last(desk.draw(WISH, "me")).pictures[0][0]
    f = sent(read_parameters(path), desk.studio, desk.language)
    reading = desk.reading(f.dialect, f.tower, f.clip_skip)
    numbers = (f.steps, f.guidance, f.seed, f.width, f.height, 1)
    wish = desk.wish((f.prompt, f.negative), reading, numbers, f.scheduler)
    again = last(desk.draw(wish, "me")).pictures[0][0]

    assert Image.open(path).tobytes() == Image.open(again).tobytes()


def test_empty_fields_are_the_models_own(desk):
    own = desk.studio.own
    wish = desk.wish(("a", ""), Reading(), (None,) * 6, "")

    assert (wish.steps, wish.guidance, wish.size) == (own["steps"], own["guidance"], own["size"])
    assert wish.count == 1


@pytest.mark.slow
def test_a_picture_is_read(desk, capsys):
    from clipcond.cli import main

    path = last(desk.draw(replace(WISH, prompt="a red apple", steps=20), "me")).pictures[0][0]

    assert "Steps: 20" in desk.info(path)[0]
    shown = desk.classify(path, "apple，dog, owl")
    assert re.findall(r'<th scope="row">(\w+)', shown)[0] == "apple"
    main(["interrogate", path])
    assert desk.interrogate(path, "a1111") == (capsys.readouterr().out.strip(), "")
    assert "CLIP score of the whole prompt" in desk.score(path, "", "a1111")
    assert "a dog" in desk.score(path, "a red apple, a dog", "a1111")


def test_what_cannot_be_read_says_why(desk, tmp_path):
    (tmp_path / "no.png").write_text("text")
    Image.new("1", (9000, 9000)).save(tmp_path / "large.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "plain.png")

    assert "a picture is missing" in desk.classify(None, "cat")
    assert "is no picture" in desk.classify(str(tmp_path / "no.png"), "cat")
    assert "has more than 50,000,000 pixels" in desk.info(str(tmp_path / "large.png"))[1]
    assert "labels are missing" in desk.classify(str(tmp_path / "plain.png"), " , ")
    assert "at most 200 labels" in desk.classify(
        str(tmp_path / "plain.png"), ",".join(map(str, range(201)))
    )
    assert "cp-error" in desk.info(str(tmp_path / "plain.png"))[1]


def test_gallery_places_that_are_not_there(desk):
    assert desk.parameters_of([], 0) == ""
    assert desk.parameters_of([("/no/such.png", "")], -1) == ""
    assert desk.parameters_of([("/no/such.png", "")], 0) == ""


def test_readings_are_checked(desk):
    with pytest.raises(ClipcondError, match="no dialect 'comfy'"):
        desk.reading("comfy", "", 0)
    with pytest.raises(ClipcondError, match="no text tower here '/etc/passwd'"):
        desk.reading("a1111", "/etc/passwd", 0)
