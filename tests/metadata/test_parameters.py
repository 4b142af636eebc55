"""A1111's "parameters" as A1111, Forge, Civitai and extensions write it: read, written, changed."""

import json
import math
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from clipcond.errors import ArgumentError
from clipcond.metadata import Parameters, read_parameters, save_picture
from clipcond.metadata.parameters import parse_parameters
from tests.failures import failures_of

DATA = Path(__file__).parents[1] / "data"
TEXTS = json.loads((DATA / "infotexts.json").read_text("utf-8"))
# What is written otherwise than it came: an empty negative prompt, lines behind the settings,
# settings alone, and a second line with the label of the negative prompt.
REWRITTEN = (
    *("Negative prompt: \n", "\nTemplate: ", "Steps: 20, Sampler: Euler a, CFG scale: 7"),
    "\nNegative prompt: second",
)


def test_texts_of_other_people_survive():
    rewritten = []
    for text in TEXTS:
        read = parse_parameters(text)
        again = parse_parameters(read.text())
        assert again == read, text
        assert again.text() == read.text(), text
        rewritten += [text] if read.text() != text else []

    assert len(TEXTS) >= 40
    assert len(rewritten) == len(REWRITTEN), rewritten
    for text in rewritten:
        assert any(text.startswith(each) or each in text for each in REWRITTEN)


def test_files_made_by_the_rules_of_webui_survive_reading_writing_and_reading(tmp_path):
    """What make_webui_pictures.py put together without clipcond: PNG, JPEG, WebP, GIF."""

    def check(path):
        found = read_parameters(path)
        text = TEXTS[int(path.name[:2])]
        assert found.text() == read_parameters(text).text()
        again = tmp_path / path.with_suffix(".webp" if path.suffix == ".png" else ".png").name
        with Image.open(path) as image:
            save_picture(image.convert("RGB"), again, found)
        assert read_parameters(again).text() == found.text()

    paths = sorted((DATA / "webui_pictures").iterdir())
    assert len(paths) == len(TEXTS) >= 40
    assert not failures_of(check, paths)


def test_what_is_in_them():
    at = {text.partition("\n")[0]: parse_parameters(text) for text in TEXTS}

    fields = at["two foxes BREAK snow, <lora:winter_v2:0.8>"]
    assert fields == Parameters(
        "two foxes BREAK snow, <lora:winter_v2:0.8>", "EasyNegative, dog", 30, "DPM++ 2M", "Karras",
        7.0, 3, (512, 768), None,
        {"Model hash": "aa12bb34cc", "Model": "foxes mix", "Lora hashes": "winter_v2: 0a1b2c3d4e5f",
         "TI hashes": "EasyNegative: c74b4e810b03", "Version": "v1.10.1"},
    )  # fmt: skip
    assert at["a knight, castle"].others["Created Date"] == "2024-05-06T10:11:12.1314151Z"
    resources = json.loads(at["a knight, castle"].others["Civitai resources"])
    assert resources[0]["modelName"] == "Some XL, v6"
    assert at["a knight, castle"].others["Civitai metadata"] == '{"remixOfId":123}'
    assert at["portrait of a woman"].others["ADetailer prompt"] == 'a face, "calm", eyes: green'
    wild = at["wild{flower|fruit} in a field"].others
    assert (wild["Template"], wild["Negative Template"]) == (
        "wild{flower|fruit} in a __place__", "people",
    )  # fmt: skip
    [seed] = [each.seed for name, each in at.items() if "(masterpiece" in name]
    assert seed == 2**64 - 1
    assert at["recipe"].prompt == "recipe\nSteps: mix, bake, cool"
    assert at["a lighthouse in a storm, oil painting"].steps is None
    lines = parse_parameters(TEXTS[4])
    assert lines.prompt == "a cat,\nsitting on a wall,\n\nin the rain"
    assert lines.negative == "bad,\nworse,\nworst"
    [unread] = [parse_parameters(text) for text in TEXTS if "Steps: abc" in text]
    assert (unread.steps, unread.guidance, unread.seed, unread.size) == (None,) * 4
    assert unread.others == {"Steps": "abc", "CFG scale": "high", "Seed": "random", "Size": "big",
                             "Model": "x"}  # fmt: skip


def test_a_change_leaves_the_rest_as_it_was():
    text = "a cat\nSteps: 20, Sampler: Euler, CFG scale: 7.0, Seed: 6, X: 1, Size: 8x8, Version: v1"

    changed = replace(read_parameters(text), seed=7, clip_skip=2, others={"X": "1", "Y": "a, b"})

    assert changed.text() == (
        'a cat\nSteps: 20, Sampler: Euler, CFG scale: 7.0, Seed: 7, X: 1, Size: 8x8, Y: "a, b", '
        "Clip skip: 2"
    )
    assert replace(read_parameters(text), guidance=None).text() == text.replace(
        "CFG scale: 7.0, ", ""
    )


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "9" * 5000, "", "x"])
def test_numbers_that_are_none_stay_texts(value):
    text = f"a cat\nSteps: 20, CFG scale: {value}, Seed: {value}x, Clip skip: 2"
    read = read_parameters(text)
    assert (read.guidance, read.seed, read.clip_skip) == (None, None, 2)
    assert read.text() == text


@pytest.mark.parametrize("name", ["", "a:b", "a,b", 'a"b', "a\nb", " a", "[a", "1a", "x" * 70])
def test_names_that_could_not_be_read_again_are_refused(name):
    with pytest.raises(ArgumentError, match="cannot be the name of a setting"):
        Parameters("a", others={name: "1"}).text()


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": None}, {"prompt": 5}, {"negative": None}, {"size": 64}, {"size": (64,)},
        {"size": "64x64"}, {"size": (0, 64)}, {"guidance": "x"}, {"guidance": math.nan},
        {"steps": True}, {"steps": 0}, {"steps": 2.5}, {"seed": "a"}, {"seed": -1},
        {"seed": 2**64}, {"clip_skip": 0}, {"sampler": ""}, {"sampler": 5}, {"others": {"a": 1}},
        {"others": None}, {"others": {1: "a"}},
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(wrong):
    with pytest.raises(ArgumentError):
        Parameters(**{"prompt": "a cat", **wrong})


@pytest.mark.parametrize(
    "made",
    [
        Parameters("a\nNegative prompt: b"),
        Parameters("a\nSteps: 20, x"),
        Parameters("a", "b\nSteps: 3"),
        Parameters("a", seed=1),
    ],
)
def test_what_would_be_read_otherwise_is_refused(made):
    with pytest.raises(ArgumentError, match="would be read as other prompts"):
        made.text()
    assert made.as_written().startswith(made.prompt)
    assert parse_parameters(made.as_written()) != made


def test_prompts_that_its_form_cannot_hold_are_settings_too():
    made = Parameters("a\nNegative prompt: b", 'c\nNegative prompt: "d"', steps=20, seed=1)
    text = made.text()
    assert text.startswith("a\nNegative prompt: b\nNegative prompt: c\n")
    assert text.endswith(
        r'Exact prompt: "a\nNegative prompt: b", '
        r'Exact negative prompt: "c\nNegative prompt: \"d\""'
    )
    read = parse_parameters(text)
    assert read == made
    assert read.text() == text
    assert replace(read, prompt="a").text().startswith("a\nNegative prompt: c\nNeg")
    other = replace(read, prompt="a")
    assert replace(parse_parameters(other.text()), others={}) == replace(other, others={})
    assert "Exact" not in replace(read, prompt="a", negative="b").text()
    # who changes the prompt by hand means the new one
    edited = parse_parameters(text.replace("a\nNeg", "x\nNeg", 1))
    assert (edited.prompt, edited.negative) == ("x", 'b\nc\n"d"')
    own = Parameters("a", steps=2, others={"Exact prompt": "a", "Exact negative prompt": ""})
    assert parse_parameters(own.text()) == own


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("prompt", ['{"a":1}', "a{}Negative prompt: b", "{}Steps: 3, x", "a"])
@pytest.mark.parametrize("negative", ["{}Negative prompt: x", "b{}Steps: 2{}", "{}", "a{}b"])
def test_line_breaks_of_every_system_are_read_as_they_were_written(prompt, negative, end):
    prompt, negative = (each.replace("{}", end) for each in (prompt, negative))
    made = Parameters(prompt, negative, steps=4, seed=7, size=(64, 64), others={"Version": "x"})
    read = parse_parameters(made.text())

    def lines(text):
        return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")

    assert [lines(each) for each in (read.prompt, read.negative)] == [
        lines(each) for each in (prompt, negative)
    ]
    assert (read.steps, read.seed, read.others["Version"]) == (4, 7, "x")


LINES = st.lists(
    st.sampled_from(["a", "", "Negative prompt: b", "Negative prompt:", "Steps: 3", "Steps: 2, x",
                     " Steps: 1", "A: 1, B: 2, C: 3", 'Exact prompt: "a"']), max_size=4
).map("\n".join)  # fmt: skip


@given(LINES.map(lambda text: text.strip("\n")), LINES.map(lambda text: text.strip("\n")))
def test_any_lines_are_read_as_they_were_written(prompt, negative):
    made = Parameters(prompt, negative, steps=20, seed=3)
    assert parse_parameters(made.text()) == made


def test_lines_behind_the_settings():
    read = parse_parameters("a\nSteps: 2, Size: 64x64\n\nseen on a forum\nNote: b\nthe end")
    assert (read.steps, read.size) == (2, (64, 64))
    assert read.others == {"Note": "b", "Remark": "seen on a forum\nthe end"}
    assert parse_parameters(read.text()) == read


NAMES = st.text(string.ascii_letters + string.digits + " /-()é猫", min_size=1, max_size=20).filter(
    lambda name: name.strip() == name and name[0].isalpha() and name not in READ
)
READ = {"Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Clip skip"}
WORDS = st.text(max_size=40).filter(lambda text: "\r" not in text and not text.startswith("\n"))


@given(
    prompt=WORDS.filter(lambda text: not text.endswith("\n")),
    negative=WORDS,
    others=st.dictionaries(NAMES, st.text(max_size=40), max_size=5),
    guidance=st.floats(0, 100),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_parameters_are_read_as_they_were_written(prompt, negative, others, guidance, seed):
    made = Parameters(prompt, negative, steps=20, guidance=guidance, seed=seed, size=(8, 16),
                      others=others)  # fmt: skip

    read = parse_parameters(made.text())

    assert read == made
    assert read.text() == made.text()


@given(st.text(alphabet=st.sampled_from('a:,"\n{}[]\\ Steps2')), st.text())
@example("UserComment:]\n{\n}", "")  # JSON in several lines
@example('t"":p"}:a:]e\n[\n \n]', "")
def test_any_text_is_read(quirky, text):
    for each in (quirky, text, f"a\nSteps: 1, {quirky}", f"a\nSteps: 1, B: {quirky}"):
        read = parse_parameters(each)
        if all(name.strip() == name for name in read.others):
            assert parse_parameters(read.text()).text() == read.text()
