"""`clipcond generate --region`: the options, what is refused, and the picture's file."""

import json

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.cli.messages import in_locale
from clipcond.errors import ArgumentError, ClipcondError, PromptError
from clipcond.metadata import read_parameters
from clipcond.metadata.regions import (
    base_share_of,
    region_texts_of,
    regions_not_honoured,
    written_regions,
)
from clipcond.pipelines import Region
from clipcond.pipelines.regions.shares import Shares
from clipcond.prompt.region_texts import read_region

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


@pytest.mark.parametrize(
    "text",
    ["left", "lefft: a", "xyz: a", ": a", "left:", "left *0: a", "0,,1,1: a", "0,0,1: a",
     "0,0,nan,1: a", "0,-1,1,1: a", "0,0,1.5,1: a", "0,0,0,1: a", "0,1,1,1: a"],
)  # fmt: skip
def test_errors_are_translated(text, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(PromptError) as caught:
        read_region(text)
    first, *_, last = in_locale(str(caught.value)).split("\n")
    assert not caught.value.message.startswith(first)
    assert not caught.value.remedy.startswith(last)


def test_other_messages_are_translated(monkeypatch, tmp_path):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    found: list[ClipcondError] = []
    with pytest.raises(ArgumentError) as caught:
        Shares([Region("a", (0, 0, 99, 99))], 0.0, (8, 8), (64, 64))
    found.append(caught.value)
    assert main(["generate", "a", "--region", "no.png: a", "-o", str(tmp_path / "a.png")]) != 0
    for error in found:
        assert in_locale(str(error)) != str(error)
