"""Several processes train one adapter: they agree, one of them writes, and a kill loses nothing."""

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipcond.cli.entry import main
from clipcond.errors import TrainingError
from clipcond.training import LoopSettings
from clipcond.training.reporting import report
from tests.training.child import arguments, run
from tests.training.made import lines, write

ROOT = Path(__file__).parents[2]
N = 2


def together(folder: Path, name: str, *stop: str) -> list[tuple[int, str, str]]:
    """A run by two processes, as torchrun starts them: exit code, output and messages of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(N)}
    shared["OMP_NUM_THREADS"] = "1"  # as torchrun does
    started = [
        subprocess.Popen(
            arguments(folder, name, *stop),
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(i), "LOCAL_RANK": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(N)
    ]
    try:
        told = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return [(p.returncode, *each) for p, each in zip(started, told, strict=True)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, what each process said) of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("together")
    found = together(folder, "whole")
    assert [code for code, _, _ in found] == [0, 0], found
    return folder, found


def test_processes_agree_and_one_of_them_tells_and_writes(whole):
    folder, found = whole
    (_, losses, told), (_, others, silent) = found

    assert json.loads(losses) == json.loads(others)  # each measured its own copy of the weights
    assert "text 6 of 6" in told
    assert not [line for line in silent.splitlines() if line.startswith(("text", "unet", "enc"))]
    assert sorted(path.name for path in folder.iterdir()) == ["pairs.tsv", "whole.safetensors"]


def test_two_processes_draw_other_pairs_than_one(whole, tmp_path):
    run(tmp_path, "alone")
    alone = load_file(tmp_path / "alone.safetensors")
    both = load_file(whole[0] / "whole.safetensors")

    assert not all(torch.equal(alone[name], both[name]) for name in both)


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
        told = capsys.readouterr()
        assert told.out.splitlines() == output
        assert told.err.splitlines() == (["a line"] if output else [])
