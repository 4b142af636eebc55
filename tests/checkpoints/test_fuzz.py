"""Bytes flipped and cut at random: a clear error or what the file really says; nothing else."""

import random

import pytest
import torch
from safetensors.torch import save_file

from clipcond import load_tower
from clipcond.cli.entry import main
from clipcond.errors import CheckpointError
from tests.checkpoints.made_files import clip, unet, wrapped
from tests.checkpoints.test_single_file import SD1

SEEDS = [range(20), pytest.param(range(20, 200), marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def model():
    return clip(layers=1)


@pytest.fixture(params=["safetensors", "pt"])
def file(request, model, tmp_path):
    path = tmp_path / f"model.{request.param}"
    weights = {**unet(768), **wrapped(model, SD1)}
    save_file(weights, path) if request.param == "safetensors" else torch.save(weights, path)
    return path


def places(path):
    """Where damage hurts: the header, or the pickle and the archive's list of members."""
    with path.open("rb") as file:
        content = file.read()
    if path.suffix == ".safetensors":
        return range(8 + int.from_bytes(content[:8], "little"))
    start, end = content.index(b"data.pkl"), content.index(b".storage_alignment")
    return [*range(start, end), *range(content.index(b"PK\x01\x02"), len(content))]


def damaged(path, seed, n_bytes, where):
    """Spoil a file in place; gives what mends it."""
    draw = random.Random(seed)
    with path.open("r+b") as file:
        if seed % 8 == 0:
            file.truncate(draw.randrange(n_bytes))
            return None
        spoiled = []
        for _ in range(draw.choice([1, 1, 2, 5])):
            at = draw.randrange(n_bytes) if seed % 8 == 1 else draw.choice(where)
            file.seek(at)
            old = file.read(1)
            file.seek(at)
            file.write(
                bytes([draw.choice([old[0] ^ (1 << draw.randrange(8)), draw.randrange(256)])])
            )
            spoiled.append((at, old))
        return spoiled


def mended(path, spoiled, whole):
    if spoiled is None:
        path.write_bytes(whole)
        return
    with path.open("r+b") as file:
        for at, old in reversed(spoiled):
            file.seek(at)
            file.write(old)


def opened(path):
    """A tower, or None where a clear error says why not."""
    try:
        return load_tower(path, allow_pickle=True)
    except CheckpointError as error:
        message = str(error)
    assert str(path) in message
    return None


@pytest.mark.parametrize("seeds", SEEDS, ids=["few", "many"])
def test_a_damaged_file_is_refused_or_read_as_it_is(file, seeds, capsys):
    whole, where = file.read_bytes(), places(file)
    outcomes = {"refused": 0, "read": 0}
    for seed in seeds:
        spoiled = damaged(file, seed, len(whole), where)
        tower = opened(file)
        outcomes["refused" if tower is None else "read"] += 1
        if tower is not None:
            assert (tower.width, tower.depth, tower.special.context_length) == (64, 1, 77)
            assert tower.dtype == torch.float32
        code = main(["checkpoint", str(file), "--json", "--allow-pickle"])
        printed = capsys.readouterr()
        assert (code, printed.err == "") in ((0, True), (1, False))
        assert not printed.err.startswith("clipcond: unexpected")
        mended(file, spoiled, whole)
    print(outcomes)
    assert outcomes["refused"] > len(seeds) / 2
    assert file.read_bytes() == whole
    assert load_tower(file, allow_pickle=True).depth == 1
