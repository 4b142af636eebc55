"""Help shows what it means to, and wrong use is said before anything is loaded."""

import re

import pytest

from clipcond.cli.entry import EXAMPLES, main
from clipcond.cli.pictures import draw
from clipcond.progress import Progress


@pytest.mark.parametrize("command", EXAMPLES, ids=lambda command: command.__name__)
def test_help_shows_its_examples_whole(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "200")

    assert main([command.__name__.replace("_", "-"), "--help"]) == 0
    shown = capsys.readouterr().out
    for line in filter(None, map(str.strip, EXAMPLES[command].split("\n"))):
        assert line in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "a", "-o", ""], "a file name is missing, such as out.png"),
        (["generate", "a", "--model", ""], "a name is missing"),
        (["inspect", "a", "--tower", " "], "a name is missing"),
        (["inspect", "a", "--dialect", "comfyiu"], "Did you mean 'comfyui'?"),
        (["inspect", "a", "--tower", "no/such", "--dialect", "foo"], "no dialect 'foo'"),
        (["generate", "a", "--model", "no/such", "--dialect", "foo"], "no dialect 'foo'"),
        (["generate", "a", "--model", "no/such", "--scheduler", "foo"], "'foo'"),
        (["convert", "a", "--to", "foo"], "no syntax 'foo'"),
        (["generate", "a", "--lora", "x"], "In Python: pipe.load_lora_weights(file)."),
        (["generate", "a", "--lora_weights=x"], "In Python: pipe.load_lora_weights(file)."),
        (["generate", "a", "--lora-scale", "1"], "In Python: pipe.set_adapters(name, 0.8)."),
        (["convert", "a", "--from", "foo", "--to", "a1111"], "no syntax 'foo'"),
    ],
)
def test_wrong_use_is_said_first(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code = main(arguments)

    assert (code, message in capsys.readouterr().err) == (2, True)


def test_steps_are_counted_as_asked_for(capsys):
    """Heun's sampler calls back at 2n - 1 timesteps of n steps."""

    class Pipe:
        num_timesteps = 0

        def __call__(self, callback_on_step_end, **_):
            for i in range(self.num_timesteps):
                callback_on_step_end(self, i, 0, {})
            return type("Output", (), {"images": ["picture"], "nsfw_content_detected": None})

    pipe = Pipe()
    for steps, pipe.num_timesteps in ((2, 3), (5, 9), (4, 4), (20, 39), (1, 1), (6, 5)):
        bar = Progress("step", steps, n_lines=steps)
        draw(pipe, [0], bar, {"num_inference_steps": steps})
        counted = [int(n) for n in re.findall(r"step (\d+) of", capsys.readouterr().err)]
        assert counted == sorted({*counted})
        assert counted[-1] == steps
