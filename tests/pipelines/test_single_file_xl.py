"""SDXL in one file, with models small enough for tests: all arrives, and draws the same."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file

from clipcond import build_pipeline, detach
from clipcond.errors import CheckpointError
from tests.parity.models import fill
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, latents, tiny_sdxl
from tests.pipelines.single_file import TEXT_XL, VAE, single_file_xl

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


@pytest.fixture(scope="module")
def stock():
    """Three levels, of which the first has no attention, as SDXL's; a VAE of four."""
    with torch.random.fork_rng():
        torch.manual_seed(12)
        unet = UNet2DConditionModel(
            sample_size=SIDE // 2,
            block_out_channels=(32, 32, 64),
            layers_per_block=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 1, 2),
            attention_head_dim=(4, 4, 8),
            cross_attention_dim=WIDTH + WIDTH_G,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=WIDTH_G + 6 * 8,
        )
        vae = AutoencoderKL(
            sample_size=SIDE,
            block_out_channels=(32, 32, 64, 64),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )
    pipe = tiny_sdxl(unet=unet.eval(), vae=vae.eval())
    for encoder in (pipe.text_encoder, pipe.text_encoder_2):
        fill(encoder, 5)
    return pipe


@pytest.fixture(scope="module")
def weights(stock):
    return single_file_xl(stock)


@pytest.fixture
def file(stock, weights, tmp_path, monkeypatch):
    """The file, and its configuration next to it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    stock.save_pretrained(tmp_path / "model")
    for path in tmp_path.glob("model/*/*.safetensors"):
        path.unlink()
    path = tmp_path / "model.safetensors"
    save_file(weights, path)
    return path


@pytest.mark.slow
def test_every_weight_arrives(file, stock):
    pipe = build_pipeline(file)

    for part in PARTS:
        ours, theirs = getattr(pipe, part).state_dict(), getattr(stock, part).state_dict()
        assert ours.keys() == theirs.keys(), part
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs), part


@pytest.mark.slow
def test_it_draws_as_its_folder_and_as_diffusers(file, stock, tmp_path):
    stock.save_pretrained(tmp_path / "whole")
    choices = {"negative_prompt": "a dog", "height": SIDE, "width": SIDE}
    one, other = build_pipeline(file), build_pipeline(tmp_path / "whole")
    drawn = latents(one, "a (cat:1.4)", **choices)

    assert torch.equal(drawn, latents(other, "a (cat:1.4)", **choices))
    assert not torch.equal(drawn, latents(one, "a cat", **choices))
    plain = latents(detach(one), "a cat", **choices)
    assert torch.equal(plain, latents(stock, "a cat", **choices))


@pytest.mark.parametrize(
    ("removed", "why"),
    [
        ("conditioner.embedders.1.", "text_encoder_2"),
        (TEXT_XL, "text_encoder"),
        (VAE, "VAE"),
        ("model.diffusion_model.", "UNet"),
        ("model.diffusion_model.label_emb.", "unet"),
    ],
)
def test_a_part_that_is_missing_is_named(file, weights, removed, why):
    save_file({k: t for k, t in weights.items() if not k.startswith(removed)}, file)
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(file)
    assert why in str(caught.value)


def test_without_a_configuration_the_way_is_named(file, tmp_path):
    (tmp_path / "model").rename(tmp_path / "other")
    with pytest.raises(CheckpointError, match="configuration"):
        build_pipeline(file)
