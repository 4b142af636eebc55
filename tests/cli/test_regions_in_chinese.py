"""What is said of regions is said in Chinese where the locale is Chinese."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.cli.messages import in_locale, with_options
from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.regions import with_regions
from clipcond.errors import ArgumentError, ClipcondError, PipelineError, PromptError
from clipcond.metadata.regions import regions_not_honoured
from clipcond.pipelines import Region
from clipcond.pipelines.families import family_of
from clipcond.pipelines.regions.shares import Shares
from clipcond.pipelines.steps.regions import check_regions
from clipcond.prompt.region_texts import read_region
from tests.pipelines import zoo
from tests.pipelines.models import tiny_sd


@pytest.fixture(autouse=True)
def chinese(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


@pytest.mark.parametrize(
    "text",
    ["left", "lefft: a", "xyz: a", ": a", "left:", "left *0: a", "0,,1,1: a", "0,0,1: a",
     "0,0,nan,1: a", "0,-1,1,1: a", "0,0,1.5,1: a", "0,0,0,1: a", "0,1,1,1: a"],
)  # fmt: skip
def test_errors_are_translated(text):
    with pytest.raises(PromptError) as caught:
        read_region(text)
    first, *_, last = in_locale(str(caught.value)).split("\n")
    assert not caught.value.message.startswith(first)
    assert not caught.value.remedy.startswith(last)


def test_other_messages_are_translated(tmp_path):
    found: list[ClipcondError] = []
    with pytest.raises(ArgumentError) as caught:
        Shares([Region("a", (0, 0, 99, 99))], 0.0, (8, 8), (64, 64))
    found.append(caught.value)
    assert main(["generate", "a", "--region", "no.png: a", "-o", str(tmp_path / "a.png")]) != 0
    for name, odd in (("no.png", "text"), ("deep.png", "picture")):
        file = tmp_path / name
        file.write_text("text") if odd == "text" else Image.new("I;16", (4, 4)).save(file)
        with pytest.raises(ClipcondError) as refused:
            Region("a", mask=file)
        found.append(refused.value)
    job = PictureJob("a", "", 0, 1, None, None, None, Path("a.png"), regions=("m.png: a",))
    with pytest.raises(ClipcondError) as refused:
        with_regions(job, None, 0.4, Path("a.png"))
    found.append(refused.value)
    for error in found:
        assert in_locale(str(error)) != str(error)


def test_refusals_of_pipelines_are_translated():
    """Those that a command can meet: of other families, and of UNets that read text otherwise."""
    projected, mixed = tiny_sd(), tiny_sd()
    projected.unet.register_to_config(encoder_hid_dim_type="image_proj")
    mixed.unet.register_to_config(addition_embed_type="text")
    for pipe in (zoo.make("StableDiffusion3Pipeline"), projected, mixed):
        with pytest.raises(PipelineError) as caught:
            check_regions(pipe, family_of(pipe))
        said = with_options(str(caught.value), ["--region"])
        assert said.endswith("\nDraw without --region.")
        assert in_locale(said) != said


def test_warnings_of_settings_are_translated():
    odd = {"Regions": "two", "Base share": "2", "Region masks": json.dumps({__file__: "x"})}
    for each in regions_not_honoured(odd):
        said = f"not as the picture was made: {each}"
        assert in_locale(said) != said
