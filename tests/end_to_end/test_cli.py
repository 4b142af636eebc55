"""The command line where all goes well: pictures, what is inside them, reports."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file

from clipcond import Conditioner, __version__
from clipcond.conditioning.report import finite
from clipcond.metadata import read_parameters
from clipcond.metadata.samplers import SPACING
from clipcond.pipelines import build_pipeline
from tests.parity.models import tower_l


def picture(path):
    with Image.open(path) as image:
        return image.convert("RGB")


def test_a_picture(generate, sd_folder):
    outcome = generate("a (red:1.3) fox", "-n", "blurry", "--seed", "3", "--guidance", "4.5")

    assert outcome == (0, "out.png\n", outcome.err)
    with Image.open("out.png") as image:
        assert (image.format, image.size, image.mode) == ("PNG", (16, 16), "RGB")
        assert image.text["parameters"] == (
            "a (red:1.3) fox\n"
            "Negative prompt: blurry\n"
            "Steps: 2, Sampler: DDIM, CFG scale: 4.5, Seed: 3, Size: 16x16, Model: tiny-sd, "
            "Timestep spacing: leading, Dialect: a1111, Clip skip: 1, "
            f"Version: clipcond {__version__}"
        )
        pipe = build_pipeline(sd_folder)
        same = pipe(
            "a (red:1.3) fox",
            negative_prompt="blurry",
            guidance_scale=4.5,
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(3),
        ).images[0]
        assert image.tobytes() == same.tobytes()


def test_in_a_log_progress_is_a_few_plain_lines(generate):
    lines = generate("a cat", steps=8).err.splitlines()

    assert [line.split(",")[0] for line in lines] == [f"step {n} of 8" for n in (2, 4, 6, 8)]
    assert lines[-1] == "step 8 of 8, 0 s left"


def test_on_a_terminal_progress_is_a_bar(generate, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    outcome = generate("a cat", steps=4)

    assert outcome.out == "out.png\n"
    assert "step 4/4" in re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", outcome.err)


def test_several_pictures_have_one_seed_after_the_other(generate, tmp_path):
    (tmp_path / "made").mkdir()
    outcome = generate("a cat", "--count", "2", "--seed", "5", "-o", "made/cat.png")
    assert outcome.out == "made/cat-1.png\nmade/cat-2.png\n"
    assert outcome.err.splitlines()[-1] == "1-2 of 2: step 2 of 2, 0 s left"

    generate("a cat", "--seed", "6", "-o", "made/six.png")
    pixels = {path.name: picture(path).tobytes() for path in (tmp_path / "made").iterdir()}
    assert pixels.keys() == {"cat-1.png", "cat-2.png", "six.png"}
    assert pixels["cat-2.png"] == pixels["six.png"] != pixels["cat-1.png"]


def test_size(generate):
    assert generate("a cat", "--size", "32x24").code == 0
    assert picture("out.png").size == (32, 24)


def test_choices_act(generate):
    made = {}
    for options in [(), ("--clip-skip", "2"), ("--dialect", "plain"), ("--guidance", "1")]:
        assert generate("a (red:1.5) cat", *options).code == 0
        made[options] = picture("out.png").tobytes()

    assert len(set(made.values())) == len(made)


def test_what_is_lost_is_said_in_one_line(generate):
    outcome = generate("a (red cat", steps=1)

    assert outcome.code == 0
    warnings = [line for line in outcome.err.splitlines() if "step" not in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("clipcond: warning: ")


def test_full_width_punctuation(inspect, generate):
    text = "a （red：1.3） cat"
    (whole,) = json.loads(inspect(text, "--json").out)["segments"]
    segments = json.loads(inspect(text, "--json", "--fullwidth").out)["segments"]

    assert whole["text"] == text
    assert segments[1] == {"text": "red", "weight": 1.3, "start": 3, "stop": 6}
    assert "full-width" in generate(text).err
    assert "full-width" not in generate(text, "--fullwidth").err
    assert "full-width" not in generate(text, "--no-fullwidth").err


def test_inspect_as_json(inspect, sd_folder):
    outcome = inspect("a (red:1.3) cat BREAK x", "--json")
    report = json.loads(outcome.out)

    assert outcome.code == 0
    assert outcome.err == ""
    assert report["prompt"] == "a (red:1.3) cat BREAK x"
    assert report["dialect"] == "a1111"
    assert report["tower"] == str(sd_folder)
    assert report["layer"] == {"depth": 1, "of": 4, "final_norm": True}
    assert report["segments"][1] == {"text": "red", "weight": 1.3, "start": 3, "stop": 6}
    assert {"break": True} in report["segments"]
    chunks = Conditioner(tower_l()).chunks("a (red:1.3) cat BREAK x")
    assert [chunk["ids"] for chunk in report["chunks"]] == [list(c.input_ids) for c in chunks]
    assert [chunk["weights"] for chunk in report["chunks"]] == [list(c.weights) for c in chunks]
    assert report["chunks"][0]["tokens"][:5] == [
        "<|startoftext|>",
        "a",
        "red",
        "cat",
        "<|endoftext|>",
    ]
    assert report["issues"] == []


def test_inspect_as_a_table(inspect):
    outcome = inspect("a (red:1.3) cat")
    row = next(line for line in outcome.out.splitlines() if "red" in line)

    assert outcome.code == 0
    assert "736" in row
    assert "1.3" in row


def test_brackets_in_a_prompt_are_no_markup(inspect):
    assert "bold" in inspect("[bold] [/red] x").out


def test_weights_that_json_has_no_number_for():
    # dialects that read numbers as Python does take nan and inf for weights
    assert finite({"weights": [1.0, math.nan, math.inf]}) == {"weights": [1.0, None, None]}


def test_version(run):
    assert run("--version") == (0, f"clipcond {__version__}\n", "")


def test_without_a_command_there_is_help(run):
    outcome = run()

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.rstrip() == run("--help").out.rstrip()
    assert "generate" in outcome.out


def test_the_module_runs_and_inspect_needs_no_diffusers():
    # torch 2.6 once failed to open this tower as the first act of a process
    argv = ["-X", "importtime", "-m", "clipcond", "inspect", "a cat", "--json"]
    done = subprocess.run(
        [sys.executable, *argv, "--tower", "embedded-zh"], capture_output=True, text=True
    )

    assert done.returncode == 0
    assert json.loads(done.stdout)["prompt"] == "a cat"
    assert " diffusers" not in done.stderr
    assert all(line.startswith("import time:") for line in done.stderr.splitlines())


def test_inversions_are_loaded(generate, inspect, sd_folder, tmp_path):
    rows = torch.randn(2, 32, generator=torch.Generator().manual_seed(5))
    files = [tmp_path / "zug.safetensors", tmp_path / "hund.safetensors"]
    for file in files:
        save_file({"emb_params": rows}, file)
    options = [word for file in files for word in ("--inversion", file)]

    report = json.loads(inspect("a zug, hund", *options, "--json").out)
    assert report["chunks"][0]["tokens"][1:7] == ["a", "zug", "zug_1", ",", "hund", "hund_1"]
    pictures = []
    for words in ([], options):
        assert generate("a zug", "--seed", "3", *words).code == 0
        pictures.append(picture("out.png").tobytes())
    assert pictures[0] != pictures[1]


def test_an_inversion_for_another_model_is_one_clear_message(generate, sd_folder, tmp_path):
    file = tmp_path / "zug.safetensors"
    save_file({"emb_params": torch.ones(1, 768)}, file)

    assert generate("a zug", "--inversion", file) == (
        1,
        "",
        f"clipcond: {str(file)!r}: the vectors of 'zug' are 768 wide; {str(sd_folder)!r} reads 32\n"
        "It was made for another model: 768 is Stable Diffusion 1, 1024 is 2, 768 and 1280 "
        "together are XL.\n",
    )


def test_from_a_picture_takes_what_is_not_said(run, sd_folder):
    def generate(*options):
        return run("generate", "--model", sd_folder, *options)

    made = ("a (red:1.3) fox", "-n", "a cat", "--seed", "3", "--scheduler", "Euler a")
    read = ("--steps", "2", "--dialect", "comfyui", "--clip-skip", "2")
    assert generate(*made, *read, "-o", "one.png")[0] == 0

    code, _, err = generate("--from", "one.png", "-o", "two.png")
    assert (code, Path("two.png").read_bytes()) == (0, Path("one.png").read_bytes()), err
    for options, change in {
        ("--seed", "4"): {"seed": 4},
        ("a dog", "-n", ""): {"prompt": "a dog", "negative": ""},
        ("--guidance", "2", "--steps", "3"): {"guidance": 2.0, "steps": 3},
        ("--scheduler", "Euler", "--clip-skip", "1"): {"sampler": "Euler", "clip_skip": 1},
        ("--scheduler", "UniPC Karras"): {"sampler": "UniPC", "schedule_type": "Karras"},
    }.items():
        assert generate(*options, "--from", "one.png", "-o", "two.png", "--force")[0] == 0
        made, expected = (read_parameters(f"{name}.png") for name in ("two", "one"))
        others = (made.others, expected.others)  # but for the spacing of another scheduler
        spaceless = [{k: v for k, v in each.items() if k != SPACING} for each in others]
        assert spaceless[0] == spaceless[1], options
        assert replace(made, others={}) == replace(expected, **change, others={}), options
    code, _, err = generate("--from", "one.png", "-o", "two.png", "--force", "--dialect", "a1111")
    assert "not as the picture was made" not in err
    assert read_parameters("two.png").others["Dialect"] == "a1111"

    karras = "a fox\nSteps: 2, Sampler: DPM++ 2M Karras, CFG scale: 7, Emphasis: No norm, RNG: CPU"
    Path("karras.txt").write_text(karras)
    code, _, err = generate("--from", "karras.txt", "--scheduler", "Euler", "-o", "euler.png")
    assert code == 0
    assert "does not say the seed; 0 is used" in err
    assert "not as the picture was made" not in err
    made = read_parameters("euler.png")
    assert (made.sampler, made.schedule_type, made.clip_skip) == ("Euler", None, 1)
    assert made.others["Weighting"] == "scale"

    Path("posted.txt").write_text(
        "a fox\nSteps: 2, Sampler: DPM fast, CFG scale: 7, Seed: 1, Hires upscale: 2"
    )
    code, _, err = generate("--from", "posted.txt", "-o", "three.png")
    assert code == 0
    assert err.count("not as the picture was made: ") == 3
    for words in ("'DPM fast'", "Noise:", "Hires upscale: 2"):
        assert words in err
    for options, why in {
        ("--from", "none.png"): "there is no picture 'none.png'",
        ("--from", "one.png", "--prompts", "posted.txt"): "give --from or --prompts, not both",
        ("--from", "empty.txt"): "does not say how it was made",
    }.items():
        Path("empty.txt").write_text("")
        code, _, err = generate(*options, "-o", "four.png")
        assert code in {1, 2}
        assert why in err
