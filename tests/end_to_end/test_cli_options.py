"""Options of generate and inspect: what they change, and advice to those who guess their names."""

import inspect as signatures
import json
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from clipcond.pipelines import build_pipeline


def settings(path: str = "out.png") -> dict[str, str]:
    with Image.open(path) as image:
        line = image.text["parameters"].splitlines()[-1]
    return dict(pair.split(": ", 1) for pair in line.split(", "))


def test_the_embedded_model_draws_as_build_pipeline_does(run):
    assert run("generate", "a red apple", "--steps", "2", "--seed", "3").code == 0
    pipe = build_pipeline()
    guidance = signatures.signature(type(pipe).__call__).parameters["guidance_scale"].default
    written = settings()
    assert written["CFG scale"] == f"{guidance:g}"
    assert written["Clip skip"] == str(pipe.conditioner.clip_skip)

    generator = torch.Generator().manual_seed(3)
    image = pipe("a red apple", num_inference_steps=2, generator=generator).images[0]
    with Image.open("out.png") as drawn:
        assert drawn.tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("options", "written"),
    [
        (["--scheduler", "Euler a"], {"Sampler": "Euler a"}),
        (["--scheduler", "dpmpp_2m_karras"], {"Sampler": "DPM++ 2M", "Schedule type": "Karras"}),
        (["--weighting", "none"], {"Weighting": "none"}),
        (["--normalize", "mean"], {"Normalize": "mean"}),
        (["--dtype", "bfloat16", "--device", "cpu"], {}),
        (["--clip-skip", "2"], {"Clip skip": "2"}),
        (["--guidance", "2"], {"CFG scale": "2"}),
    ],
)
def test_options_act_and_are_written(generate, options, written):
    pictures = []
    for each in ([], options):
        assert generate("a (red:1.6) [cat]", *each).code == 0
        with Image.open("out.png") as image:
            pictures.append(image.tobytes())

    assert pictures[0] != pictures[1]
    assert written.items() <= settings().items()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--scheduler", "eulr"], 2, "no scheduler 'eulr'. Did you mean 'euler'?"),
        (["--weighting", "lrep"], 2, "Did you mean 'lerp'?"),
        (["--normalize", "maen"], 2, "Did you mean 'mean'?"),
        (["--dtype", "float61"], 2, "no dtype 'float61'. Did you mean 'float16'?"),
        (["--device", "gpu"], 2, "no device 'gpu'."),
        (["--tower", "embedded_zh"], 1, "Did you mean 'embedded-zh'?"),
    ],
)
def test_near_misses(generate, options, code, message):
    outcome = generate("a cat", *options)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--cfg", "--guidance"),
        ("--cfg-scale", "--guidance"),
        ("--CFG_scale=7", "--guidance"),
        ("--guidance-scale", "--guidance"),
        ("--sampler", "--scheduler"),
        ("--negative-prompt", "--negative"),
        ("--negative_prompt", "--negative"),
        ("--width", "--size WIDTHxHEIGHT"),
        ("-W", "--size WIDTHxHEIGHT"),
        ("--num-inference-steps", "--steps"),
        ("--batch-count", "--count"),
        ("--ckpt", "--model"),
        ("--outdir", "--output"),
        ("--overwrite", "--force"),
        ("--clipskip", "--clip-skip"),
        ("--precision", "--dtype"),
        ("--stpes", "--steps"),
    ],
)
def test_names_of_other_tools(run, typed, meant):
    outcome = run("generate", "a", typed, "7")

    assert outcome[:2] == (2, "")
    name = typed.split("=")[0]
    assert outcome.err == f"clipcond: No such option: {name}\nDid you mean {meant}?\n"


def test_the_batch_size_of_other_tools(run):
    assert run("generate", "a", "--batch-size", "7") == (
        *(2, ""),
        "clipcond: --batch-size goes with --prompts FILE -o FOLDER; "
        "--count N draws several pictures\n",
    )


def test_prompts_without_quotes(run):
    for command in (["generate"], ["inspect"], ["convert", "--to", "compel"]):
        assert run(*command, "a", "red", "fox") == (
            *(2, ""),
            'clipcond: a prompt is one argument; put it in quotes: "a red fox"\n',
        )
    assert run("generate")[::2] == (
        2,
        'clipcond: a prompt is missing: clipcond generate "a red fox"\n',
    )


def test_a_random_seed_is_printed_and_written(generate):
    seeds = set()
    for _ in range(3):
        outcome = generate("a cat", "--seed", "-1", steps=1)
        seed = outcome.err.splitlines()[0].removeprefix("clipcond: seed ")
        assert settings()["Seed"] == seed
        seeds.add(int(seed))

    assert len(seeds) > 1
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_picture_is_not_replaced_in_silence(run, sd_folder, tmp_path):
    argv = ["generate", "a cat", "--model", sd_folder, "--steps", "1"]
    (tmp_path / "out.png").write_bytes(b"mine")

    assert run(*argv) == (
        *(1, ""),
        "clipcond: 'out.png' exists already\nSay --force to replace it, or -o for another name.\n",
    )
    assert (tmp_path / "out.png").read_bytes() == b"mine"
    assert run(*argv, "--count", "2").code == 0
    assert run(*argv, "--count", "2").err.startswith(
        "clipcond: 'out-1.png' exists already, and 1 more\n"
    )
    assert run(*argv, "--force")[:2] == (0, "out.png\n")


def test_what_is_lost_is_said_once_for_all_pictures(generate):
    err = generate("a (red cat", "--count", "3", steps=1).err

    assert err.count("is never closed") == 1
    assert err.count("warning") == 1


def test_sizes_beyond_twice_the_models(generate):
    said = "this model was made for 16x16; pictures more than twice that"

    assert said in generate("a", "--size", "40x16", steps=1).err
    assert said in generate("a", "--size", "16x64", "--count", "2", steps=1).err
    assert said not in generate("a", "--size", "32x32", steps=1).err


def test_chinese_under_an_english_tower_names_the_other(run, generate):
    assert "--tower embedded-zh" in generate("一只猫", steps=1).err
    assert "--tower embedded-zh" not in generate("🐱", steps=1).err


def test_json(generate):
    made = json.loads(generate("a cat", "--json").out)

    assert (made["path"], made["seed"], made["prompt"]) == ("out.png", 0, "a cat")


def test_messages_in_chinese(run, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")

    assert run("generate", "a", "red", "fox").err == (
        'clipcond: 提示词是一个参数，请加引号："a red fox"\n'
    )
    assert run("convert", "a", "--to", "comfy").err.startswith(
        "clipcond: 没有名为 'comfy' 的 syntax"
    )


def test_pickles_are_read_where_they_are_allowed(run, sd_folder, tmp_path):
    model, file = tmp_path / "model", tmp_path / "model/text_encoder/model.safetensors"
    shutil.copytree(sd_folder, model)
    torch.save(load_file(file), file.with_name("pytorch_model.bin"))
    file.unlink()
    torch.save({"emb_params": torch.ones(1, 32)}, tmp_path / "zug.pt")
    commands = {
        "generate": ["generate", "a zug", "--model", model, "--steps", "1"],
        "inspect": ["inspect", "a zug", "--tower", model],
        "inspect a model": ["inspect", "a zug", "--model", model],
    }
    for name, command in commands.items():
        refused = run(*command, "--inversion", tmp_path / "zug.pt")
        assert refused.code == 1, name
        assert "--allow-pickle" in refused.err, name
        outcome = run(*command, "--inversion", tmp_path / "zug.pt", "--allow-pickle")
        assert outcome.code == 0, (name, outcome.err)


def test_an_autoencoder_from_elsewhere(run, sd_folder, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(sd_folder, model)
    shutil.move(model / "vae", tmp_path / "vae")
    draw = ["generate", "a cat", "--steps", "1", "--model"]

    assert "--vae" in run(*draw, model).err
    assert run(*draw, model, "--vae", tmp_path / "vae", "-o", "with.png").code == 0
    assert run(*draw, sd_folder, "-o", "own.png").code == 0
    with Image.open("with.png") as one, Image.open("own.png") as other:
        assert one.tobytes() == other.tobytes()
