"""Choices that make no sense are refused before anything is opened, and tensorboard is optional."""

import math
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from clipcond.errors import ArgumentError, TowerError, TrainingError
from clipcond.training import (
    AlignSettings,
    LoopSettings,
    TuneSettings,
    align,
    align_images,
    read_pairs,
    tune_tower,
)
from tests.failures import failures_of
from tests.training.made import QUIET, settings, teacher, tower_zh, write

pytestmark = pytest.mark.usefixtures("measure_little")


def test_settings_of_another_class(tmp_path):
    def check(case):
        train, name, value, kind, example, fields = case
        with pytest.raises(ArgumentError) as caught:
            train("a", "b", "c", tmp_path / "x.safetensors", **{name: value})
        message, remedy = str(caught.value).split("\n")
        assert message.startswith(f"{name} is of the class {kind}, not ")
        assert remedy.startswith(f"Write {name}={kind}({example}). It has ")
        assert all(each in remedy for each in fields.split())
        assert list(tmp_path.iterdir()) == []

    align_fields, tune_fields = "text_steps unet_lr clip_skips", "steps batch lr temperature"
    loop_fields = "seed device precision save_every"
    cases = [
        (align, "settings", {"text_steps": 5}, "AlignSettings", "text_steps=5", align_fields),
        (align, "settings", {"steps": 5}, "AlignSettings", "...", align_fields),
        (align, "settings", TuneSettings(), "AlignSettings", "...", align_fields),
        (align, "loop", {"seed": 1}, "LoopSettings", "seed=1", loop_fields),
        (align, "loop", {}, "LoopSettings", "...", loop_fields),
        (align_images, "settings", {"text_steps": 5}, "AlignSettings", "text_steps=5", "unet_lr"),
        (tune_tower, "settings", {"steps": 5, "lr": 1}, "TuneSettings", "steps=5, lr=1", "batch"),
        (tune_tower, "settings", AlignSettings(), "TuneSettings", "...", tune_fields),
        (tune_tower, "loop", "quiet", "LoopSettings", "...", loop_fields),
        (tune_tower, "loop", 0, "LoopSettings", "...", loop_fields),
    ]
    assert not failures_of(check, cases)
    with pytest.raises(ArgumentError, match="columns is of the class Columns, not a dict"):
        read_pairs(tmp_path / "pairs.tsv", {"teacher": "en"})
    for wrong in ("many", -1, 1.5):
        with pytest.raises(TrainingError, match="max_bad is "):
            read_pairs(tmp_path / "pairs.tsv", max_bad=wrong)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (AlignSettings, "text_lr"),
        (AlignSettings, "unet_lr"),
        (TuneSettings, "lr"),
        (TuneSettings, "temperature"),
    ],
)
def test_what_must_be_above_zero(kind, name, value):
    with pytest.raises(TrainingError) as caught:
        kind(**{name: value})
    assert str(caught.value) == f"{name} is a number above 0, not {value!r}"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (AlignSettings, "guidance"),
        (AlignSettings, "contrast"),
        (AlignSettings, "cache_gb"),
        (LoopSettings, "save_every"),
    ],
)
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_what_is_at_least_zero(kind, name, value):
    with pytest.raises(TrainingError) as caught:
        kind(**{name: value})
    assert str(caught.value) == f"{name} is at least 0, not {value!r}"


def test_a_layer_that_is_not_there(tmp_path):
    output, pairs = tmp_path / "a.safetensors", write(tmp_path)
    for chosen in ({"clip_skips": (5,)}, {"clip_skips": (1,), "teacher_clip_skips": (5,)}):
        with pytest.raises(TowerError) as caught:
            align(teacher(), tower_zh(), pairs, output, settings=settings(**chosen), loop=QUIET)
        name = "zh" if len(chosen) == 1 else "CLIPTextModel"
        assert str(caught.value) == (
            f"clip_skip=5 names no layer of {name!r}, which has 4\n"
            "Use a whole number from 1 (last layer) to 4 (first)."
        )


def test_without_a_bound_on_what_is_kept(tmp_path):
    chosen = settings(text_steps=1, unet_steps=0, cache_gb=math.inf)
    output = tmp_path / "a.safetensors"
    forever = replace(QUIET, save_every=math.inf)
    align(teacher(), tower_zh(), write(tmp_path), output, settings=chosen, loop=forever)

    assert output.is_file()


def test_tensorboard_that_is_not_there_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    logs = tmp_path / "logs"
    with pytest.raises(TrainingError) as caught:
        align("nowhere", "nothing", "none.tsv", tmp_path / "a.safetensors",
              loop=LoopSettings(tensorboard=str(logs)))  # fmt: skip

    assert str(caught.value) == (
        "logs for tensorboard are asked for, and it is not installed\n"
        "Install it with: pip install tensorboard, or leave out tensorboard=."
    )
    assert not logs.exists()


@pytest.mark.parametrize("reads", [0.0, 0.25])
def test_tensorboard_gets_the_losses_of_every_step(reads, tmp_path, monkeypatch):
    calls: list[tuple[str, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            calls.append((folder, -1))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            assert math.isfinite(value)
            calls.append((name, step))

        def close(self) -> None:
            calls.append(("close", -1))

    monkeypatch.setitem(
        sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer)
    )
    logs = str(tmp_path / "logs")
    chosen = settings(text_steps=2, unet_steps=1, reads=reads)
    loop = replace(QUIET, tensorboard=logs)
    pairs, output = write(tmp_path), tmp_path / "a.safetensors"
    align(teacher(), tower_zh(), pairs, output, settings=chosen, loop=loop)

    steps = [("read", 1), ("contrast", 1), ("read", 2), ("contrast", 2)]
    again = [("unet/read", 1)] if reads else []
    assert calls == [
        (logs, -1), *((f"text/{name}", step) for name, step in steps), ("close", -1),
        (logs, -1), ("unet/noise", 1), ("unet/features", 1), *again, ("close", -1),
    ]  # fmt: skip
    (tmp_path / "file").write_text("")
    loop = LoopSettings(tensorboard=str(tmp_path / "file"))
    with pytest.raises(TrainingError, match=r"logs cannot be written to '.*file': File exists"):
        align("nowhere", "nothing", "none.tsv", tmp_path / "b.safetensors", loop=loop)


def test_what_is_a_whole_number():
    counts = {
        AlignSettings: ("text_batch", "unet_batch", "max_chunks", "text_steps", "unet_steps"),
        TuneSettings: ("steps", "batch"),
        LoopSettings: ("seed",),
    }
    for kind, names in counts.items():
        for name in names:
            for value in (1.5, "3", None, True, math.nan):
                with pytest.raises(TrainingError) as caught:
                    kind(**{name: value})
                assert str(caught.value) == f"{name} is a whole number, not {value!r}"
            with pytest.raises(TrainingError, match=rf"^{name} is at least [012], not -1$"):
                kind(**{name: -1})
    assert LoopSettings(seed=2**64 - 1).seed == 2**64 - 1  # the largest that torch takes
    with pytest.raises(TrainingError, match=rf"^seed is at most {2**64 - 1}, not {2**64}$"):
        LoopSettings(seed=2**64)
    for name in ("text_batch", "unet_batch", "denoising_steps", "max_chunks"):
        with pytest.raises(TrainingError) as caught:
            AlignSettings(**{name: 10**12})
        assert str(caught.value) == f"{name} is at most 65536, not 1000000000000"
    for value in ("3", None, [1]):
        with pytest.raises(TrainingError, match=r"^text_lr is a number above 0, not"):
            AlignSettings(text_lr=value)


def test_clip_skips_are_tuples_of_layers():
    def check(value):
        for name in ("clip_skips", "teacher_clip_skips"):
            with pytest.raises(TrainingError) as caught:
                AlignSettings(**{name: value})
            assert f"{name} is " in caught.value.message
            assert repr(value) in caught.value.message or repr(value[0]) in caught.value.message

    assert not failures_of(check, [2, (), [], "12", (0,), (1.5, 2), ("1", 2), {1, 2}, True])
    with pytest.raises(TrainingError, match=r"For one layer write \(2,\)\."):
        AlignSettings(clip_skips=2)
    with pytest.raises(TrainingError, match="clip_skips is a tuple"):
        AlignSettings(clip_skips=None)
    assert AlignSettings(clip_skips=(2,)).clip_skips == (2,)


def test_nothing_trains_without_gradients(tmp_path):
    files = tmp_path / "pairs.jsonl", tmp_path / "x.safetensors"
    for off, name in (
        (torch.no_grad, "no_grad"),
        (torch.inference_mode, "inference_mode"),
        (partial(torch.set_grad_enabled, False), "no_grad"),
    ):
        with off():
            for train in (
                lambda: tune_tower("embedded", "embedded", *files),
                lambda: align(None, "embedded", *files),
            ):
                with pytest.raises(TrainingError, match=f"under torch.{name}.*: gradients are"):
                    train()
