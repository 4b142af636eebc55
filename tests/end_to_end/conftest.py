"""Fixtures: the command line in this process, on a tiny saved model."""

from typing import NamedTuple

import pytest
import torch
from safetensors.torch import save_file

from clipcond.cli.entry import main
from tests.checkpoints.made_files import clip, unet, wrapped
from tests.checkpoints.test_single_file import SD1, SD3
from tests.pipelines.conftest import sd_folder

__all__ = ["sd_folder"]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capfd, monkeypatch, tmp_path):
    """Run the command line as a shell would, in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # messages in English

    def run(*argv: str) -> Outcome:
        code = main([str(argument) for argument in argv])
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture
def generate(run, sd_folder):
    """`clipcond generate --force` with a tiny model and two steps."""

    def generate(prompt: str, *options: str, steps: int = 2) -> Outcome:
        always = ("--model", sd_folder, "--steps", steps, "--force")
        return run("generate", *always, *options, "--", prompt)

    return generate


@pytest.fixture
def inspect(run, sd_folder):
    """`clipcond inspect` with a tiny tower."""

    def inspect(prompt: str, *options: str) -> Outcome:
        return run("inspect", "--tower", sd_folder, *options, "--", prompt)

    return inspect


@pytest.fixture(scope="module")
def first():
    return clip()


@pytest.fixture(scope="module")
def second():
    return clip(128, 3, "gelu", projection=96, seed=6)


@pytest.fixture
def sd3(first, second, tmp_path):
    path = tmp_path / "sd3.safetensors"
    towers = {
        **wrapped(first, f"{SD3}clip_l.transformer."),
        **wrapped(second, f"{SD3}clip_g.transformer.", torch.float32),
    }
    save_file({**towers, f"{SD3}t5xxl.transformer.shared.weight": torch.zeros(2, 2)}, path)
    return path


@pytest.fixture
def sd1(first, tmp_path):
    path = tmp_path / "sd1.safetensors"
    save_file({**unet(768), **wrapped(first, SD1)}, path)
    return path
