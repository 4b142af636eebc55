"""A run's folder: a full disk is one clear error, and only what is ours is removed."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import CheckpointError, TrainingError
from clipcond.files import part_of, write_whole
from clipcond.training import align
from clipcond.training.checkpoint import cannot_write
from clipcond.training.run_folder import load_or_compute, remove_run
from tests.training.made import QUIET, settings, teacher, tower_zh, write

pytestmark = pytest.mark.usefixtures("measure_little")
FULL = Path("/dev/full")  # takes nothing, as a full disk
has_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
ROOM = "No space left on device\nMake room: the same command goes on where it stopped."
FEW = settings(text_steps=1, unet_steps=1)


def records(n: int, shape: tuple[int, ...] = (3,), start: int = 0) -> np.ndarray:
    """n records with two fields."""
    found = np.zeros(n, [("tower", "<f2", shape), ("mask", "<f2")])
    found["tower"] += np.arange(start, start + n).reshape(-1, *[1] * len(shape))
    found["mask"] = 1
    return found


def compute_once(folder, n, keys=None, compute=None, *, n_at_once=2, writes=True):
    """What is loaded, and how many rows each call computed and each advance counted."""
    computed, counted = [], []

    def computes(rows):
        computed.append(len(rows))
        return (compute or (lambda rows: records(len(rows), start=rows.start)))(rows)

    found = load_or_compute(
        folder / "trained-1-1", n, keys or {}, computes, n_at_once, counted.append, writes=writes
    )
    return found, computed, counted


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2))
def test_rows_are_read_as_they_were_written(tmp_path_factory, n, n_at_once, n_dims):
    folder, shape = tmp_path_factory.mktemp("kept"), tuple(range(2, 2 + n_dims))

    def compute(rows):
        return records(len(rows), shape, rows.start)

    found, computed, counted = compute_once(folder, n, compute=compute, n_at_once=n_at_once)
    assert np.array_equal(found, records(n, shape))
    assert computed == counted
    assert sum(counted) == n
    assert max(counted) <= n_at_once


def test_only_what_was_made_with_the_same_keys_is_taken(tmp_path):
    compute_once(tmp_path, 3, {"of": "these"})

    assert compute_once(tmp_path, 3, {"of": "these"}, writes=False)[1:] == ([], [3])
    for n, keys in ((3, {"of": "others"}), (2, {"of": "these"})):
        with pytest.raises(TrainingError, match=r"there is no file '.*trained-1-1-\w{16}.npy'"):
            compute_once(tmp_path, n, keys, writes=False)
    assert compute_once(tmp_path, 3, {"of": "others"})[1] == [2, 1]
    assert len(list(tmp_path.iterdir())) == 1  # the others are gone


def test_what_was_not_finished_is_not_taken(tmp_path):
    def breaks(rows):
        if rows.start:
            raise KeyError
        return records(len(rows))

    with suppress(KeyError):
        compute_once(tmp_path, 3, compute=breaks)

    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    assert compute_once(tmp_path, 3)[1] == [2, 1]
    (tmp_path / "mine-0123456789abcdef.npy").write_text("three years")
    remove_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine-0123456789abcdef.npy"]


@has_full
def test_a_full_disk_while_pairs_are_kept(tmp_path):
    found, _, _ = compute_once(tmp_path, 1)
    path = Path(found.filename)
    path.unlink()
    (tmp_path / f".{path.stem}.part").symlink_to(FULL)
    with pytest.raises(TrainingError) as caught:
        compute_once(tmp_path, 1)

    assert str(caught.value) == f"{str(path)!r} cannot be written: {ROOM}"
    assert not path.exists()


@has_full
@pytest.mark.parametrize("n", [10, 10**6])
def test_a_full_disk_while_a_checkpoint_is_written(tmp_path, n):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"the one before")
    part_of(path).symlink_to(FULL)
    with pytest.raises(TrainingError) as caught:
        write_whole(path, lambda file: torch.save({"model": torch.ones(n)}, file), cannot_write)

    assert str(caught.value) == f"{str(path)!r} cannot be written: {ROOM}"
    assert path.read_bytes() == b"the one before"
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    chosen = {"settings": FEW, "loop": QUIET, "run": tmp_path / "file"}
    with pytest.raises(TrainingError) as caught:
        align(teacher(), tower_zh(), write(tmp_path), tmp_path / "a.safetensors", **chosen)

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
    monkeypatch.setattr("clipcond.training.aligning.os.access", lambda *_: False)
    with pytest.raises(CheckpointError) as caught:
        align(teacher(), tower_zh(), write(tmp_path), output, settings=FEW, loop=QUIET)

    assert str(caught.value) == f"nothing can be written to {str(tmp_path)!r}"
