"""Both halves of open_clip's models against open_clip itself, from the same picture files."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from clipcond.reading import encoder_from_open_clip, load_encoder
from tests.reading.made import pictures_at
from tests.reference.live import PLAIN, open_clip

CLIP, CustomTextCLIP = open_clip.model.CLIP, open_clip.model.CustomTextCLIP
transform = open_clip.transform
PreprocessCfg, image_transform_v2 = transform.PreprocessCfg, transform.image_transform_v2
set_model_preprocess_cfg = open_clip.model.set_model_preprocess_cfg

SIZE = 64
TEXTS = ["a photo of a cat", "", "two red dogs, on the left of a house."]
VIT = {"layers": 2, "width": 64, "head_width": 64, "patch_size": 16, "image_size": SIZE}
TIMM = {"timm_model_pretrained": False, "timm_proj": "linear", "image_size": SIZE}
RESNET = {"layers": [1, 1, 1, 1], "width": 16, "head_width": 64, "image_size": SIZE}
# Families whose vision half is no plain vision transformer, and one that is.
VISIONS = {
    "vit": VIT,
    "resnet": RESNET,
    "attention pool": {**VIT, "attentional_pool": True, "attn_pooler_queries": 8},
    "average pool": {**VIT, "pool_type": "avg", "final_ln_after_pool": True},
    "eva02": {**TIMM, "timm_model_name": "eva02_tiny_patch14_224", "image_size": 224},
    "timm": {**TIMM, "timm_model_name": "test_vit", "timm_pool": "token"},
}
PREPROCESSING = {
    "clip": PreprocessCfg(SIZE),
    "squash": PreprocessCfg(SIZE, mean=(0.5,) * 3, std=(0.5,) * 3, resize_mode="squash"),
    "bilinear": PreprocessCfg(SIZE, interpolation="bilinear"),
}


def built(vision, kind=CustomTextCLIP, *, seed=0, **choices):
    """A whole model with random weights, norms included."""
    torch.manual_seed(seed)
    model = kind(48, vision, PLAIN, **choices).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2 and "logit" not in name:
            parameter.add_(0.1 * torch.randn_like(parameter))
        if name.endswith("proj") and parameter.dim() == 2:
            parameter.normal_(0, parameter.shape[0] ** -0.5)
    return model


def compare(encoder, model, config, files):
    transform = image_transform_v2(config, is_train=False)
    pixels = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
    ours = torch.stack([encoder.prepare(file) for file in files])
    torch.testing.assert_close(ours, pixels, atol=1e-6, rtol=0)
    images = model.encode_image(pixels, normalize=True)
    texts = model.encode_text(open_clip.tokenize(TEXTS), normalize=True)
    logits = model.logit_scale.exp() * images @ texts.T
    bias = getattr(model, "logit_bias", None)
    logits = logits if bias is None else logits + bias

    found = encoder.encode_image(files), encoder.encode_text(TEXTS)

    torch.testing.assert_close(found[0], images, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], texts, atol=1e-5, rtol=0)
    scale = encoder.logit_scale
    torch.testing.assert_close(encoder.logits(*found), logits, atol=1e-5 * scale, rtol=0)
    expected = logits.softmax(-1) if bias is None else logits.sigmoid()
    torch.testing.assert_close(
        encoder.probabilities(encoder.logits(*found)), expected, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("vision", VISIONS)
def test_a_model_of_open_clip_reads_as_it_does_itself(vision, tmp_path):
    model = built(VISIONS[vision])
    config = PreprocessCfg(VISIONS[vision]["image_size"])
    set_model_preprocess_cfg(model, vars(config))

    compare(encoder_from_open_clip(model), model, config, pictures_at(tmp_path)[:3])


@pytest.mark.parametrize("name", PREPROCESSING)
def test_every_way_to_prepare_pictures(name, tmp_path):
    model = built(VIT, CLIP, init_logit_bias=-3.0)
    set_model_preprocess_cfg(model, vars(PREPROCESSING[name]))

    encoder = encoder_from_open_clip(model)

    assert encoder.logit_bias == -3
    compare(encoder, model, PREPROCESSING[name], pictures_at(tmp_path))


@pytest.mark.parametrize("kind", [CLIP, CustomTextCLIP])
@pytest.mark.parametrize("quick_gelu", [False, True])
def test_a_file_of_open_clip_reads_as_its_model_does(kind, quick_gelu, tmp_path):
    model, config = built(VIT, kind, quick_gelu=quick_gelu), PREPROCESSING["squash"]
    weights = {name: t.contiguous() for name, t in model.state_dict().items()}
    save_file(weights, tmp_path / "open_clip_model.safetensors")
    described = {"embed_dim": 48, "quick_gelu": quick_gelu, "vision_cfg": VIT, "text_cfg": PLAIN}
    preprocess = {"mean": config.mean, "std": config.std, "resize_mode": "squash"}
    text = json.dumps({"model_cfg": described, "preprocess_cfg": preprocess})
    (tmp_path / "open_clip_config.json").write_text(text)

    compare(load_encoder(tmp_path), model, config, pictures_at(tmp_path))


def test_a_file_of_another_vision_half_says_what_opens_it(tmp_path):
    model = built(RESNET, CLIP)
    weights = {name: t.contiguous() for name, t in model.state_dict().items()}
    save_file(weights, tmp_path / "clip.safetensors")

    with pytest.raises(OSError, match=r"is a ResNet, which transformers cannot run"):
        load_encoder(tmp_path / "clip.safetensors")
