"""Several processes train one adapter: they agree, one of them writes, and a kill loses nothing."""

import json
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipcond.cli.entry import main
from clipcond.errors import TrainingError
from clipcond.training import LoopSettings
from clipcond.training.reporting import report
from tests.forked import Ended, fork_all
from tests.training.child import run, run_and_print
from tests.training.made import lines, write

N = 2


def together(folder: Path, name: str, *stop: str) -> list[Ended]:
    """A run by two processes, in the environments that torchrun starts them with."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(N)}
    shared["OMP_NUM_THREADS"] = "1"  # as torchrun does
    ranks = [{**shared, "RANK": str(i), "LOCAL_RANK": str(i)} for i in range(N)]
    return fork_all(run_and_print, (folder, name, *stop), ranks)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, what each process said) of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("together")
    found = together(folder, "whole")
    assert [code for code, _, _ in found] == [0, 0], found
    return folder, found


@pytest.mark.slow
def test_processes_agree_and_one_of_them_tells_and_writes(whole):
    folder, found = whole
    (_, losses, progress), (_, others, silent) = found

    assert json.loads(losses) == json.loads(others)  # each measured its own copy of the weights
    assert "text 6 of 6" in progress
    assert not [line for line in silent.splitlines() if line.startswith(("text", "unet", "enc"))]
    assert sorted(path.name for path in folder.iterdir()) == ["pairs.tsv", "whole.safetensors"]


@pytest.mark.slow
def test_two_processes_draw_other_pairs_than_one(whole, tmp_path):
    run(tmp_path, "alone")
    alone = load_file(tmp_path / "alone.safetensors")
    both = load_file(whole[0] / "whole.safetensors")

    assert not all(torch.equal(alone[name], both[name]) for name in both)


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bits(whole, tmp_path):
    found = together(tmp_path, "killed", "SIGKILL", "unet", "2")
    assert -9 in [code for code, _, _ in found]
    assert not (tmp_path / "killed.safetensors").exists()

    with pytest.raises(TrainingError, match=r"\n  processes: 2 then, 1 now\n"):
        run(tmp_path, "killed")
    found = together(tmp_path, "killed")
    assert [code for code, _, _ in found] == [0, 0], found
    resumed = load_file(tmp_path / "killed.safetensors")
    both = load_file(whole[0] / "whole.safetensors")
    assert all(torch.equal(resumed[name], both[name]) for name in both)
    assert not (tmp_path / "killed.run").exists()


def test_only_the_first_process_speaks(tmp_path, monkeypatch, capsys):
    from clipcond import training as room

    record = type("Record", (), {"losses": {"text.read": 0.5}})
    monkeypatch.setattr(room, "align", lambda *_, **__: record)
    command = ["align", "--tower", "x", "--pairs", str(write(tmp_path, lines())), "-o", "a"]
    for rank, output in (("0", ["a", "text.read 0.5000"]), ("1", [])):
        monkeypatch.setenv("RANK", rank)
        assert main(command) == 0
        report("a line", LoopSettings())
        printed = capsys.readouterr()
        assert printed.out.splitlines() == output
        assert printed.err.splitlines() == (["a line"] if output else [])
