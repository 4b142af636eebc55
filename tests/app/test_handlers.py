"""What the buttons do, without a browser."""

import re
import threading
from dataclasses import replace

import pytest
from PIL import Image

from clipcond.app.converting import convert_prompt
from clipcond.app.drawing import Progress, follow
from clipcond.app.settings import MAX_SEED
from clipcond.app.wishes import Reading, Wish, check_wish, chosen_seed
from clipcond.errors import ArgumentError
from clipcond.metadata import read_parameters
from tests.own_model import SIDE, SIZE

WISH = Wish("a (red:1.3) apple", "a cat", Reading(clip_skip=1), 2, 3.0, "DDIM", 7, SIZE)


def last(views):
    *_, view = views
    return view


def test_a_picture_is_drawn_and_saved_with_its_settings(desk):
    view = last(desk.draw(replace(WISH, count=2), "me"))

    assert [caption for _, caption in view.pictures] == ["Seed 7", "Seed 8"]
    assert view.seed == 7
    found = read_parameters(view.pictures[1][0])
    assert (found.prompt, found.negative, found.seed) == ("a (red:1.3) apple", "a cat", 8)
    assert (found.steps, found.sampler, found.guidance) == (2, "DDIM", 3.0)
    assert (found.clip_skip, found.size) == (1, SIZE)
    assert found.others["Dialect"] == "a1111"
    assert desk.settings.output.name in view.status


@pytest.mark.slow
def test_the_same_seed_is_the_same_picture_and_that_of_generate(desk, tmp_path):
    from clipcond.cli import main

    (first, _), (again, _) = (last(desk.draw(WISH, "me")).pictures[0] for _ in range(2))
    options = ["--negative", "a cat", "--seed", "7", "--steps", "2", "--guidance", "3"]
    options += ["--clip-skip", "1", "--scheduler", "DDIM", "--device", "cpu"]
    main(["generate", "a (red:1.3) apple", *options, "-o", str(tmp_path / "it.png")])

    pixels = [Image.open(path).tobytes() for path in (first, again, tmp_path / "it.png")]
    assert first != again
    assert pixels[0] == pixels[1] == pixels[2]


def test_heat_maps_are_drawn_next_to_a_picture_that_stays_the_same(desk):
    view = last(desk.draw(replace(WISH, heat_maps=True), "me"))
    plain = last(desk.draw(WISH, "me"))

    assert [caption for _, caption in view.pictures] == ["Seed 7", "What each word drew"]
    picture, sheet, again = (
        Image.open(path).copy() for path, _ in (*view.pictures, *plain.pictures)
    )
    assert picture.tobytes() == again.tobytes()
    assert sheet.width > picture.width
    assert read_parameters(view.pictures[1][0]).prompt == WISH.prompt


def test_each_step_is_shown(desk):
    shown = [view.status for view in desk.draw(WISH, "me")]

    assert ["Step 1 of 2" in shown[0], "Step 2 of 2" in shown[1]] == [True, True]


def test_stop_ends_a_drawing_and_keeps_what_is_done(desk):
    views, steps = [], 0
    for view in desk.draw(replace(WISH, steps=3, count=3), "me"):
        views.append(view)
        steps += "progressbar" in view.status
        if steps == 4:  # the first step of the second picture
            desk.stops.stop("me")
    desk.stops.clear("me")

    assert len(views[-1].pictures) == 1
    assert "Stopped: 1 of 3 drawn." in views[-1].status
    assert steps <= 5


def test_another_visitors_stop_is_not_mine(desk):
    desk.stops.stop("someone else")

    assert len(last(desk.draw(WISH, "me")).pictures) == 1


def test_a_visitor_who_leaves_frees_the_model(desk):
    views = desk.draw(replace(WISH, steps=50), "me")
    next(views)
    views.close()

    assert not [thread for thread in threading.enumerate() if thread.name == "drawing"]


def test_what_was_said_while_drawing_is_shown(desk):
    wide = 2 * SIDE + 8
    view = last(desk.draw(replace(WISH, size=(wide, SIDE), steps=1), "me"))

    size, own = f"{wide}x{SIDE}", f"{SIDE}x{SIDE}"
    assert f"Width and height {size}: this model was made for {own}" in view.status
    assert len(view.pictures) == 1


def test_a_prompt_that_cannot_be_used_shows_its_caret(desk):
    reading = Reading("compel")
    view = last(desk.draw(replace(WISH, prompt='("a", "b").blend(1)', reading=reading), "me"))

    assert re.search(r"<pre>.*\n  .*\n +\^", view.status)
    assert not view.pictures


def test_an_unexpected_error_is_one_sentence_and_a_line_of_the_log(desk, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("secret path /root")

    monkeypatch.setattr(desk.studio, "_prepare", broken)
    view = last(desk.draw(WISH, "me"))

    assert "Something went wrong here; the log of clipcond says what." in view.status
    assert "secret" not in view.status
    assert "secret path /root" in caplog.text


def test_too_little_memory_is_said(desk, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(desk.studio, "_prepare", broken)

    assert "not enough memory" in last(desk.draw(WISH, "me")).status


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is a number from 1 to 150 here, not 0"),
        ({"steps": 151}, "steps is a number from 1 to 150 here, not 151"),
        ({"guidance": float("nan")}, "guidance is a number from 0 to 100 here, not nan"),
        ({"count": 17}, "count is a number from 1 to 16 here, not 17"),
        ({"seed": MAX_SEED, "count": 2}, "seed is a number from 0 to"),
        ({"size": (4096, 4096)}, "pictures have at most 4,194,304 pixels here"),
        ({"size": (-8, 64)}, "pictures have at most"),
        ({"seed": 1.5}, "seed is a whole number, not 1.5"),
        ({"size": (64, "x")}, "height is a whole number, not x"),
        ({"steps": None}, "steps is a whole number, not None"),
        ({"guidance": "x"}, "guidance is a number from 0 to 100 here, not x"),
        ({"prompt": "a" * 20_001}, "a prompt has at most 20,000 characters here"),
    ],
)
def test_wishes_have_bounds(change, message):
    with pytest.raises(ArgumentError, match=message):
        check_wish(replace(WISH, **change))


def test_the_model_has_bounds_of_its_own(desk):
    assert "sides are multiples of 8" in last(desk.draw(replace(WISH, size=(60, 64)), "me")).status
    most = f"at most {8 * SIDE}x{8 * SIDE}"
    assert most in last(desk.draw(replace(WISH, size=(16 * SIDE, SIDE)), "me")).status


def test_a_random_seed():
    assert chosen_seed(5) == 5
    assert 0 <= chosen_seed(-1) < 2**32


def test_dialects_side_by_side(desk):
    view = last(desk.compare(WISH, ["compel", "a1111", "no such"], "me"))

    assert [caption for _, caption in view.pictures] == ["a1111: 3/75", "compel: 7/75"]
    found = [read_parameters(path) for path, _ in view.pictures]
    assert [each.others["Dialect"] for each in found] == ["a1111", "compel"]
    assert {each.seed for each in found} == {7}
    assert "Choose one or more dialects." in last(desk.compare(WISH, [], "me")).status


def test_two_languages_draw_in_turn(desk, chinese_desk):
    found = []
    threads = [
        threading.Thread(target=lambda d=d: found.append(last(d.draw(WISH, "me"))))
        for d in (desk, chinese_desk)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    captions = {view.pictures[0][1] for view in found}
    assert captions == {"Seed 7", "种子 7"}


def test_follow_says_how_far_it_is(studio):
    events = list(follow(studio, [WISH, WISH], lambda: False))

    shares = [event.share for event in events if isinstance(event, Progress)]
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_inspect(desk, chinese_desk):
    found = desk.inspect("a (red:1.3) cat", "a dog", Reading())

    assert re.findall(r"(\d+)/75", found) == ["3", "2"]
    assert "没有闭合" in chinese_desk.inspect("a (cat", "", Reading())
    assert "cp-error" in desk.inspect('("a").blend(1, 2)', "", Reading("compel"))


def test_convert(desk):
    found = desk.convert(("a (red:1.3) cat # note", "a dog"), "a1111", "compel")

    assert found[:2] == ("a (red)1.3 cat", "a dog")
    assert "# note" in found[2]


def test_convert_what_cannot_be(desk):
    prompt, negative, shown = desk.convert(("[a:b:0.5]", "(dog)"), "a1111", "compel")

    assert (prompt, negative) == ("", "(dog)1.1")
    assert "cannot be converted" in shown
    assert "cp-error" in shown


def test_convert_says_if_nothing_is_lost(desk):
    assert "Nothing is lost" in desk.convert(("(red:1.3)", ""), "a1111", "comfyui")[2]


def test_convert_has_bounds(desk):
    assert convert_prompt("a" * 20_001, "a1111", "compel", desk.language).text is None
