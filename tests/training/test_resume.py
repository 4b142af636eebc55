"""A run that is killed and started again ends with the bits of one that was not."""

import os
import shutil
import signal
from itertools import count
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipcond.adapters import load_adapter
from clipcond.errors import CheckpointError, ClipcondWarning, TrainingError
from clipcond.training import align
from clipcond.training.loop import Loop
from clipcond.training.objectives import TextObjective
from clipcond.training.teacher import Teacher
from tests.forked import fork_all
from tests.pipelines.models import tiny_sd
from tests.training.child import CHOICES, MIXED, run, run_and_print
from tests.training.made import QUIET, settings, teacher, tower_zh, write


def reached(folder: Path) -> tuple[str, int]:
    """Stage and step of a run's checkpoint."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    return state["stage"], state["step"]


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(folder / f"{name}.safetensors")


def same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(some[n], others[n]) for n in some)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, "whole")
    return weights(folder, "whole")


@pytest.mark.parametrize(
    ("sent", "stage", "step"),
    [
        pytest.param("SIGKILL", "unet", 2, marks=pytest.mark.slow),
        pytest.param("SIGKILL", "text", 3, marks=pytest.mark.slow),
        pytest.param("SIGTERM", "unet", 4, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_gives_the_same_bits(tmp_path, whole, sent, stage, step):
    (killed,) = fork_all(run_and_print, (tmp_path, "killed", sent, stage, str(step)), [{}])
    assert killed.code == -getattr(signal, sent), killed.err
    assert not (tmp_path / "killed.safetensors").exists()
    assert reached(tmp_path / "killed.run") == (stage, step)

    run(tmp_path, "killed")

    assert same(weights(tmp_path, "killed"), whole)
    assert not (tmp_path / "killed.run").exists()  # all done: nothing to take up


class Stop(Exception):
    """Ends a run from within."""


def stopped(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException] = Stop,
    stage: str = "text",
    at: int = 3,
    **loop,
) -> None:
    """A run that ended at a step of a stage."""
    run_step = Loop._run_step

    def stops(self, running):
        if (running.stage.name, running.step) == (stage, at):
            raise error
        return run_step(self, running)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_run_step", stops)
        with pytest.raises(error):
            run(folder, "a", **loop)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_in_half_precision_too(tmp_path, monkeypatch, precision):
    run(tmp_path, "whole", precision=precision)
    stopped(tmp_path, monkeypatch, stage="unet", precision=precision)
    run(tmp_path, "a", precision=precision)

    found = weights(tmp_path, "a")
    assert same(found, weights(tmp_path, "whole"))
    assert all(tensor.dtype == torch.float32 for tensor in found.values())
    assert load_adapter(tmp_path / "a.safetensors")[1].losses["unet.read"] < 1


@pytest.mark.slow
def test_an_interrupt_says_what_is_kept(tmp_path, monkeypatch, whole, capsys):
    stopped(tmp_path, monkeypatch, KeyboardInterrupt, quiet=False)
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"stopped at step 3; the checkpoint of step 3 of stage 'text' is kept in "
        f"{str(tmp_path / 'a.run')!r}"
    )
    run(tmp_path, "a")

    assert same(weights(tmp_path, "a"), whole)


@pytest.mark.slow
def test_a_kill_while_the_checkpoint_is_written(tmp_path, monkeypatch, whole):
    replace, replaced = os.replace, []
    left = tmp_path / "a.run" / ".checkpoint.pt.1.part"

    def dies(part, path):
        replaced.append(path)
        if path.name == "checkpoint.pt" and len(replaced) > 8:
            shutil.copy(part, left)  # a process that is killed removes nothing
            raise Stop
        replace(part, path)

    with monkeypatch.context() as patch:
        patch.setattr("clipcond.files.os.replace", dies)
        with pytest.raises(Stop):
            run(tmp_path, "a")
    assert left.is_file()
    run(tmp_path, "a")

    assert same(weights(tmp_path, "a"), whole)
    assert not (tmp_path / "a.run").exists()


@pytest.mark.usefixtures("measure_little")
def test_other_arguments_are_refused(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)
    pairs, output = tmp_path / "pairs.tsv", tmp_path / "a.safetensors"
    others = settings(**{**CHOICES, "text_lr": 0.5, "clip_skips": (1,)})

    with pytest.raises(TrainingError) as caught:
        align(teacher(), tower_zh(), pairs, output, settings=others, loop=QUIET)
    assert str(caught.value) == (
        f"the run in {str(tmp_path / 'a.run')!r} was started with other arguments:\n"
        "  clip_skips: [1, 2] then, [1] now\n"
        "  text_lr: 0.02 then, 0.5 now\n"
        "Give the same to go on with it; to start over, delete that folder or name another "
        "with run=."
    )
    assert reached(tmp_path / "a.run") == ("text", 3)


def test_other_pairs_are_refused(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)
    monkeypatch.setattr("tests.training.child.MIXED", MIXED[:-1])

    with pytest.raises(TrainingError, match=r"other arguments:\n  pairs: '[0-9a-f]{64}' then"):
        run(tmp_path, "a")


def test_another_unet_or_text_encoder_of_the_teacher_is_refused(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)
    for part, weight, name in (
        ("unet", "attn2.to_k.weight", "unet unet_weights"),
        ("unet", "conv_in.bias", "unet_weights"),
        ("vae", "decoder.conv_in.weight", "vae"),
        ("text_encoder", "token_embedding.weight", "teacher"),
    ):
        pipe = tiny_sd()
        pipe.unet.register_to_config(sample_size=4)
        named = getattr(pipe, part).named_parameters()
        with torch.no_grad():
            next(tensor for key, tensor in named if key.endswith(weight)).mul_(1.1)
        other = Teacher.from_pipeline(pipe)
        monkeypatch.setattr("tests.training.child.teacher", lambda made=other: made)

        with pytest.raises(TrainingError) as caught:
            run(tmp_path, "a")
        differences = [line.split(":")[0] for line in str(caught.value).splitlines()[1:-1]]
        assert differences == [f"  {each}" for each in name.split()]


def test_another_precision_or_seed_is_refused(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)

    with pytest.raises(TrainingError) as caught:
        run(tmp_path, "a", precision="bf16", seed=3)
    assert str(caught.value).splitlines()[1:3] == [
        "  precision: 'no' then, 'bf16' now",
        "  seed: 0 then, 3 now",
    ]


def test_a_broken_checkpoint_is_told(tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)
    path = tmp_path / "a.run" / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(
        TrainingError, match=r"checkpoint.pt' cannot be read: .*\nDelete it to start over, or name "
    ):
        run(tmp_path, "a")


@pytest.mark.slow
def test_damaged_states_are_encoded_again(tmp_path, monkeypatch, whole):
    stopped(tmp_path, monkeypatch)
    flipped, cut, *_ = sorted((tmp_path / "a.run").glob("*.npy"))
    content = bytearray(flipped.read_bytes())
    content[-50] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(b"")
    with pytest.warns(ClipcondWarning, match="is damaged, or has no checksum: it is made again"):
        run(tmp_path, "a")

    assert same(weights(tmp_path, "a"), whole)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    losses, steps = TextObjective.losses, count()

    def breaks(self, model, rng):
        found = losses(self, model, rng)
        if next(steps) == 4:
            return {name: value * float("nan") for name, value in found.items()}
        return found

    monkeypatch.setattr(TextObjective, "losses", breaks)
    with pytest.raises(TrainingError) as caught:
        run(tmp_path, "a")
    assert str(caught.value) == (
        "stage 'text' diverged at step 5: the loss or its gradient is not finite (read nan, "
        "contrast nan); the checkpoint of step 4 of stage 'text' is kept in "
        f"{str(tmp_path / 'a.run')!r}\n"
        "Start over with a lower learning rate, or with precision='no'."
    )
    state = torch.load(tmp_path / "a.run" / "checkpoint.pt", weights_only=True)
    assert all(bool(tensor.isfinite().all()) for tensor in state["model"].values())
    assert state["step"] == 4


@pytest.mark.usefixtures("measure_little")
def test_an_output_that_is_there_is_not_overwritten_by_accident(tmp_path):
    pairs = write(tmp_path)
    output = tmp_path / "a.safetensors"
    output.write_bytes(b"precious")
    few = settings(text_steps=1, unet_steps=0)

    with pytest.raises(CheckpointError) as caught:
        align(teacher(), tower_zh(), pairs, output, settings=few, loop=QUIET)
    assert str(caught.value) == (
        f"{str(output)!r} is there already\nName another, or say overwrite=True."
    )
    align(teacher(), tower_zh(), pairs, output, settings=few, loop=QUIET, overwrite=True)
    load_adapter(output)
