"""What is no adapter is refused, and called by its name."""

import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipcond.adapters import save_adapter
from clipcond.embedded import folder
from tests.adapters.made import adapter, record, refusal


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "zh.safetensors"
    save_adapter(adapter(pooled_width=10), record(), path)
    return path


def test_a_file_that_is_not_there(path):
    near = path.with_name("zn.safetensors")

    assert refusal(near) == (
        f"{str(near)!r} does not exist; an adapter is one .safetensors file\n"
        f"Did you mean {str(path)!r}?"
    )
    assert refusal(path.parent) == (
        f"{str(path.parent)!r} is a folder; an adapter is one .safetensors file"
    )


def test_a_pickle(tmp_path):
    path = tmp_path / "zh.pt"
    torch.save(adapter().state_dict(), path)

    assert refusal(path) == (
        f"{str(path)!r} is a pickle; an adapter is one .safetensors file\n"
        "Train one with: clipcond align"
    )


@pytest.mark.parametrize(
    ("content", "called"),
    [
        (pickle.dumps({"weight": 1}, protocol=2), "a pickle, as torch.save writes it"),
        (pickle.dumps({"weight": 1}, protocol=4), "a pickle, as torch.save writes it"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "a pointer of Git LFS: the file itself was not downloaded",
        ),
        (b"<!DOCTYPE html>\n<html>404</html>", "a web page"),
        (b"\n<html>404</html>", "a web page"),
    ],
)
def test_another_file_under_the_name_of_safetensors(tmp_path, content, called):
    path = tmp_path / "zh.safetensors"
    path.write_bytes(content)

    assert refusal(path) == (
        f"{str(path)!r} is no safetensors file but {called}\nDownload or save it again."
    )


def test_a_pickle_of_torch_under_the_name_of_safetensors(path):
    torch.save(adapter().state_dict(), path)

    assert "is no safetensors file but a pickle, as torch.save writes it" in refusal(path)


def test_every_cut_is_refused(path):
    whole = path.read_bytes()
    for n_kept in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_kept])
        assert refusal(path).startswith(f"{str(path)!r} is no complete safetensors file: ")
    path.write_bytes(whole + b"x")
    assert refusal(path).endswith(
        f"it goes on behind its last tensor: expected {len(whole)} bytes, found {len(whole) + 1}\n"
        "Download or save it again."
    )


def test_noise_in_the_header_is_refused(path):
    whole = path.read_bytes()
    for place in range(8, 400, 3):
        path.write_bytes(whole[:place] + b"\x00" + whole[place + 1 :])
        assert refusal(path)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["lora_unet_a.lora_down.weight", "lora_unet_a.alpha"], "a LoRA (2 tensors)"),
        (["unet.mid.attn2.to_k.lora_A.weight"], "a LoRA (1 tensor)"),
        (["emb_params"], "a textual inversion (1 tensor)"),
        (["ip_adapter.1.to_k_ip.weight", "image_proj.norm.bias"], "an IP-Adapter for pictures"),
        (["controlnet_cond_embedding.conv_in.weight"], "a ControlNet (1 tensor)"),
        (["to_rows.weight"], "1 tensor, such as 'to_rows.weight'"),
    ],
)
def test_another_file_is_called_by_its_name(tmp_path, names, found):
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(2, 2) for name in names}, path)

    assert refusal(path).startswith(f"{str(path)!r} is no adapter of clipcond: it holds {found}")
    assert refusal(path).endswith("\nTrain one with: clipcond align")


def test_a_tower_and_a_unet_are_called_by_their_names():
    tower = folder() / "text_encoder" / "model.safetensors"
    unet = folder() / "unet" / "diffusion_pytorch_model.safetensors"

    assert refusal(tower).startswith(
        f"{str(tower)!r} is no adapter of clipcond: it holds 1 text tower\n"
    )
    assert "it holds a UNet or transformer (" in refusal(unet)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("vision_model.embeddings.class_embedding", "1 text tower, a vision tower"),
        ("first_stage_model.encoder.conv_in.weight", "1 text tower, a VAE"),
        ("model.diffusion_model.x", "1 text tower, a UNet or transformer (unknown)"),
    ],
)
def test_a_tower_and_something_else_are_both_named(tmp_path, more, found):
    path = tmp_path / "both.safetensors"
    tower = load_file(folder() / "text_encoder" / "model.safetensors")
    save_file({**tower, more: torch.zeros(4)}, path)

    assert refusal(path).startswith(f"{str(path)!r} is no adapter of clipcond: it holds {found}\n")
