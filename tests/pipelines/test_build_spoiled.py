"""build_pipeline on spoiled folders: an error that names the part."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipcond.errors import CheckpointError
from clipcond.pipelines import build_pipeline


@pytest.fixture
def folder(sd_folder, tmp_path):
    """A copy of the saved pipeline, to spoil."""
    return shutil.copytree(sd_folder, tmp_path / "model")


def spoil_json(path):
    path.write_text(path.read_text()[:-20])


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1000])


def drop_a_weight(path):
    weights = load_file(path)
    weights.pop(min(weights))
    save_file(weights, path, {"format": "pt"})


def reshape_a_weight(path):
    weights = load_file(path)
    weights[min(weights)] = torch.zeros(3)
    save_file(weights, path, {"format": "pt"})


WEIGHTS = [
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
]


@pytest.mark.parametrize("file", WEIGHTS)
@pytest.mark.parametrize(
    "spoil", [cut_short, drop_a_weight, reshape_a_weight, lambda p: p.unlink()]
)
def test_spoiled_weights(folder, file, spoil):
    spoil(folder / file)
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(folder)

    assert file.split("/")[0] in str(caught.value)
    assert str(caught.value.path).startswith(str(folder))


@pytest.mark.parametrize(
    "file",
    [
        "model_index.json",
        "unet/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "scheduler/scheduler_config.json",
        "tokenizer/vocab.json",
    ],
)
@pytest.mark.parametrize("spoil", [spoil_json, lambda p: p.unlink()], ids=["cut", "gone"])
def test_spoiled_configurations(folder, file, spoil):
    spoil(folder / file)
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(folder)

    assert str(folder) in str(caught.value)
