"""Towers behind prefixes of many tools, and files that name what they are."""

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from clipcond import load_tower
from clipcond.errors import CheckpointError
from tests.checkpoints.made_files import bare, clip, open_clip, wrapped
from tests.failures import failures_of

HF = (
    *("clip_l.transformer.", "text_encoder.", "module.", "te.", "te1.", "transformer."),
    *("cond_stage_model.transformer.", "model.cond_stage_model.transformer.", "_orig_mod."),
    *("conditioner.embedders.0.transformer.", "text_encoders.clip_l.transformer.", "a.b.c."),
)
OPEN = (
    *("cond_stage_model.model.", "text_encoder.", "module.", "te.", "clip.", "model.text."),
    *("conditioner.embedders.0.model.", "conditioner.embedders.1.model.", "text."),
)


@pytest.fixture(scope="module")
def model():
    return clip(layers=2, projection=64)


def opened(tmp_path, weights, **choices):
    path = tmp_path / "x.safetensors"
    save_file({name: tensor.clone() for name, tensor in weights.items()}, path)
    return load_tower(path, activation="quick_gelu", **choices)


def same(tower, model):
    ours = {k.removeprefix("text_model."): t for k, t in tower.model.state_dict().items()}
    theirs = bare(model, torch.float32)
    return all(torch.equal(ours[k], t) for k, t in theirs.items() if "position_ids" not in k)


@pytest.mark.slow
def test_towers_behind_any_prefix(model, tmp_path):
    def check(case):
        prefix, make = case
        tower = opened(tmp_path, make(model, prefix))
        assert same(tower, model)
        assert tower.special.context_length == 77

    cases = [(prefix, make) for prefix in HF for make in (wrapped, without_text_model)]
    cases += [(prefix, open_clip) for prefix in OPEN]
    assert not failures_of(check, cases, name=lambda case: (case[0], case[1].__name__))


def without_text_model(model, prefix):
    """As transformers 5.6 and later save a text model, and diffusers' converter writes it."""
    return {prefix + name: tensor for name, tensor in bare(model).items()}


def test_two_towers_behind_prefixes_are_told_apart(model, tmp_path):
    other = clip(128, 2, "gelu", projection=96)
    weights = {**wrapped(model, "te1."), **open_clip(other, "te2.")}
    with pytest.raises(CheckpointError, match="holds 2 text towers"):
        opened(tmp_path, weights)
    assert same(opened(tmp_path, weights, part=1), model)
    assert same(opened(tmp_path, weights, part=2), other)


def test_towers_of_other_kinds_behind_prefixes_are_left_alone(model, tmp_path):
    vision = {"vision_model.embeddings.position_embedding.weight": torch.zeros(2, 4)}
    bert = {"text_model.roberta.embeddings.word_embeddings.weight": torch.zeros(2, 4)}
    hugging = {"text.transformer.embeddings.word_embeddings.weight": torch.zeros(2, 4)}
    for more in (vision, bert, hugging):
        assert same(opened(tmp_path, {**wrapped(model, "te."), **more}), model)


def test_a_second_tower_of_sdxl_needs_its_projection(tmp_path):
    plain = clip(128, 2, "gelu")
    cases = (
        ("conditioner.embedders.1.model.", open_clip),
        ("conditioner.embedders.0.model.", open_clip),
        ("text_encoders.clip_g.transformer.", wrapped),
        ("clip_g.transformer.", wrapped),
        ("model.conditioner.embedders.1.model.", open_clip),
    )

    def check(case):
        prefix, make = case
        with pytest.raises(CheckpointError, match="it has no text_projection, through which"):
            opened(tmp_path, make(plain, prefix))

    assert not failures_of(check, cases, name=lambda case: case[0])


OTHERS = {
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(60), "a PNG picture"),
    "JPEG": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(60), "a JPEG picture"),
    "WebP": (b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(60), "a WebP picture"),
    "GGUF": (b"GGUF\x03\x00\x00\x00" + bytes(60), "a GGUF file"),
    "JSON": (b'{"error": "Invalid credentials in Authorization header"}', "JSON, a server's error"),
    "JSON list": (b'[{"name": "a"}, {"name": "b"}]', "JSON: "),
    "text": (b"Access to model x/y is restricted and you are not", "text: 'Access to model"),
    "HTML": (b"\n\n<!DOCTYPE html><html>404", "a web page"),
    "HTML, BOM": (b"\xef\xbb\xbf<html lang='en'>", "a web page"),
    "XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied", "an XML document"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
    "gzip": (b"\x1f\x8b\x08" + bytes(60), "a gzip archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(60), "a 7z archive"),
    "zeros": (bytes(4096), "zeros at its beginning"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(60), "an array of NumPy"),
    "PDF": (b"%PDF-1.7\n" + bytes(60), "a PDF document"),
}


def test_other_files_are_called_by_their_names(tmp_path):
    def check(case):
        content, called = OTHERS[case]
        for name in ("x.safetensors", "x.ckpt", "x.SAFETENSORS", "x.sft", "x.pt", "x"):
            path = tmp_path / name
            path.write_bytes(content)
            with pytest.raises(CheckpointError) as caught:
                load_tower(path)
            assert str(caught.value).startswith(
                f"{str(path)!r} is no safetensors file but {called}"
            ), str(caught.value)

    assert not failures_of(check, OTHERS)


def test_a_real_picture(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "x.safetensors", format="JPEG")
    with pytest.raises(CheckpointError, match="but a JPEG picture\nIt is no model: check the path"):
        load_tower(tmp_path / "x.safetensors")


def test_safetensors_under_any_name(model, tmp_path):
    def check(name):
        path = tmp_path / name
        save_file(wrapped(model, "cond_stage_model.transformer."), path)
        assert same(load_tower(path), model)

    names = ("a.SAFETENSORS", "a.sft", "a.pt", "a.ckpt", "a.bin", "a.png", "a.gguf", "a")
    assert not failures_of(check, names)


NO_TOWERS = {
    "a LoRA (1 tensor). It changes a model": "lora_unet_x.lora_down.weight",
    "a LoRA (1 tensor). It changes": "unet.down_blocks.0.attn.to_k.lora_A.weight",
    "a ControlNet (1 tensor). Load it with": "controlnet_cond_embedding.conv_in.weight",
    "a textual inversion (1 tensor). Load it into": "emb_params",
    "an IP-Adapter for pictures (1 tensor). Build": "image_proj.proj.weight",
    "a motion module of AnimateDiff (1 tensor)": "down_blocks.0.motion_modules.0.norm.weight",
    "a VAE. A VAE alone goes into build_pipeline": "first_stage_model.encoder.conv_in.weight",
    "a UNet or transformer (unknown)": "model.diffusion_model.x",
}


def test_files_without_a_tower_say_what_they_are(tmp_path):
    def check(called):
        path = tmp_path / "x.safetensors"
        save_file({NO_TOWERS[called]: torch.zeros(2, 2)}, path)
        with pytest.raises(CheckpointError) as caught:
            load_tower(path)
        expected = f"{str(path)!r} holds no text tower\nIt holds {called}"
        assert str(caught.value).startswith(expected), str(caught.value)

    assert not failures_of(check, NO_TOWERS)
