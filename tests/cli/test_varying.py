"""`clipcond vary`: variations of a picture, and what is said of options that do not go together."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from clipcond import build_pipeline, embedded
from clipcond.adapters import save_adapter
from clipcond.cli.entry import main
from clipcond.metadata import read_parameters
from tests.adapters.made import adapter, record
from tests.own_model import DEFAULTS, SIDE

RED, BLUE = (214, 46, 48), (44, 100, 222)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs the command in a folder with two pictures, two steps each."""
    monkeypatch.chdir(tmp_path)
    for name, colour in (("red", RED), ("blue", BLUE)):
        Image.new("RGB", (64, 64), colour).save(f"{name}.png")
    Path("text.png").write_text("no picture")
    other = adapter("image", tower_width=128, width=128, length=77)
    save_adapter(other, record(tower_name="other", width=128), "other.safetensors")

    def run(*argv):
        code = main(["vary", *map(str, argv)])
        return code, *capsys.readouterr()

    return run


def pixels(path):
    with Image.open(path) as image:
        return image.tobytes()


def test_variations_are_drawn_and_say_of_what(run):
    code, out, err = run(
        "red.png", "--count", 2, "--steps", 2, "--seed", 7, "--json", "-o", "v.png"
    )

    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["path"] for row in rows] == ["v-1.png", "v-2.png"]
    assert rows[0] == {
        "path": "v-1.png", "prompt": "", "negative": "", "seed": 7, "steps": 2,
        "guidance": DEFAULTS["guidance_scale"], "clip_skip": 2, "size": f"{SIDE}x{SIDE}",
        "image": "red.png", "image_weight": 1.0,
    }  # fmt: skip
    assert pixels("v-1.png") != pixels("v-2.png")
    with Image.open("v-1.png") as image:
        said = f"Seed: 7, Size: {SIDE}x{SIDE}, Model: embedded, Image: red.png, "
        assert said in image.text["parameters"]
    assert run("red.png", "--steps", 2, "--seed", 8)[0] == 0  # the second of them, by itself
    assert pixels("out.png") == pixels("v-2.png")


@pytest.mark.slow
def test_prompt_weight_and_another_picture_change_what_is_drawn(run):
    table = {
        "alone": (),
        "prompt": ("-p", "a cat"),
        "negative": ("-n", "a red background"),
        "half": ("--image-weight", 0.5),
        "none": ("--image-weight", 0),
        "between": ("--toward", "blue.png"),
        "near": ("--toward", "blue.png", "--amount", 0.1),
    }
    for name, options in table.items():
        assert run("red.png", *options, "--steps", 1, "-o", f"{name}-made.png")[0] == 0
    assert len({pixels(f"{name}-made.png") for name in table}) == len(table)
    assert run("blue.png", "--steps", 1, "-o", "end.png")[0] == 0
    assert (
        run("red.png", "--toward", "blue.png", "--amount", 1, "--steps", 1, "-o", "to.png")[0] == 0
    )
    assert pixels("to.png") == pixels("end.png")


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # numpy 2, in diffusers
def test_a_prompt_in_chinese(run):
    """The picture's rows, and those of the Chinese tower behind them."""
    pipe, picture = build_pipeline(tower="embedded-zh"), Image.open("red.png")
    embeds = pipe.conditioner.with_image(picture, "一只（狐狸：1.3）").embeds
    generator = torch.Generator("cpu").manual_seed(0)
    drawn = pipe(prompt_embeds=embeds, num_inference_steps=1, generator=generator).images[0]

    options = ("-p", "一只（狐狸：1.3）", "--steps", 1, "--tower", "embedded-zh")
    assert run("red.png", *options, "-o", "zh.png")[:2] == (0, "zh.png\n")

    assert pixels("zh.png") == drawn.tobytes()
    assert read_parameters("zh.png").others["Tower"] == "embedded-zh"
    assert "For Chinese: --tower embedded-zh" in run("red.png", *options[:4], "-o", "en.png")[2]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("none.png",), 1, "there is no picture 'none.png'"),
        (("text.png",), 1, "'text.png' is no picture that Pillow can read"),
        (("red.png", "--toward", "text.png"), 1, "'text.png' is no picture that Pillow can read"),
        (("red.png", "--amount", 0.3), 2, "--amount goes with --toward"),
        (("red.png", "--encoder", "embedded"), 2, "--encoder goes with --image-adapter"),
        (
            ("red.png", "--image-weight", "nan"),
            2,
            "Invalid value for '--image-weight': a finite number is needed, not nan",
        ),
        (("red.png", "-o", "v.gif"), 2, "Invalid value for '-o' / '--output': 'v.gif': pictures"),
        (("red.png", "-o", "red.png"), 1, "'red.png' exists already\nSay --force to replace it"),
        (
            ("red.png", "--image-adapter", embedded.adapter_file("embedded-zh")),
            1,
            "a 'resampler' adapter reads a text tower, not pictures\nTrain an image adapter: ",
        ),
        (
            ("red.png", "--image-adapter", "other.safetensors", "--encoder", "embedded-zh"),
            1,
            "the image adapter was aligned to the encoder 'other', not to this 'embedded-zh'\n",
        ),
    ],
)
def test_what_cannot_be_done_is_said(run, argv, code, message):
    found, out, err = run(*argv)

    assert (found, out) == (code, "")
    assert err.startswith(f"clipcond: {message}")
    assert {path.name for path in Path.cwd().glob("*.png")} == {"blue.png", "red.png", "text.png"}
