"""A run's folder: a full disk is one clear error, and only what is ours is removed."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import CheckpointError, TrainingError
from clipcond.training import align
from clipcond.training.run_folder import Kept, make_folder, write_whole
from tests.training.made import QUIET, settings, teacher, tower_zh, write

FULL = Path("/dev/full")  # takes nothing, as a full disk
has_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
ROOM = "No space left on device\nMake room: the same command goes on where it stopped."
FEW = settings(text_steps=1, unet_steps=1)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2))
def test_rows_are_read_as_they_were_written(tmp_path_factory, sizes, n_dims):
    rows = [torch.randn(size, *range(2, 2 + n_dims)).half() for size in sizes]
    kept = Kept(tmp_path_factory.mktemp("kept"), "1-1", sum(sizes), {"of": "these"})
    assert not kept.is_whole
    with kept.written() as add:
        for some in rows:
            add("tower", some)

    assert kept.is_whole
    assert np.array_equal(kept.read("tower"), torch.cat(rows).numpy())
    folder = kept._folder
    assert not Kept(folder, "1-1", sum(sizes), {"of": "others"}).is_whole
    assert not Kept(folder, "1-1", sum(sizes) + 1, {"of": "these"}).is_whole


def test_what_was_not_finished_is_not_taken(tmp_path):
    kept = Kept(tmp_path, "1-1", 2, {})
    with kept.written() as add:
        add("", torch.ones(2, 3))
    with suppress(KeyError), kept.written() as add:
        add("", torch.ones(1, 3))
        raise KeyError

    assert not kept.is_whole


@has_full
def test_a_full_disk_while_states_are_kept(tmp_path):
    path = tmp_path / "1-1-tower.npy"
    path.symlink_to(FULL)
    kept = Kept(tmp_path, "1-1", 1, {})
    with pytest.raises(TrainingError) as caught, kept.written() as add:
        add("tower", torch.ones(1, 2))

    assert str(caught.value) == f"{str(path)!r} cannot be written: {ROOM}"
    assert not kept.is_whole


@has_full
@pytest.mark.parametrize("n", [10, 10**6])
def test_a_full_disk_while_a_checkpoint_is_written(tmp_path, n):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"the one before")
    (tmp_path / "checkpoint.part").symlink_to(FULL)
    with pytest.raises(TrainingError) as caught:
        write_whole(path, lambda file: torch.save({"model": torch.ones(n)}, file))

    assert str(caught.value) == f"{str(path)!r} cannot be written: {ROOM}"
    assert path.read_bytes() == b"the one before"
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError) as caught:
        make_folder(tmp_path / "file")

    assert str(caught.value) == (
        f"the folder {str(tmp_path / 'file')!r} cannot be made: File exists"
    )


def test_only_what_is_of_the_run_is_removed(tmp_path):
    """--run may name a folder that holds years of work."""
    pairs, folder = write(tmp_path), tmp_path / "work"
    own = [folder / name for name in ("thesis.tex", "trained/mine.npy", "latents.txt")]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("three years")
    output = folder / "zh.safetensors"
    align(teacher(), tower_zh(), pairs, output, settings=FEW, loop=QUIET, run=folder)

    left = {path for path in folder.rglob("*") if path.is_file()}
    assert left == {*own, output}
    assert {path.read_text() for path in own} == {"three years"}


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    output = tmp_path / "a.safetensors"
    monkeypatch.setattr("clipcond.training.alignment.os.access", lambda *_: False)
    with pytest.raises(CheckpointError) as caught:
        align(teacher(), tower_zh(), write(tmp_path), output, settings=FEW, loop=QUIET)

    assert str(caught.value) == f"nothing can be written to {str(tmp_path)!r}"
