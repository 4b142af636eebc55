"""Matrices on the command line: each cell is the picture that is drawn alone."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipcond.cli import matrix_drawing, pictures
from clipcond.metadata import read_parameters
from clipcond.pipelines import build_pipeline
from clipcond.towers import OpenAIClipTower


def pixels(path):
    with Image.open(path) as image:
        return image.tobytes(), image.text["parameters"]


def made(outcome):
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


@pytest.fixture
def counted(monkeypatch):
    """How many models are opened, pictures drawn at a time, chunks encoded."""
    counts = {"opened": 0, "drawn": [], "encoded": 0}
    opened, draw, encode = matrix_drawing.open_artist, pictures.draw, OpenAIClipTower.encode

    def opening(*arguments):
        counts["opened"] += 1
        return opened(*arguments)

    def drawing(pipe, seeds, *rest):
        counts["drawn"].append(len(seeds))
        return draw(pipe, seeds, *rest)

    def encoding(tower, input_ids, *rest, **more):
        counts["encoded"] += len(input_ids)
        return encode(tower, input_ids, *rest, **more)

    monkeypatch.setattr(matrix_drawing, "open_artist", opening)
    monkeypatch.setattr(pictures, "draw", drawing)
    monkeypatch.setattr(OpenAIClipTower, "encode", encoding)
    return counts


def test_every_cell_is_the_picture_drawn_alone(generate, counted):
    prompt = "a (red:1.4) fox, [fox] and fox"
    axes = ("--matrix", "clip-skip=1,2", "--matrix", "dialect=a1111,comfyui",
            "--matrix", "scheduler=Euler a,DDIM")  # fmt: skip
    sheets = made(generate(prompt, *axes, "--save-all", "--json", "-o", "m.png"))
    assert [each["path"] for each in sheets] == ["m-1.png", "m-2.png"]
    assert counted["opened"] == 1
    assert counted["encoded"] == 6  # two readings of the prompt and one of "", at two layers
    cells = [cell for sheet in sheets for cell in sheet["pictures"]]
    assert [cell["path"] for cell in cells[:3]] == ["m-1-1-1.png", "m-1-1-2.png", "m-1-2-1.png"]
    assert len({pixels(cell["path"])[0] for cell in cells}) == 8
    for cell in cells[2::5]:
        options = [word for name, value in cell["axes"].items() for word in (f"--{name}", value)]
        assert generate(prompt, *options, "-o", "alone.png").code == 0
        assert pixels("alone.png") == pixels(cell["path"]), cell["axes"]


def test_settings_of_pictures_are_drawn_in_batches(generate, counted):
    axes = (
        "--matrix",
        "steps=1,2",
        "--matrix",
        'prompt:fox=fox,"owl, red"',
        "--matrix",
        "seed=3,4",
    )
    sheets = made(generate("a fox", *axes, "--json"))
    assert counted["drawn"] == [4, 4]
    assert [(c["prompt"], c["steps"], c["seed"]) for c in sheets[1]["pictures"]] == [
        ("a fox", 1, 4), ("a fox", 2, 4), ("a owl, red", 1, 4), ("a owl, red", 2, 4),
    ]  # fmt: skip
    assert sheets[0]["axes"] == {
        "steps": ["1", "2"], "prompt:fox": ["fox", "owl, red"], "seed": ["3", "4"],
    }  # fmt: skip
    assert "path" not in sheets[0]["pictures"][0]
    read = read_parameters("out-2.png")
    assert (read.prompt, read.steps, read.seed) == ("a fox", 1, 4)
    named = {name: value for name, value in read.others.items() if name[:2] in ("X ", "Y ", "Z ")}
    assert named == {
        "X Type": "steps", "X Values": "1,2",
        "Y Type": "prompt:fox", "Y Values": 'fox,"owl, red"',
        "Z Type": "seed", "Z Values": "3,4",
    }  # fmt: skip
    assert sorted(path.name for path in Path().glob("*.png")) == ["out-1.png", "out-2.png"]


def test_equal_cells_are_drawn_once(generate, counted):
    outcome = generate("a cat", "--matrix", "prompt:dog=x", "--matrix", "seed=1", steps=1)
    assert "the prompt does not have the text 'dog'" in outcome.err
    axes = ("--matrix", "prompt:cat=cat,cat,dog", "--matrix", "negative:x=x,")
    assert generate("a cat", "-n", "x", *axes, "--seed", "5", steps=1).code == 0
    assert counted["drawn"] == [4]


def test_whole_prompts_styles_and_templates(generate):
    Path("styles.csv").write_text("name,prompt\nphoto,photo of {prompt}\n", encoding="utf-8")
    axes = ("--matrix", "prompt=a {red|blue} fox,an owl", "--matrix", "style=,photo")
    options = ("--styles", "styles.csv", "--wildcards", ".", "--json", "--seed", "2")
    (sheet,) = made(generate("", *axes, *options, steps=1))
    texts = [cell["prompt"] for cell in sheet["pictures"]]
    assert texts[0] in ("a red fox", "a blue fox")
    assert texts[1:] == ["an owl", f"photo of {texts[0]}", "photo of an owl"]
    assert sheet["pictures"][0]["template"] == "a {red|blue} fox"
    axes = ("--matrix", "prompt:big=the,no", "--matrix", "prompt=a big cat,big dog")
    (sheet,) = made(generate("", *axes, "--json", steps=1))
    assert [cell["prompt"] for cell in sheet["pictures"]] == [
        "a the cat", "a no cat", "the dog", "no dog",
    ]  # fmt: skip


def test_a_random_seed_is_one_for_all_cells_of_its_value(generate):
    axes = ("--matrix", "seed=-1,-1,5", "--matrix", "guidance=1,2")
    (sheet,) = made(generate("a cat", *axes, "--json", steps=1))
    seeds = [cell["seed"] for cell in sheet["pictures"]]
    assert seeds[:3] == seeds[3:]
    assert len({*seeds}) == 3
    assert sheet["axes"]["seed"] == [str(seed) for seed in seeds[:3]]
    outcome = generate("a cat", "--matrix", "guidance=1,2", "--seed", "-1", "--json", steps=1)
    ((first, second),) = [sheet["pictures"] for sheet in made(outcome)]
    assert first["seed"] == second["seed"]
    assert f"seed {first['seed']}\n" in outcome.err


def test_switches_are_axes(generate):
    axes = ("--matrix", "fullwidth=true,false", "--matrix", "extra-networks=yes,no")
    (sheet,) = made(generate("（猫：1.3） # x", *axes, "--json", "--save-all", steps=1))
    cells = {tuple(cell["axes"].values()): pixels(cell["path"]) for cell in sheet["pictures"]}
    assert len({bits for bits, _ in cells.values()}) == 4
    assert "Full-width: True, Extra networks: False" in cells["no", "true"][1]
    assert "Extra networks" not in cells["yes", "true"][1]


def test_models_are_loaded_once_each(generate, sd_folder, counted):
    axes = ("--matrix", f"tower=,{sd_folder}", "--matrix", "seed=1,2")
    (sheet,) = made(generate("a cat", *axes, "--json", steps=1))
    assert counted["opened"] == 2
    assert [cell["axes"] for cell in sheet["pictures"]][:2] == [
        {"seed": "1", "tower": ""}, {"seed": "1", "tower": str(sd_folder)},
    ]  # fmt: skip


def test_wrong_use_is_said_before_anything_is_drawn(generate, counted):
    cases = {
        ("--matrix", "stpes=1"): (2, "'stpes' is no axis. Did you mean 'steps'?"),
        ("--matrix", "steps=1,x"): (2, "  steps=1,x\n          ^"),
        ("--matrix", "dialect=a1111,comfy"): (2, "no dialect 'comfy'"),
        ("--matrix", "weighting=scael"): (2, "Did you mean 'scale'?"),
        ("--matrix", "style=x"): (2, "a style needs --styles FILE"),
        ("--matrix", "tower=nowhere"): (2, "there is no file or folder 'nowhere'"),
        ("--matrix", "seed=1", "--count", "2"): (2, "--matrix and --count do not go together"),
        ("--matrix", "seed=1", "--combinations"): (2, "--matrix and --combinations do not go"),
        ("--matrix", f"prompt=a,{'b' * 20_000}", "-o", "x.jpg"): (1, "a JPEG file holds 32,500"),
        ("--matrix", "seed=1", "--heat-map"): (2, "--matrix and --heat-map do not go together"),
        ("--save-all",): (2, "--save-all goes with --matrix"),
        ("--matrix", "size=16x16,17x17"): (2, "  size=16x16,17x17\n             ^"),
        ("--matrix", "clip-skip=1,99"): (2, "  clip-skip=1,99\n              ^"),
        ("--matrix", "steps=1,9999"): (2, "this model has 999 steps at most\n  steps=1,9999"),
    }
    failures = [
        (options, outcome)
        for options, (code, said) in cases.items()
        for outcome in [generate("a cat", *options)]
        if (outcome.code, outcome.out) != (code, "") or said not in outcome.err
    ]
    assert not failures
    assert counted["drawn"] == []


def test_the_user_s_files_are_kept(run, sd_folder):
    Path("out-1-2.png").write_bytes(b"mine")
    options = ("--model", sd_folder, "--steps", "1", "--matrix", "seed=1,2")
    outcome = run("generate", "a cat", *options, "--save-all")
    assert (outcome.code, outcome.out) == (1, "")
    assert "'out-1-2.png' exists already" in outcome.err
    assert run("generate", "a cat", *options).code == 0
    assert Path("out-1-2.png").read_bytes() == b"mine"


def test_the_pipeline_reads_as_asked_after_another_reading(sd_folder, tmp_path):
    """What a matrix does between its cells leaves nothing of the reading before."""
    from clipcond.cli.opening import open_artist, read_otherwise

    choices = dict.fromkeys(
        ("clip_skip", "weighting", "normalize", "fullwidth", "extra_networks", "tower")
    )
    choices |= {"dialect": "a1111", "allow_pickle": False, "allow_unaligned": False}
    artist = open_artist(str(sd_folder), None, (), choices)
    other = {**choices, "dialect": "compel", "clip_skip": 2, "weighting": "scale"}
    read_otherwise(artist, other)
    assert artist.built_with["Weighting"] == "scale"
    fresh = build_pipeline(sd_folder, dialect="compel", clip_skip=2, weighting="scale")
    prompt = "a (red)1.4 cat"
    assert (artist.pipe.conditioner(prompt).embeds == fresh.conditioner(prompt).embeds).all()
    read_otherwise(artist, choices)
    assert artist.built_with["Weighting"] is None
    fresh, prompt = build_pipeline(sd_folder), "a (red:1.4) [cat]"
    assert (artist.pipe.conditioner(prompt).embeds == fresh.conditioner(prompt).embeds).all()
