"""`clipcond generate --region`: the options, what is refused, and the picture's file."""

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image

from clipcond import attach
from clipcond.cli.entry import main
from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.picture_making import report
from clipcond.cli.variants import expanding, open_expansion
from clipcond.errors import PromptError
from clipcond.metadata import Parameters, read_parameters, save_picture
from clipcond.metadata.regions import (
    base_share_of,
    region_texts_of,
    regions_not_honoured,
    settings_here,
    written_regions,
)
from clipcond.prompt.region_texts import read_region
from tests.pipelines.models import tiny_sd

DRAW = ["--steps", "2", "--json"]


def pixels(file):
    with Image.open(file) as picture:
        return picture.tobytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--region", "lft: a cat"], ["no place is called 'lft'", "  lft: a cat", "  ^"]),
        (["--region", "left"], ["a region has no colon behind its place", "  left", "  ^"]),
        (["--region", "0,0,2,0.5: a"], ["pixels are whole numbers", "  0,0,2,0.5: a", "        ^"]),
        (["--region", "no.png: a"], ["the mask 'no.png' cannot be read: there is no such file"]),
        (["--base-share", "0.3"], ["--base-share goes with --region"]),
        (["--base-share", "1", "--region", "left: a"], ["a number from 0 to below 1 is needed"]),
    ],
)
def test_wrong_use(options, said, capsys, tmp_path):
    assert main(["generate", "a field", *options, "-o", str(tmp_path / "a.png")]) != 0
    shown = capsys.readouterr().err
    assert all(each in shown for each in said), shown
    assert not (tmp_path / "a.png").exists()


def test_a_picture_with_regions_is_drawn_again_from_its_file(tmp_path, capsys):
    Image.linear_gradient("L").resize((16, 16)).save(tmp_path / "mask.png")
    one, two, three = (str(tmp_path / f"{n}.png") for n in (1, 2, 3))
    regions = [
        "左: a cat",
        "right *1.5: a (dog:1.2) Negative prompt: red",
        f"{tmp_path}/mask.png: a fox",
    ]
    given = [part for each in regions for part in ("--region", each)]
    made = ["generate", "a green background", *given, "--base-share", "0.4", *DRAW]

    assert main([*made, "-o", one]) == 0
    assert json.loads(capsys.readouterr().out)["regions"] == regions
    others = read_parameters(one).others
    assert json.loads(others["Regions"]) == regions
    assert others["Base share"] == "0.4"
    assert main(["generate", "--from", one, "--json", "-o", two]) == 0
    assert pixels(one) == pixels(two)
    assert "not as the picture was made" not in capsys.readouterr().err
    assert main(["generate", "--from", one, "--region", "top: a cat", "--json", "-o", three]) == 0
    assert "Base share" not in read_parameters(three).others
    assert pixels(three) != pixels(one)


def test_without_a_base_prompt(tmp_path, capsys):
    file = str(tmp_path / "a.png")
    assert main(["generate", "--region", "left: a cat", *DRAW, "-o", file]) == 0
    assert read_parameters(file).prompt == ""


def test_settings_that_cannot_be_followed(tmp_path):
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"one")
    written = written_regions([f"{mask}: a", "left: b"], None)
    assert region_texts_of(written) == (f"{mask}: a", "left: b")
    assert base_share_of(written) is None
    assert regions_not_honoured(written) == []
    mask.write_bytes(b"two")
    assert regions_not_honoured(written) == [
        f"The mask {str(mask)!r} is another file than the picture was made with."
    ]
    assert written_regions([], 0.5) == {}
    odd = {"Regions": '["left: a", "x"]', "Base share": "2"}
    assert regions_not_honoured(odd) == [
        "Regions: x: a region has no colon behind its place.",
        "Base share: 2",
    ]
    assert regions_not_honoured({"Regions": "two"}) == [
        "Regions: two, which are none of clipcond's."
    ]


def mask_file(path, colour=255):
    image = Image.new("L", (16, 16), 0)
    image.paste(colour, (0, 0, 8, 16))
    path.parent.mkdir(exist_ok=True)
    image.save(path)


@pytest.mark.parametrize("name", ["m.png", "a: b.png", "sub/m.png"])
def test_a_mask_is_found_next_to_its_picture(name, tmp_path, capsys, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    mask_file(here / name)
    given = ["--region", f"{name} *1.5: a dog", "--region", "左: a cat", "--base-share", "0.4"]
    assert main(["generate", "a", *given, *DRAW, "-o", "a.png"]) == 0
    (here / name).rename(here / Path(name).name)  # what is copied is often copied to one folder
    monkeypatch.chdir(there)
    mask_file(there / name, 128)  # another one
    assert main(["generate", "--from", "../here/a.png", "--json", "-o", "b.png"]) == 0

    shown = capsys.readouterr()
    assert "another file" not in shown.err
    assert pixels(here / "a.png") == pixels(there / "b.png")
    assert json.loads(shown.out.split("\n")[1])["regions"][0].startswith("../here/")
    parameters = read_parameters("../here/a.png")
    found = json.loads(settings_here(parameters)["Regions"])
    assert found == [f"../here/{Path(name).name} *1.5: a dog", "左: a cat"]
    assert json.loads(parameters.others["Regions"])[0] == f"{name} *1.5: a dog"  # as written


def test_python_finds_a_mask_next_to_its_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mask_file(tmp_path / "sub" / "m.png")
    picture, settings = Image.new("L", (8, 8)), written_regions(["sub/m.png: a dog"], None)
    save_picture(
        picture,
        "sub/a.png",
        Parameters("a", steps=2, sampler="Euler", guidance=3, others=settings).as_written(),
    )
    monkeypatch.chdir(tmp_path.parent)

    read = read_parameters(tmp_path / "sub" / "a.png")
    (region,) = read.call(attach(tiny_sd()))["regions"]
    assert region.mask.tolist() == [[1.0] * 8 + [0.0] * 8] * 16


def test_a_mask_that_is_another_one_now_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mask_file(tmp_path / "m.png")
    assert main(["generate", "a", "--region", "m.png: a dog", *DRAW, "-o", "a.png"]) == 0
    mask_file(tmp_path / "m.png", 128)
    assert main(["generate", "--from", "a.png", "--json", "-o", "b.png"]) == 0
    assert "'m.png' is another file than the picture was made with" in capsys.readouterr().err


def test_a_lost_mask_can_be_given_by_another_path(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mask_file(tmp_path / "m.png")
    given = ["--region", "m.png *2: it's a dog", "--region", "left: a cat", "--base-share", "0.4"]
    assert main(["generate", "a", *given, *DRAW, "-o", "a.png"]) == 0
    (tmp_path / "m.png").rename(tmp_path / "PATH.png")
    capsys.readouterr()
    assert main(["generate", "--from", "a.png", "-o", "b.png"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("'m.png' of 'a.png' is neither where it was nor next to the picture")
    options = [each.replace("PATH/m.png", "PATH.png") for each in shlex.split(lines[2])]
    assert options == [each.replace("m.png", "PATH.png") for each in given]
    assert main(["generate", "--from", "a.png", *options, "--json", "-o", "b.png"]) == 0
    assert pixels("a.png") == pixels("b.png")


def test_a_name_that_is_too_long_is_no_mask(capsys, tmp_path):
    assert (
        main(["generate", "a", "--region", f"{'a' * 300}.png: a", "-o", f"{tmp_path}/a.png"]) == 1
    )
    assert "there is no such file" in capsys.readouterr().err


def test_heat_maps_of_regions_are_refused_before_loading(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("clipcond.cli.drawing.open_artist", None)
    made = ["generate", "a cat", "--region", "left: a", "--heat-map", "-o", f"{tmp_path}/a.png"]
    assert main(made) == 2
    assert "--heat-map traces pictures without regions" in capsys.readouterr().err
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(made) == 2
    assert "--heat-map 只能" in capsys.readouterr().err


@pytest.fixture
def lists(tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "thing.txt").write_text("cat\ndog\nfox\n")
    (folder / "two.txt").write_text("cat AND dog\n")
    return str(folder)


def listed(lists, *regions, count=None, combinations=False, prompt="a field", seed=3):
    """The jobs of a prompt whose regions are templates."""
    job = PictureJob(prompt, "", seed, 1, None, None, None, Path("a.png"), regions=regions)
    expansion = open_expansion(Path(lists), combinations=combinations)
    return expanding(expansion, count, 1)(job)


def test_templates_of_regions_are_drawn_by_the_seed(lists):
    texts = ("left *1.5: a __thing__ Negative prompt: {red|blue}", "right: a __thing__")
    jobs = listed(lists, *texts, count=40)
    assert [each.regions for each in jobs] == [
        each.regions for each in listed(lists, *texts, count=40)
    ]
    assert [each.regions for each in listed(lists, *texts, seed=5)] == [jobs[2].regions]
    read = [[read_region(text) for text in each.regions] for each in jobs]
    things = {f"a {thing}" for thing in ("cat", "dog", "fox")}
    assert {left.prompt for left, _ in read} == things
    assert {left.negative for left, _ in read} == {"red", "blue"}
    assert all(left.weight == 1.5 for left, _ in read)
    assert len({(left.prompt, right.prompt) for left, right in read}) == 9  # apart


def test_combinations_are_multiplied_by_those_of_regions(lists):
    given = ("left: {red|blue} __thing__", "right: a {b|c}")
    jobs = listed(lists, *given, prompt="a {1|2}", combinations=True)
    assert len({(each.prompt, *each.regions) for each in jobs}) == len(jobs) == 2 * 6 * 2
    assert [each.regions for each in jobs[:3]] == [
        ("left: red cat", "right: a b"),
        ("left: red cat", "right: a c"),
        ("left: red dog", "right: a b"),
    ]


def test_the_name_of_a_mask_is_no_template(lists):
    (job,) = listed(lists, "a__thing__{b|c}.png: a {cat|cat}")
    assert job.regions == ("a__thing__{b|c}.png: a cat",)


@pytest.mark.parametrize(
    ("region", "shown"),
    [
        ("left: a __thing__ __no__", ["no list 'no' in", "  a __thing__ __no__", " " * 14 + "^"]),
        ("left:  a {b|c", ["  a {b|c", "    ^"]),
        ("left: {|}", ["a region has no prompt behind its colon", "  left: {|}", " " * 8 + "^"]),
        ("left: a __two__", ["two.txt, line 1: AND cannot be drawn", "  cat AND dog", "      ^"]),
        ("left:a {b|b} AND c", ["AND cannot be drawn", "  a {b|b} AND c", " " * 10 + "^"]),
    ],
)  # fmt: skip
def test_errors_of_templates_are_shown_where_they_are(region, shown, lists, capsys, tmp_path):
    made = ["generate", "a", "--wildcards", lists, "--region", region]
    assert main([*made, "-o", str(tmp_path / "a.png")]) == 2
    lines = capsys.readouterr().err
    assert all(each in lines for each in shown), lines


def test_errors_about_negatives_of_regions_are_shown_in_their_templates(lists):
    (job,) = listed(lists, "left: red Negative prompt: {red|red} red")
    with pytest.raises(PromptError) as caught:
        report(job, PromptError("wrong", "red red", 4, "Say more."))
    assert str(caught.value).split("\n") == [
        "wrong",
        "  red Negative prompt: {red|red} red",
        " " * 33 + "^",
        "Say more.",
    ]
