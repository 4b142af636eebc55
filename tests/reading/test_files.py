"""Single files of OpenAI, open_clip and cn_clip; files without a vision half, or with another."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipcond.checkpoints import vision_files
from clipcond.embedded import folder as embedded_folder
from clipcond.errors import CheckpointError, ClipcondWarning
from clipcond.reading import load_encoder
from clipcond.reading.preprocessing import round_offset
from clipcond.tokenizers.open_clip import shipped
from clipcond.tokenizers.word_piece import chinese_tokenizer
from tests.checkpoints.made_files import clip as text_half
from tests.checkpoints.made_files import unet, wrapped
from tests.reading.made import FAMILIES, chinese_clip, clip, in_open_clip_layout, pictures_at

OPENAI = ("input_resolution", "context_length", "vocab_size")
CONFIG = {
    "model_cfg": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {"width": 64, "heads": 1, "layers": 2},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
}


def compared(encoder, model, path, texts=("a photo of a cat", "two dogs")):
    """The largest difference to a model of transformers, on what our preprocessing makes."""
    files = pictures_at(path)
    pixels = torch.stack([encoder.prepare(file) for file in files])
    ids = torch.tensor([c + [49407] * (77 - len(c)) for c in map(_ids, texts)])
    with torch.no_grad():
        theirs = model(pixel_values=pixels, input_ids=ids)
    images, words = encoder.encode_image(files), encoder.encode_text(list(texts))
    torch.testing.assert_close(images, theirs.image_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(words, theirs.text_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        encoder.logits(images, words),
        theirs.logits_per_image,
        atol=1e-5 * encoder.logit_scale,
        rtol=0,
    )


def _ids(text):
    return [49406, *shipped(77).encode(text), 49407]


@pytest.mark.parametrize("form", ["file", "folder", "openai"])
def test_an_open_clip_layout_is_read_as_the_same_model(tmp_path, form):
    weights, model = in_open_clip_layout(clip()), clip()
    if form == "openai":
        weights |= {name: torch.tensor(32) for name in OPENAI}
    else:
        (tmp_path / "open_clip_config.json").write_text(json.dumps(CONFIG))
    path = tmp_path / "open_clip_model.safetensors"
    save_file(weights, path)

    encoder = load_encoder(tmp_path if form == "folder" else path)

    compared(encoder, model, tmp_path)
    assert encoder.prepare.offset is round_offset
    assert encoder.prepare.std == pytest.approx(
        (0.25,) * 3 if form != "openai" else (0.2686, 0.2613, 0.2758), abs=1e-4
    )


def test_a_file_of_transformers_with_its_config(tmp_path):
    clip().save_pretrained(tmp_path)

    compared(load_encoder(tmp_path / "model.safetensors"), clip(), tmp_path)


def test_cn_clips_file_squeezes_pictures_and_has_its_own_activation(tmp_path):
    model = chinese_clip()
    weights = in_open_clip_layout(model, text=False)
    for name, tensor in model.state_dict().items():
        if name.startswith("text_model.") and "pooler" not in name and tensor.is_floating_point():
            weights[name.replace("text_model.", "bert.")] = tensor
    weights["text_projection"] = model.text_projection.weight.detach().T.contiguous()
    save_file(weights, tmp_path / "clip_cn.safetensors")
    files = pictures_at(tmp_path)

    encoder = load_encoder(tmp_path / "clip_cn.safetensors")

    with torch.no_grad():
        pixels = torch.stack([encoder.prepare(file) for file in files])
        theirs = model.get_image_features(pixel_values=pixels).pooler_output
    theirs = theirs / theirs.norm(dim=-1, keepdim=True)
    assert encoder.prepare.shortest is None
    torch.testing.assert_close(encoder.encode_image(files), theirs, atol=1e-5, rtol=0)


def failure(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_encoder(path)
    return str(caught.value)


@pytest.mark.parametrize("whole", ["someone/whole-clip", ""])
def test_a_diffusion_checkpoint_has_no_vision_half(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(vision_files, "_WHOLE", {(64, 3): whole} if whole else {})
    weights = wrapped(text_half(), "cond_stage_model.transformer.")
    save_file({**weights, **unet(64)}, tmp_path / "sd.safetensors")

    message = failure(tmp_path / "sd.safetensors")

    assert "has no vision half, so it cannot read pictures" in message
    assert (
        "A diffusion checkpoint carries the text half of its CLIP and never the vision" in message
    )
    assert ("Its text half was published whole as 'someone/whole-clip'" in message) == bool(whole)


def test_the_towers_of_diffusion_models_are_known_by_their_shapes():
    assert vision_files._WHOLE[768, 12] == "openai/clip-vit-large-patch14"
    assert {width for width, _ in vision_files._WHOLE} == {768, 1024, 1280}


def test_folders_without_a_vision_half(tmp_path):
    assert "is a diffusers pipeline: its CLIP has no vision half" in failure(embedded_folder())
    assert "is a text model without a vision half" in failure(embedded_folder() / "text_encoder")
    assert "there is no file or folder" in failure(tmp_path / "none")
    (tmp_path / "config.json").write_text('{"model_type": "blip"}')
    assert "says model_type 'blip', which has no vision half" in failure(tmp_path)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["visual.layer1.0.conv1.weight"], "a ResNet"),
        (["visual.trunk.blocks.0.attn.qkv.weight"], "a model of timm's"),
        (["visual.cls_token", "visual.blocks.0.attn.q_proj.weight"], "EVA-CLIP's own vision"),
    ],
)
def test_a_vision_half_that_transformers_cannot_run_is_named(tmp_path, names, what):
    weights = {k: t for k, t in in_open_clip_layout(clip()).items() if not k.startswith("visual.")}
    weights |= {name: torch.zeros(2) for name in names}
    save_file(weights, tmp_path / "clip.safetensors")

    message = failure(tmp_path / "clip.safetensors")

    assert f"is {what}" in message
    assert "encoder_from_open_clip" in message
    assert "pip install open_clip_torch" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("visual.ln_post.bias"), "has no tensor 'visual.ln_post.bias'"),
        (lambda w: w.update({"visual.ls.gamma": torch.ones(2)}), "1 tensor that no such tower has"),
        (lambda w: w.update({"visual.proj": torch.ones(3, 24)}), "'visual.proj' is [3, 24]"),
        (
            lambda w: w.update({"visual.positional_embedding": torch.ones(16, 64)}),
            "its 16 positions are no square of patches and a class token",
        ),
        (lambda w: w.update({"logit_scale": torch.tensor(torch.nan)}), "logit_bias is no number"),
    ],
)
def test_a_damaged_vision_half_is_refused(tmp_path, change, message):
    weights = in_open_clip_layout(clip()) | {name: torch.tensor(32) for name in OPENAI}
    change(weights)
    save_file(weights, tmp_path / "clip.safetensors")

    assert message in failure(tmp_path / "clip.safetensors")


def test_a_config_that_transformers_cannot_follow_is_refused(tmp_path):
    usual = dict.fromkeys(("ls_init_value", "act_kwargs", "norm_kwargs", "timm_model_name"))
    usual |= dict.fromkeys(
        ("attentional_pool", "final_ln_after_pool", "no_ln_pre", "qk_norm"), False
    )
    usual["pool_type"] = "tok"
    unusual = {
        **{"ls_init_value": 0.1, "act_kwargs": {}, "norm_kwargs": {"eps": 1e-6}},
        **{"timm_model_name": "vit_base", "attentional_pool": True, "final_ln_after_pool": True},
        **{"no_ln_pre": True, "qk_norm": True, "pool_type": "avg"},
    }
    model_cfg = CONFIG["model_cfg"]
    save_file(in_open_clip_layout(clip()), tmp_path / "open_clip_model.safetensors")

    def write(vision):
        config = {"model_cfg": {**model_cfg, "vision_cfg": {**model_cfg["vision_cfg"], **vision}}}
        (tmp_path / "open_clip_config.json").write_text(json.dumps(config))

    assert unusual.keys() == usual.keys()
    for name, value in unusual.items():
        write({name: value})
        assert f"says {name}={value!r}, which a CLIPVisionModel" in failure(tmp_path)
    write(usual)
    compared(load_encoder(tmp_path), clip(), tmp_path)


def test_without_a_logit_scale_the_largest_is_taken_with_a_warning(tmp_path):
    weights = in_open_clip_layout(clip()) | {name: torch.tensor(32) for name in OPENAI}
    del weights["logit_scale"]
    save_file(weights, tmp_path / "clip.safetensors")

    with pytest.warns(ClipcondWarning, match="has no logit_scale"):
        assert load_encoder(tmp_path / "clip.safetensors").logit_scale == 100


def test_a_folder_whose_preprocessor_belongs_to_another_model(tmp_path):
    for make in FAMILIES["clip"]:
        make().save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"size": 224, "crop_size": 224}')

    assert "makes pictures of 224 x 224 pixels, but the vision tower reads 32 x 32" in failure(
        tmp_path
    )


def test_a_pickle_is_read_only_when_it_may_be(tmp_path):
    model = chinese_clip()
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    chinese_tokenizer().save_pretrained(tmp_path)

    assert "which can run code when opened" in failure(tmp_path)
    encoder = load_encoder(tmp_path, allow_pickle=True)

    files = pictures_at(tmp_path)
    with torch.no_grad():
        pixels = torch.stack([encoder.prepare(file) for file in files])
        theirs = model.get_image_features(pixel_values=pixels).pooler_output
    theirs = theirs / theirs.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(encoder.encode_image(files), theirs, atol=1e-5, rtol=0)
