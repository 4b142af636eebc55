"""A run of tune_tower that is killed and started again ends with the bits of one that was not."""

import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipcond.errors import ClipcondWarning, TrainingError
from clipcond.training.loop import Loop
from tests.forked import fork_all
from tests.training.child import run_and_print, run_tuning


def weights(folder: Path, name: str = "tuned") -> dict[str, torch.Tensor]:
    return load_file(folder / name / "model.safetensors")


def same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(some[n], others[n]) for n in some)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(what was measured, weights) of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return run_tuning(folder, "tuned"), weights(folder)


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """The folder of a run that was killed at its third step."""
    folder = tmp_path_factory.mktemp("killed")
    (ended,) = fork_all(run_and_print, (folder, "tuned", "SIGKILL", "tower", "3"), [{}])
    assert ended.code == -signal.SIGKILL, ended.err
    assert not (folder / "tuned").exists()
    return folder


@pytest.fixture
def left(killed, tmp_path) -> Path:
    """A copy of what the killed run left."""
    return Path(shutil.copytree(killed, tmp_path / "left"))


def test_killed_and_resumed_gives_the_same_bits(left, killed, whole):
    state = torch.load(left / "tuned.run" / "checkpoint.pt", weights_only=True)
    assert (state["stage"], state["step"]) == ("tower", 3)

    assert run_tuning(left, "tuned", killed) == whole[0]
    assert same(weights(left), whole[1])
    assert not (left / "tuned.run").exists()


def test_damaged_features_are_computed_again(left, killed, whole):
    (path,) = (left / "tuned.run").glob("features-*.npy")
    content = bytearray(path.read_bytes())
    for changed in (b"", content[:-100], bytes([*content[:-60], content[-60] ^ 1, *content[-59:]])):
        path.write_bytes(changed)
        copy = Path(shutil.copytree(left, left.with_name(f"copy-{len(changed)}")))
        with pytest.warns(ClipcondWarning, match="features-.*is damaged"):
            run_tuning(copy, "tuned", killed)
        assert same(weights(copy), whole[1])


def test_a_damaged_checkpoint_is_refused(left, killed):
    path = left / "tuned.run" / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    content = path.read_bytes()
    without = {name: value for name, value in state.items() if name != "model"}
    others = [{**state, "step": 10**9}, {**state, "stage": "text"}, without]
    for changed in (*others, b"", content[:999]):
        if isinstance(changed, bytes):
            path.write_bytes(changed)
        else:
            torch.save(changed, path)
        with pytest.raises(TrainingError, match=r"checkpoint\.pt' cannot be read: "):
            run_tuning(left, "tuned", killed)
    path.write_bytes(content)
    run_tuning(left, "tuned", killed)


def test_an_interrupt_keeps_the_checkpoint(tmp_path, monkeypatch, whole, capsys):
    run_step = Loop._run_step

    def stops(self, running):
        if running.step == 2:
            raise KeyboardInterrupt
        return run_step(self, running)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_run_step", stops)
        with pytest.raises(KeyboardInterrupt):
            run_tuning(tmp_path, "tuned", quiet=False)
    assert capsys.readouterr().err.splitlines()[-1].startswith("stopped at step 2; the checkpoint")
    run_tuning(tmp_path, "tuned")

    assert same(weights(tmp_path), whole[1])
