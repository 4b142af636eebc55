"""The models with fresh weights."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import (
    ChineseCLIPTextConfig,
    ChineseCLIPTextModel,
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
)

from clipcond.towers.chinese_clip import ChineseTextEncoder

from .nouns import NOUNS
from .settings import Sizes
from .sprites import COLOUR_NAMES
from .world import SIZE, STYLES

# Real CLIP towers have a mean well away from zero, which mean-restoring weights rely on; a final
# norm with a free bias would learn a mean near zero. So it is fixed, as in the first edition.
FINAL_NORM_BIAS = -0.12
CHINESE_POSITIONS = 52
MOST_COUNT = 3


def autoencoder(sizes: Sizes) -> AutoencoderKL:
    """128 x 128 x 3 pixels <-> 16 x 16 latents."""
    n = len(sizes.vae)
    return AutoencoderKL(
        latent_channels=sizes.latents,
        sample_size=SIZE,
        block_out_channels=sizes.vae,
        down_block_types=("DownEncoderBlock2D",) * n,
        up_block_types=("UpDecoderBlock2D",) * n,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
    )


def clip(sizes: Sizes, tokenizer: CLIPTokenizer, known: Tensor) -> CLIPModel:
    """Both towers; vocabulary rows where `known` [vocabulary] is False are zero, and stay so."""
    common = {"hidden_act": "quick_gelu", "projection_dim": sizes.text_width}
    common["num_attention_heads"] = sizes.text_heads
    text = common | {
        "vocab_size": len(tokenizer),
        "hidden_size": sizes.text_width,
        "intermediate_size": 4 * sizes.text_width,
        "num_hidden_layers": sizes.text_layers,
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = common | {
        "hidden_size": sizes.vision_width,
        "intermediate_size": 4 * sizes.vision_width,
        "num_hidden_layers": sizes.vision_layers,
        "image_size": SIZE,
        "patch_size": sizes.patch,
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=sizes.text_width)
    model = CLIPModel(config)
    with torch.no_grad():
        table = model.text_model.embeddings.token_embedding.weight
        table.normal_(std=0.05).mul_(known[:, None])
        model.text_model.final_layer_norm.bias.fill_(FINAL_NORM_BIAS)
    model.text_model.final_layer_norm.bias.requires_grad_(False)
    return model


def unet(sizes: Sizes) -> UNet2DConditionModel:
    """The UNet, cross-attention below the top level."""
    n = len(sizes.unet) - 1
    return UNet2DConditionModel(
        sample_size=SIZE // 2 ** (len(sizes.vae) - 1),
        in_channels=sizes.latents,
        out_channels=sizes.latents,
        block_out_channels=sizes.unet,
        layers_per_block=1,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * n),
        up_block_types=(*("CrossAttnUpBlock2D",) * n, "UpBlock2D"),
        cross_attention_dim=sizes.text_width,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def schedule() -> DDIMScheduler:
    """The noise schedule, as it is saved with the pipeline: zero terminal SNR, v-prediction."""
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,  # without effect here; diffusers warns of anything else
        clip_sample=False,
    )


def chinese_tower(sizes: Sizes, n_vocabulary: int, pad: int, known: Tensor) -> ChineseTextEncoder:
    """A BERT tower with a projection into the space of the CLIP pair.

    The biases of its blocks' last norms are fixed, as that of the English tower's final norm is.
    """
    config = ChineseCLIPTextConfig(
        vocab_size=n_vocabulary,
        hidden_size=sizes.chinese_width,
        intermediate_size=4 * sizes.chinese_width,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=sizes.text_heads,
        hidden_act="gelu",
        max_position_embeddings=CHINESE_POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=pad,
    )
    model = ChineseCLIPTextModel(config, add_pooling_layer=False)
    with torch.no_grad():
        table = model.embeddings.word_embeddings.weight
        table.normal_(std=0.05).mul_(known[:, None])
        for block in model.encoder.layer:
            block.output.LayerNorm.bias.fill_(FINAL_NORM_BIAS).requires_grad_(False)
    projection = nn.Linear(sizes.chinese_width, sizes.text_width, bias=False)
    return ChineseTextEncoder(model, projection)


class Judge(nn.Module):
    """Names what is in a view, for measuring alone: noun, style, colour of the thing, count.

    views [b 3 64 64] in -1..1 -> logits by head. It sees renderings, never a generated picture.
    """

    heads = ("noun", "style", "colour", "count")

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in sizes.judge:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            layers += [nn.Conv2d(width, width, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(8, width), nn.SiLU()]
            before = width
        self.features = nn.Sequential(*layers)
        n_features = before * (SIZE // 2 // 2 ** len(sizes.judge)) ** 2
        outputs = (len(NOUNS), len(STYLES), len(COLOUR_NAMES), MOST_COUNT)
        self.outputs = nn.ModuleList(nn.Linear(n_features, n) for n in outputs)

    def forward(self, views: Tensor) -> dict[str, Tensor]:
        features = self.features(views).flatten(1)
        return {
            name: head(features).float()
            for name, head in zip(self.heads, self.outputs, strict=True)
        }
