"""Single files of OpenAI, open_clip and cn_clip; files without a vision half, or with another."""

import json

import pytest
import torch
from safetensors.torch import save_file

from clipcond.errors import CheckpointError
from clipcond.reading import load_encoder
from clipcond.reading.preprocessing import round_offset
from tests.reading.made import (
    chinese_clip,
    clip,
    in_open_clip_layout,
    pictures_at,
)

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
    from clipcond.tokenizers.open_clip import shipped

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
