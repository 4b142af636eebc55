"""`clipcond generate --from`: what other tools' pictures say of how prompts are read."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from clipcond.cli import main
from clipcond.metadata import read_parameters
from tests.pipelines.models import tiny_sdxl

TEXT = "{}\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: {}, RNG: CPU, {}"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def drawn(settings, *options, prompt="a (cat:1.3)", size="64x64"):
    """Draw as a posted text says; return the picture and what its file says."""
    Path("posted.txt").write_text(TEXT.format(prompt, size, settings))
    assert main(["generate", "--from", "posted.txt", "-o", "out.png", "--force", *options]) == 0
    with Image.open("out.png") as image:
        return image.tobytes(), read_parameters("out.png")


def test_emphasis_none_is_brackets_as_text(capsys):
    escaped, _ = drawn("Emphasis: Original", prompt=r"a \(cat:1.3\)")
    weighted, _ = drawn("Emphasis: Original")
    ignored, _ = drawn("Emphasis: Ignore")
    literal, said = drawn("Emphasis: None")

    assert literal == escaped
    assert len({literal, weighted, ignored}) == 3
    assert (said.others["Emphasis"], said.others["Dialect"]) == ("None", "a1111")
    assert "not as the picture was made" not in capsys.readouterr().err


def test_a_picture_with_literal_brackets_is_drawn_again_to_the_bit():
    literal, _ = drawn("Emphasis: None")
    assert main(["generate", "--from", "out.png", "-o", "again.png"]) == 0
    with Image.open("again.png") as image:
        assert image.tobytes() == literal


def test_clip_skip_of_a1111_with_several_towers(capsys):
    tiny_sdxl().save_pretrained("pair")
    pictures = {}
    for skip in (1, 2, 3):
        pictures[skip], _ = drawn(f"Clip skip: {skip}", "--model", "pair", size="16x16")
        assert ("Clip skip" in capsys.readouterr().err) == (skip == 3)
    own, _ = drawn("Clip skip: 2", "--model", "pair", "--clip-skip", "3", size="16x16")

    assert pictures[1] == pictures[2] == pictures[3] != own
    options = ("--matrix", "dialect=a1111,plain", "--save-all")
    code = main(["generate", "--from", "posted.txt", "--model", "pair", *options, "-o", "m.png"])
    assert code == 0


def test_an_inversion_of_another_file_is_said(capsys):
    file, options = Path("bar.safetensors"), ("--inversion", "bar.safetensors", "--force")
    save_file({"<bar>": torch.full((2, 128), 0.1)}, file)
    assert main(["generate", "a bar cat", "--steps", "2", "-o", "own.png", *options]) == 0
    for value, is_said in ((0.1, False), (2.0, True)):
        save_file({"<bar>": torch.full((2, 128), value)}, file)
        capsys.readouterr()
        assert main(["generate", "--from", "own.png", "-o", "again.png", *options]) == 0
        said = capsys.readouterr().err
        assert ("The embedding bar is another file here" in said) == is_said


def test_what_the_file_leaves_out_is_said_unless_an_option_says_it(capsys):
    Path("posted.txt").write_text(
        "a cat\nSteps: 1, Seed: 1, Size: 64x64, RNG: CPU, Model: embedded"
    )
    draw = ["generate", "--from", "posted.txt", "-o", "out.png", "--force"]
    lines = {
        "--scheduler": "No sampler is given: the pipeline's DDIM is used",
        "--guidance": "No CFG scale is given: the pipeline's own is used",
    }
    for given in ({}, {"--scheduler": "Euler"}, {"--scheduler": "Euler", "--guidance": "2"}):
        assert main([*draw, *(each for pair in given.items() for each in pair)]) == 0
        said = capsys.readouterr().err
        for option, line in lines.items():
            assert (f"not as the picture was made: {line}" in said) == (option not in given)
