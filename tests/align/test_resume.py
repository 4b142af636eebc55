"""A run that is killed and started again ends with the bits of one that was not."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipcond.adapters import load_adapter
from clipcond.errors import CheckpointError, TrainingError
from clipcond.pipelines.align import align
from tests.align.made import QUIET, lines, settings, teacher, tower_zh, write

ROOT = Path(__file__).parents[2]
EVERY_STEP = replace(QUIET, save_every=0.0)
# BREAK makes pairs of two groups; a bound of half a megabyte leaves states to encode when drawn
MIXED = [*lines(), "a red cat BREAK a dog\t红色的猫 BREAK 狗", "a (red:1.3) cat\t(红色:1.3)的猫"]
CHOICES = {"text_steps": 6, "unet_steps": 6, "cache_gb": 2e-4, "denoising_steps": 3}
CODE = """
import sys
from tests.align.test_resume import run
run(sys.argv[1], sys.argv[2])
"""


def run(folder: str, name: str) -> Path:
    """A whole run, or the rest of one; a checkpoint after each step."""
    output = Path(folder) / f"{name}.safetensors"
    pairs = Path(folder) / "pairs.tsv"
    align(teacher(), tower_zh(), pairs, output, settings=settings(**CHOICES), loop=EVERY_STEP)
    return output


def killed_in(stage: str, step: int, folder: Path, name: str) -> None:
    """Run in another process, which gets SIGKILL once `step` of a stage is in its checkpoint."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder), name], cwd=ROOT, env=environment
    )
    try:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and process.poll() is None:
            if reached(folder / f"{name}.run" / "checkpoint.pt") >= (stage, step):
                break
            time.sleep(0.01)
        assert process.poll() is None, "the run was over before it was killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def reached(checkpoint: Path) -> tuple[str, int]:
    """Stage and step of a checkpoint; ("", 0) if there is none yet."""
    if not checkpoint.is_file():
        return "", 0
    state = torch.load(checkpoint, weights_only=True)  # whole at any moment: it is replaced
    return state["stage"] or "", state["step"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write(folder, MIXED)
    return load_file(run(str(folder), "whole"))


@pytest.mark.parametrize(("stage", "step"), [("text", 3), ("unet", 2)])
def test_killed_and_resumed_gives_the_same_bits(tmp_path, whole, stage, step):
    write(tmp_path, MIXED)
    killed_in(stage, step, tmp_path, "killed")
    assert not (tmp_path / "killed.safetensors").exists()
    assert reached(tmp_path / "killed.run" / "checkpoint.pt") >= (stage, step)

    resumed = load_file(run(str(tmp_path), "killed"))

    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert not (tmp_path / "killed.run").exists()  # all done: nothing to take up


class Stop(Exception):
    """Ends a run from within."""


def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int = 3) -> Path:
    """A run that ended at a step of its text stage; its output's path."""
    from clipcond.pipelines.align.text_stage import TextObjective

    losses = TextObjective.losses

    def stops(self, model, rng, step):
        if step == at:
            raise Stop
        return losses(self, model, rng, step)

    with monkeypatch.context() as patch:
        patch.setattr(TextObjective, "losses", stops)
        with pytest.raises(Stop):
            run(str(tmp_path), "a")
    return tmp_path / "a.safetensors"


def test_other_arguments_are_refused(tmp_path, monkeypatch):
    pairs = write(tmp_path, MIXED)
    output = stopped(tmp_path, monkeypatch)
    others = settings(**{**CHOICES, "text_lr": 0.5, "clip_skips": (1,)})

    with pytest.raises(TrainingError) as caught:
        align(teacher(), tower_zh(), pairs, output, settings=others, loop=EVERY_STEP)
    assert str(caught.value) == (
        f"the run in {str(tmp_path / 'a.run')!r} was started with other arguments:\n"
        "  clip_skips: [1, 2] then, [1] now\n"
        "  text_lr: 0.001 then, 0.5 now\n"
        "Give the same to go on with it; to begin anew, delete that folder or name another "
        "with --run."
    )
    assert reached(tmp_path / "a.run" / "checkpoint.pt") == ("text", 3)


def test_other_pairs_are_refused(tmp_path, monkeypatch):
    write(tmp_path, MIXED)
    stopped(tmp_path, monkeypatch)
    write(tmp_path, MIXED[:-1])

    with pytest.raises(TrainingError, match=r"other arguments:\n  pairs: '[0-9a-f]{64}' then"):
        run(str(tmp_path), "a")


def test_a_broken_checkpoint_is_told(tmp_path, monkeypatch):
    write(tmp_path, MIXED)
    stopped(tmp_path, monkeypatch)
    path = tmp_path / "a.run" / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(
        TrainingError, match=r"checkpoint.pt' cannot be read: .*\nDelete its folder"
    ):
        run(str(tmp_path), "a")


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    from clipcond.pipelines.align.text_stage import TextObjective

    write(tmp_path, MIXED)
    losses = TextObjective.losses

    def breaks(self, model, rng, step):
        found = losses(self, model, rng, step)
        return {name: value * float("nan") for name, value in found.items()} if step == 4 else found

    monkeypatch.setattr(TextObjective, "losses", breaks)
    with pytest.raises(TrainingError) as caught:
        run(str(tmp_path), "a")
    assert str(caught.value) == (
        "stage 'text' diverged at step 5: the loss or its gradient is not finite (read nan, "
        "contrast nan); the checkpoint of step 4 of stage 'text' is kept in "
        f"{str(tmp_path / 'a.run')!r}\n"
        "Start anew with a lower learning rate, or with --precision no."
    )
    state = torch.load(tmp_path / "a.run" / "checkpoint.pt", weights_only=True)
    assert all(bool(tensor.isfinite().all()) for tensor in state["model"].values())
    assert state["step"] == 4


def test_an_output_that_is_there_is_not_overwritten_by_accident(tmp_path):
    pairs = write(tmp_path)
    output = tmp_path / "a.safetensors"
    output.write_bytes(b"precious")
    few = settings(text_steps=1, unet_steps=0)

    with pytest.raises(CheckpointError) as caught:
        align(teacher(), tower_zh(), pairs, output, settings=few, loop=QUIET)
    assert str(caught.value) == (
        f"{str(output)!r} is there already\nName another, or say --overwrite."
    )
    align(teacher(), tower_zh(), pairs, output, settings=few, loop=QUIET, overwrite=True)
    load_adapter(output)
