"""`clipcond align` and `clipcond tune-tower` hand every option on to training."""

from pathlib import Path

import pytest

from clipcond import training
from clipcond.cli import main
from clipcond.training import AlignSettings, LoopSettings, TuneSettings

LOOP = ["--seed", "3", "--device", "cpu", "--precision", "bf16", "--save-every", "9"]
LOOP += ["--tensorboard", "logs", "--run", "run", "--keep", "--overwrite", "--max-bad", "4"]
PAIRS = ["--tower", "T", "--pairs", "pairs.tsv", "-o", "out"]


@pytest.fixture
def calls(monkeypatch):
    """Record what training's functions are called with instead of training."""
    calls = {}

    class Record:
        losses = {"text": 0.25}  # noqa: RUF012

    def record(name, result):
        def call(*args, **kwargs):
            calls[name] = (args, kwargs)
            return result

        monkeypatch.setattr(training, name, call)

    record("read_pairs", "the pairs")
    record("read_captions", "the captions")
    record("align", Record)
    record("tune_tower", {"recall": 0.5})
    return calls


def test_align(calls, capsys):
    options = ["--teacher", "P", "--adapter", "linear", "--hidden", "64", "--layers", "3"]
    options += ["--clip-skip", "1", "--clip-skip", "3", "--teacher-clip-skip", "2"]
    options += ["--dialect", "compel", "--text-steps", "5", "--unet-steps", "6"]
    options += ["--text-batch", "7", "--unet-batch", "8", "--text-lr", "0.1", "--unet-lr", "0.2"]
    options += ["--guidance", "2", "--gradient-checkpointing", "--cache", "1", "--max-chunks", "2"]
    options += ["--start-from", "old.safetensors", "--teacher-column", "a", "--tower-column", "b"]
    options += ["--image-column", "c"]

    assert main(["align", *PAIRS, *LOOP, *options]) == 0
    assert capsys.readouterr().out == "out\ntext 0.2500\n"
    (path, columns), more = calls["read_pairs"]
    assert (str(path), more) == ("pairs.tsv", {"max_bad": 4})
    assert columns == training.Columns("a", "b", "c")
    args, choices = calls["align"]
    assert [str(arg) for arg in args] == ["P", "T", "the pairs", "out"]
    assert choices["settings"] == AlignSettings(
        adapter="linear",
        hidden=64,
        layers=3,
        clip_skips=(1, 3),
        teacher_clip_skips=(2,),
        dialect="compel",
        text_steps=5,
        unet_steps=6,
        text_batch=7,
        unet_batch=8,
        text_lr=0.1,
        unet_lr=0.2,
        guidance=2.0,
        max_chunks=2,
        cache_gb=1.0,
        gradient_checkpointing=True,
    )
    assert choices["loop"] == LoopSettings(3, "cpu", "bf16", 9.0, Path("logs"))
    assert (str(choices["run"]), str(choices["start_from"])) == ("run", "old.safetensors")
    assert choices["keep"] is choices["overwrite"] is True


def test_align_by_default_is_the_library_by_default(calls):
    assert main(["align", *PAIRS]) == 0
    _, choices = calls["align"]

    assert choices["settings"] == AlignSettings()
    assert choices["loop"] == LoopSettings()
    assert (choices["run"], choices["start_from"]) == (None, None)
    assert choices["keep"] is choices["overwrite"] is False


def test_tune_tower(calls, capsys):
    options = ["--vision", "V", "--steps", "5", "--batch", "6", "--lr", "0.1"]
    options += ["--temperature", "0.2", "--image-column", "a", "--text-column", "b"]

    assert main(["tune-tower", *PAIRS, *LOOP, *options]) == 0
    assert capsys.readouterr().out == "out\nrecall 0.5000\n"
    assert calls["read_captions"][1] == {"image_column": "a", "text_column": "b", "max_bad": 4}
    args, choices = calls["tune_tower"]
    assert [str(arg) for arg in args] == ["T", "V", "the captions", "out"]
    assert choices["settings"] == TuneSettings(steps=5, batch=6, lr=0.1, temperature=0.2)
    assert choices["loop"] == LoopSettings(3, "cpu", "bf16", 9.0, Path("logs"))
    assert str(choices["run"]) == "run"
    assert choices["keep"] is choices["overwrite"] is True


def test_tune_tower_by_default_is_the_library_by_default(calls):
    assert main(["tune-tower", *PAIRS, "--vision", "V"]) == 0

    assert calls["tune_tower"][1]["settings"] == TuneSettings()
    assert calls["tune_tower"][1]["loop"] == LoopSettings()
