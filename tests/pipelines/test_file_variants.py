"""Single files as many tools write them, and files that lack a part."""

import pytest
import torch
from safetensors.torch import save_file

from clipcond.checkpoints.single_file import open_file
from clipcond.checkpoints.tower_choice import TowerChoice
from clipcond.errors import CheckpointError
from clipcond.pipelines import build_pipeline, loading
from tests.failures import failures_of
from tests.pipelines.models import latents
from tests.pipelines.test_single_file import models, narrow, offline, weights  # noqa: F401

TEXT, VAE = "cond_stage_model.", "first_stage_model."


@pytest.fixture(autouse=True)
def sd1(narrow, monkeypatch):  # noqa: F811
    monkeypatch.setattr(loading, "_SD1_CONFIG", narrow)


def written(tmp_path, tensors, name="model.safetensors"):
    path = tmp_path / name
    tensors = {key: tensor.contiguous().clone() for key, tensor in tensors.items()}
    is_pickle = path.suffix in (".ckpt", ".pt")
    torch.save({"state_dict": tensors}, path) if is_pickle else save_file(tensors, path)
    return path


def renamed(tensors, old, new):
    return {key.replace(old, new): tensor for key, tensor in tensors.items()}


def values(pipe):
    parts = ("text_encoder", "unet", "vae")
    return {(m, k): t for m in parts for k, t in getattr(pipe, m).state_dict().items()}


@pytest.mark.slow
def test_every_way_to_write_it_gives_the_same_models(weights, tmp_path):  # noqa: F811
    expected = values(build_pipeline(written(tmp_path, weights)))
    bare = renamed(weights, "transformer.text_model.", "transformer.")
    ways = {
        "without text_model.": (bare, "a.safetensors"),
        "capitals": (weights, "b.SAFETENSORS"),
        ".sft": (weights, "c.sft"),
        "no ending": (weights, "d"),
        "called otherwise": (weights, "e.bin"),
        "module.": ({f"module.{k}": t for k, t in weights.items()}, "f"),
        "another prefix": (renamed(weights, "cond_stage_model.transformer.", "te."), "g"),
        "clip_l": (renamed(weights, "cond_stage_model.", "clip_l."), "h"),
        "pickle": (weights, "i.ckpt"),
        "pickle without text_model.": (bare, "j.pt"),
        "fp16": ({k: t.half() for k, t in weights.items()}, "k"),
    }

    def check(way):
        pipe = build_pipeline(written(tmp_path, *ways[way]), allow_pickle=True)
        ours = values(pipe)
        assert ours.keys() == expected.keys()
        for name, tensor in expected.items():
            assert torch.equal(ours[name], tensor.half().float() if way == "fp16" else tensor)
        assert pipe.text_encoder.config.hidden_act == "quick_gelu"

    assert not failures_of(check, ways)


def without(tensors, *starts):
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(starts)}


def refusal(path, **choices):
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(path, **choices)
    return str(caught.value)


@pytest.mark.slow
def test_a_lacking_part_is_named_and_can_be_passed(weights, tmp_path):  # noqa: F811
    whole = written(tmp_path, weights, "whole.safetensors")
    no_text = written(tmp_path, without(weights, TEXT), "no_text.safetensors")
    no_vae = written(tmp_path, without(weights, VAE), "no_vae.safetensors")
    unet = written(tmp_path, without(weights, TEXT, VAE), "unet.safetensors")
    vae = {k.removeprefix(VAE): t for k, t in weights.items() if k.startswith(VAE)}
    vae_file = written(tmp_path, vae, "vae.safetensors")

    assert refusal(no_text).startswith(f"{no_text} has no text encoder: it holds a UNet or ")
    assert "build_pipeline(model, tower='...')" in refusal(no_text)
    assert refusal(no_vae).startswith(f"{no_vae} has no VAE: it holds 1 text tower, a UNet or ")
    assert "build_pipeline(model, vae='...')" in refusal(no_vae)
    assert refusal(unet).startswith(f"{unet} has no text encoder: it holds a UNet or ")
    assert refusal(unet, tower="embedded").startswith(f"{unet} has no VAE: it holds a UNet or ")
    assert refusal(no_vae, vae=unet) == f"{unet} holds no VAE.\nGive an AutoencoderKL."

    tower = open_file(whole, TowerChoice(), name="own", config=loading._SD1_CONFIG / "text_encoder")
    pipes = {
        "tower": build_pipeline(no_text, tower=tower),
        "vae": build_pipeline(no_vae, vae=vae_file),
        "both": build_pipeline(unet, tower=tower, vae=vae_file),
    }
    small = {"height": 64, "width": 64}
    expected = latents(build_pipeline(whole), "a cat", **small)

    def check(name):
        assert torch.equal(latents(pipes[name], "a cat", **small), expected)

    assert not failures_of(check, pipes)
    mine = pipes["vae"].vae.state_dict()
    assert all(torch.equal(mine[k], t) for k, t in pipes["tower"].vae.state_dict().items())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lora_unet_a.lora_down.weight", "a LoRA (1 tensor).\nIt changes a model: build the"),
        ("control_model.input_blocks.0.0.weight", "a ControlNet (1 tensor).\nLoad it with"),
        ("first_stage_model.encoder.conv_in.weight", "a VAE.\nA VAE alone goes into"),
        ("emb_params", "a textual inversion (1 tensor).\nLoad it into a conditioner: "),
        (
            "model.diffusion_model.double_blocks.0.img_attn.qkv.weight",
            "a UNet or transformer (Flux)",
        ),
    ],
)
def test_other_files_say_what_they_are(tmp_path, name, content):
    path = written(tmp_path, {name: torch.zeros(2, 2)})
    assert refusal(path).startswith(f"{path} holds no Stable Diffusion UNet; it holds {content}")


def test_files_that_are_no_models(tmp_path):
    contents = {
        b"GGUF\x03\x00\x00\x00" + bytes(100): "a GGUF file",
        b'{"error": "Repository not found"}': "JSON, a server's error message",
        b"\x89PNG\r\n\x1a\n" + bytes(100): "a PNG picture",
        b"version https://git-lfs.github.com/spec/v1\n": "a pointer of Git LFS",
        b"<!DOCTYPE html><html>": "a web page",
    }

    def check(content):
        for name in ("x.safetensors", "x.gguf", "x.ckpt"):
            path = tmp_path / name
            path.write_bytes(content)
            assert f"{str(path)!r} is no safetensors file but {contents[content]}" in refusal(path)

    assert not failures_of(check, contents)
