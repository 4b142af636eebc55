"""Spoiled files of weights: inversions, adapters, towers; safetensors and pickles."""

import random
import warnings

import pytest
import torch
from safetensors.torch import save_file

from clipcond import load_tower
from clipcond.adapters import load_adapter, save_adapter
from clipcond.checkpoints.contents import describe, list_contents
from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.textual_inversions import load_inversion
from tests.adapters.made import adapter, record
from tests.checkpoints.made_files import clip, unet, wrapped
from tests.checkpoints.test_textual_inversions import a1111, vectors
from tests.fuzz.harness import failures, spoiled_bytes, write
from tests.parity.models import tower_l


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def mutants(path, act, n, seed, n_head=None):
    content, draw = path.read_bytes(), random.Random(seed)
    for i in range(n):
        write(path, spoiled_bytes(draw, content, n_head))
        yield f"{path.name} #{i}", act


@pytest.mark.parametrize("ending", ["safetensors", "pt", "old.pt"])
def test_inversions(tmp_path, ending):
    path = tmp_path / f"foo.{ending}"
    if ending == "safetensors":
        save_file({"clip_l": vectors(), "clip_g": vectors(2, 40)}, path)
    else:
        is_old = ending.startswith("old")
        torch.save(a1111(vectors()), path, _use_new_zipfile_serialization=not is_old)

    def act():
        load_inversion([tower_l()], path, allow_pickle=True)

    assert not failures(mutants(path, act, 150, 1), of=path, at_least=50)


def test_adapters(tmp_path):
    path = tmp_path / "a.safetensors"
    save_adapter(adapter(), record(), path)

    def act():
        load_adapter(path)

    n_head = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    assert not failures(mutants(path, act, 200, 2, n_head), of=path, at_least=100)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_headers_of_models(tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    weights = {**unet(768), "lora_te.x": torch.zeros(2), "emb_params": torch.zeros(2, 64)}
    weights |= {k: t[:2, :2] if t.dim() > 1 else t[:2] for k, t in wrapped(clip(layers=1)).items()}
    weights = {k: t.clone() for k, t in weights.items()}
    save_file(weights, path) if ending == "safetensors" else torch.save(weights, path)

    def act():
        describe(list_contents(read_any_header(path, allow_pickle=True)))

    assert not failures(mutants(path, act, 200, 3), of=path, at_least=50)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_towers(tmp_path, ending):
    path = tmp_path / f"tower.{ending}"
    weights = wrapped(clip(layers=1), "cond_stage_model.transformer.")
    save_file(weights, path) if ending == "safetensors" else torch.save(weights, path)
    head = 8 + int.from_bytes(path.read_bytes()[:8], "little") if ending != "pt" else 6000

    def act():
        load_tower(path, allow_pickle=True)

    assert not failures(mutants(path, act, 40, 4, head), of=path, at_least=15)


@pytest.mark.parametrize("what", ["load_tower", "load_inversion", "load_adapter"])
def test_noise_and_beginnings_of_other_files(tmp_path, what):
    starts = (
        b"",
        b"PK\x03\x04",
        b"\x80\x02",
        b"\x89PNG\r\n\x1a\n",
        b"GGUF",
        b"{",
        b"[",
        b"<",
        b"%PDF",
    )
    readers = {
        "load_tower": lambda path: load_tower(path, allow_pickle=True),
        "load_inversion": lambda path: load_inversion([tower_l()], path, allow_pickle=True),
        "load_adapter": load_adapter,
    }

    def each():
        for seed in range(60):
            draw = random.Random(seed)
            name = draw.choice(("a.safetensors", "a.pt", "a.bin", "a"))
            content = draw.choice(starts) + draw.randbytes(draw.choice((0, 7, 100, 5000)))
            path = write(tmp_path / name, content)
            yield f"{what} {content[:20]!r}", lambda path=path: readers[what](path)

    assert not failures(each(), of=tmp_path, at_least=60)
