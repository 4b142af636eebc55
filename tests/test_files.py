"""Files and folders appear whole or not at all, and what a system refuses is one clear error."""

import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest
import torch
from safetensors.torch import save_file

from clipcond.adapters import AdapterConfig, build_adapter
from clipcond.checkpoints.extraction import extract
from clipcond.errors import CheckpointError, ClipcondError, TrainingError
from clipcond.files import (
    check_writable,
    disk_errors,
    local_path,
    new_folder,
    part_of,
    whole_folder,
    write_whole,
)
from tests.parity.models import tower_l
from tests.training.made import tower_zh

FULL = "No space left on device"


@contextmanager
def at_most(n_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def wrapped() -> None:
    """Raise what a library makes of a full disk."""
    try:
        raise OSError(28, FULL)
    except OSError as error:
        raise RuntimeError("the archive cannot be closed") from error


def rust(kind: type[Exception] = Exception) -> None:
    raise kind("Error while serializing: I/O error: No space left on device (os error 28)")


def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path):
    """Its number may be ours now, as in a container, where each process is the first."""
    old = tmp_path / f".{os.getpid()}.part"
    old.mkdir()
    path = tmp_path / "out.txt"
    part_of(path).write_bytes(b"half")

    with whole_folder(tmp_path) as part:
        (part / "a").write_text("new")
    check_writable(path)
    write_whole(path, lambda file: file.write(b"whole"))

    assert sorted(each.name for each in tmp_path.iterdir()) == [old.name, "a", "out.txt"]
    assert path.read_bytes() == b"whole"


def test_threads_that_write_one_name_do_not_mix(tmp_path):
    """Each file and folder is one of theirs, whole, and all of them finish."""
    meet = Barrier(6)

    def write(number: int) -> None:
        content = bytes([number]) * 10_000

        def save(file):
            file.write(content[:5000])
            meet.wait()
            file.write(content[5000:])

        with whole_folder(tmp_path / "folder") as part:
            for name in "abc":
                (part / name).write_bytes(content)
            meet.wait()
        write_whole(tmp_path / "file", save)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))

    files = [tmp_path / "file", *(tmp_path / "folder" / name for name in "abc")]
    contents = [file.read_bytes() for file in files]
    assert [len(each) for each in contents] == [10_000] * 4
    assert [len(set(each)) for each in contents] == [1] * 4
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a", "b", "c", "file", "folder"]


def write_and_fail(path: Path) -> None:
    path.write_text("three years")
    raise KeyError


def test_every_form_of_a_refusal_becomes_one_message():
    def plain() -> None:
        raise OSError(28, FULL)

    def ours() -> None:
        raise TrainingError("another message")

    def other() -> None:
        raise KeyError("no matter of the disk")

    for action in (plain, wrapped, rust, lambda: rust(ValueError), lambda: rust(RuntimeError)):
        with pytest.raises(TrainingError) as caught, disk_errors("'a' cannot be", TrainingError):
            action()
        assert str(caught.value) == f"'a' cannot be: {FULL}"
    with pytest.raises(TrainingError, match="another message"), disk_errors("'a' cannot be"):
        ours()
    with pytest.raises(KeyError), disk_errors("'a' cannot be"):
        other()


def test_a_full_disk_leaves_the_file_that_is_there(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"the one before")
    tensors = {"weight": torch.ones(100_000)}
    writers = (
        lambda file: file.write(bytes(400_000)),
        lambda file: torch.save(tensors, file),
        lambda file: save_file(tensors, file.name),
        lambda file: Path(file.name).write_bytes(bytes(400_000)),
    )
    for write in writers:
        for limit in (1, 1000, 300_000):
            with at_most(limit), pytest.raises(CheckpointError) as caught:
                write_whole(path, write)
            assert str(caught.value) == f"{str(path)!r} cannot be written: File too large"
            assert [each.name for each in tmp_path.iterdir()] == ["a.bin"]
            assert path.read_bytes() == b"the one before"


def test_an_extracted_tower_is_whole_or_not_there(tmp_path):
    for tower in (tower_l(), tower_zh()):
        for name in ("a.safetensors", "new/a.safetensors", "a", "new/deep/a"):
            target = tmp_path / name
            for limit in (1, 1000, 20_000):
                with at_most(limit), pytest.raises(CheckpointError) as caught:
                    extract(tower, target)
                assert str(caught.value) == f"{str(target)!r} cannot be written: File too large"
                assert not list(tmp_path.iterdir())


def test_a_tower_that_is_there_stays_whole(tmp_path):
    extract(tower_zh(), tmp_path / "a")
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    with at_most(20_000), pytest.raises(CheckpointError):
        extract(tower_l(), tmp_path / "a")

    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before


def test_new_folders_are_removed_again_and_others_are_not(tmp_path):
    (tmp_path / "old").mkdir()
    for name in ("old", "old/new", "a/b/c"):
        with pytest.raises(KeyError), new_folder(tmp_path / name):
            raise KeyError
        with pytest.raises(KeyError), whole_folder(tmp_path / name) as folder:
            write_and_fail(folder / "half")
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["old"]
    with pytest.raises(KeyError), new_folder(tmp_path / "a" / "b"):
        write_and_fail(tmp_path / "a" / "b" / "mine")
    assert (tmp_path / "a" / "b" / "mine").is_file()
    with pytest.raises(CheckpointError) as caught, new_folder(tmp_path / "a" / "b" / "mine"):
        pass
    assert str(caught.value) == f"{str(tmp_path / 'a/b/mine')!r} cannot be made: File exists"


def test_paths_of_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/a.txt") == tmp_path / "a.txt"
    assert local_path(tmp_path / "none" / "a") == tmp_path / "none" / "a"
    (tmp_path / "file").write_text("")
    assert local_path(tmp_path / "file" / "a") == tmp_path / "file" / "a"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert local_path(loop) == loop
    bad = ("x" * 300, "a/" + "x" * 5000, "~nosuchuser/a", "a\0b", None, b"a", 7, ["a"], loop / "a")
    for path in bad:
        for failed in (CheckpointError, TrainingError):
            with pytest.raises(failed, match=r"cannot be a path: |is named by") as caught:
                local_path(path, failed)
            assert len(str(caught.value).splitlines()[0]) < 250
            assert "PosixPath" not in str(caught.value)


def test_an_adapter_is_whole_or_not_there(tmp_path):
    config = AdapterConfig(kind="linear", tower_width=64, width=64, length=77)
    adapter = build_adapter(config)
    tensors = {name: tensor.contiguous() for name, tensor in adapter.state_dict().items()}
    path = tmp_path / "a.safetensors"
    with at_most(100), pytest.raises(ClipcondError, match=f"{path.name}' cannot be written: File"):
        write_whole(path, lambda file: save_file(tensors, file.name))
    assert os.listdir(tmp_path) == []
