"""The prompt that the design promises is drawn as written, from Python and the command line."""

import warnings

import pytest
import torch
from PIL import Image

from clipcond import build_pipeline
from clipcond.cli.entry import main
from tests.own_model import SIZE

PROMPT = "a [red:(blue:1.2):0.4] fox AND snow :0.7"


@pytest.fixture(scope="module")
def pipe():
    return build_pipeline(clip_skip=2)


def draw(pipe, prompt, **call):
    generator = torch.Generator().manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"'embedded' knows \d+ words; it cannot read 'snow'")
        return pipe(prompt, generator=generator, num_inference_steps=4, **call).images[0]


def test_in_python(pipe):
    image = draw(pipe, PROMPT, negative_prompt="[grey|black]")

    assert image.size == SIZE
    assert image.tobytes() != draw(pipe, "a (blue:1.2) fox").tobytes()


def test_on_the_command_line(pipe, tmp_path, capsys):
    target = tmp_path / "fox.png"
    code = main(["generate", PROMPT, "--steps", "4", "--seed", "0", "-o", str(target)])
    printed = capsys.readouterr()

    assert code == 0
    assert "is encoded" not in printed.err + printed.out
    with Image.open(target) as image:
        assert image.text["parameters"].startswith(PROMPT)
