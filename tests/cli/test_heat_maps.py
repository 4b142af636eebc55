"""`generate --heat-map`: a sheet next to each picture, which stays the same."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image

from clipcond import attach
from clipcond.cli.console import short_warnings
from clipcond.cli.entry import main
from clipcond.cli.heat_maps import TracingArtist
from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.picture_making import make_all
from clipcond.cli.pictures import Artist
from clipcond.errors import PipelineError
from tests.pipelines.models import tiny_sd

JOB = PictureJob("a (red:1.3) fox in the snow", "blurry", 3, 2, 7.5, None, None, Path("a.png"))


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with short_warnings():
        yield attach(tiny_sd())


def test_each_picture_has_a_sheet_and_is_the_same(pipe, capsys):
    jobs = [JOB, replace(JOB, seed=4, output=Path("b.png"))]
    assert make_all(TracingArtist(pipe, {}), jobs, as_json=False) == 2
    printed = capsys.readouterr().out.split()
    assert printed == ["a.png", "a-heat-map.png", "b.png", "b-heat-map.png"]
    traced = [Path(name).read_bytes() for name in ("a.png", "b.png")]
    assert make_all(Artist(pipe, {}), jobs, as_json=False) == 2

    for job, before in zip(jobs, traced, strict=True):
        assert job.output.read_bytes() == before
    sheets = [Image.open(name) for name in ("a-heat-map.png", "b-heat-map.png")]
    assert sheets[0].tobytes() != sheets[1].tobytes()
    # the picture, and red, fox, snow: cells of 128 pixels
    assert [sheet.size for sheet in sheets] == [(6 + 4 * 134, 6 + 20 + 2 * 134)] * 2
    assert "Seed: 4" in sheets[1].text["parameters"]


def test_json_names_the_sheet(pipe, capsys):
    assert make_all(TracingArtist(pipe, {}), [JOB], as_json=True) == 1
    made = json.loads(capsys.readouterr().out)

    assert (made["path"], made["heat_map"]) == ("a.png", "a-heat-map.png")


def test_a_prompt_without_words(pipe):
    assert make_all(TracingArtist(pipe, {}), [replace(JOB, prompt="...")], as_json=True) == 1
    with Image.open("a-heat-map.png") as sheet:
        assert sheet.width == 6 + 2 * 134


def test_what_cannot_be_traced_is_said(pipe):
    class Mine(AttnProcessor):
        pass

    pipe.unet.set_attn_processor(Mine())
    with pytest.raises(PipelineError, match="how its Mine attends to text is not known"):
        make_all(TracingArtist(pipe, {}), [JOB], as_json=True)
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["--best-of", "2"],
            2,
            "--heat-map traces each picture as it is drawn: leave out",
        ),
        ([], 1, "'out-heat-map.png' exists already"),
    ],
)
def test_wrong_use(pipe, capsys, arguments, code, message):
    Path("out-heat-map.png").touch()

    assert main(["generate", "a cat", "--heat-map", *arguments]) == code
    assert message in capsys.readouterr().err
