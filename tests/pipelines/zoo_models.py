"""Further tiny components: of pipelines that draw with more than a UNet, or with another one."""

import copy
import inspect
from functools import partial

import diffusers
import torch
from transformers import CLIPProcessor, SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

from tests.parity.models import model_l
from tests.pipelines import zoo_parts as parts
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, seeded, unet_of, unet_xl, vae_of
from tests.pipelines.zoo_parts import drawn
from tests.towers.alt import tokenizer as multilingual

HIDDEN = (8, 16)  # channels of what embeds a ControlNet's picture


def stirred(build):
    """A model whose last layers are not the zeros of a new one, which does not read its text."""
    model, generator = drawn(build), seeded()
    for each in model.parameters():
        torch.nn.init.normal_(each, std=0.2, generator=generator)
    return model


def controlnet_union(unet):
    kind = diffusers.ControlNetUnionModel
    wanted = inspect.signature(kind.__init__).parameters
    sizes = {name: value for name, value in unet.config.items() if name in wanted}
    sizes |= {"num_trans_channel": 16, "num_trans_head": 2, "num_proj_channel": 16}
    return stirred(partial(kind, **sizes, conditioning_embedding_out_channels=HIDDEN))


def controlnet_xs(unet):
    own = {"conditioning_embedding_out_channels": HIDDEN, "size_ratio": 0.5}
    return stirred(partial(diffusers.ControlNetXSAdapter.from_unet, unet, **own))


def sparse_controlnet():
    return stirred(
        lambda: diffusers.SparseControlNetModel(
            conditioning_channels=3,
            down_block_types=("CrossAttnDownBlockMotion", "CrossAttnDownBlockMotion"),
            block_out_channels=(16, 32),
            layers_per_block=1,
            cross_attention_dim=WIDTH,
            attention_head_dim=4,
            norm_num_groups=8,
            motion_num_attention_heads=4,
            conditioning_embedding_out_channels=HIDDEN,
            use_simplified_condition_embedding=False,
        )
    )


def deeper_unet():
    """ControlNet-XS joins two pairs of layers in each block."""
    return drawn(lambda: unet_of(WIDTH, layers_per_block=2))


def deeper_unet_xl():
    return unet_xl(layers_per_block=2)


def vae_with_depth():
    return drawn(lambda: vae_of(in_channels=6, out_channels=6))


def gligen_unet(kind="gated"):
    return stirred_gates(drawn(lambda: unet_of(WIDTH, attention_type=kind)))


def stirred_gates(unet):
    """A UNet whose gates for boxes are open: a new one has them at zero."""
    for name, each in unet.named_parameters():
        if "alpha_" in name:
            torch.nn.init.constant_(each, 0.5)
    return unet


def clip_processor():
    return CLIPProcessor(parts.feature_extractor(), parts.tokenizer())


def image_project():
    from diffusers.pipelines.stable_diffusion.clip_image_project_model import CLIPImageProjection

    return drawn(lambda: CLIPImageProjection(hidden_size=WIDTH))


def upscaling_unet():
    """The latent upscaler's: it reads a noise level and the pooled vector with the time."""
    sizes = {"in_channels": 8, "out_channels": 5, "time_cond_proj_dim": 128 + WIDTH}
    return drawn(lambda: unet_of(WIDTH, **sizes))


def sd3_controlnet(extra=0):
    return stirred(
        lambda: diffusers.SD3ControlNetModel(
            sample_size=SIDE // 2,
            patch_size=2,
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=parts.WIDTH_T5,
            caption_projection_dim=16,
            pooled_projection_dim=WIDTH + WIDTH_G,
            out_channels=4,
            pos_embed_max_size=8,
            extra_conditioning_channels=extra,
            force_zeros_for_pooled_projection=False,
        )
    )


def wide_vae():
    """An autoencoder of as many channels as SD3's."""
    return drawn(lambda: vae_of(shift_factor=0.1, latent_channels=16))


def wide_transformer():
    return parts.sd3_transformer(in_channels=16, out_channels=16)


def flux_transformer(in_channels):
    return drawn(
        lambda: diffusers.FluxTransformer2DModel(
            in_channels=in_channels,
            out_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=parts.WIDTH_T5,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
        )
    )


def flux_controlnet():
    return stirred(
        lambda: diffusers.FluxControlNetModel.from_transformer(
            *(parts.flux_transformer(), 1, 0, 16, 2), load_weights_from_transformer=False
        )
    )


def siglip():
    config = SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    return drawn(lambda: SiglipVisionModel(config))


def siglip_extractor():
    return SiglipImageProcessor(size={"height": 32, "width": 32})


def redux():
    from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder

    return drawn(lambda: ReduxImageEncoder(redux_dim=16, txt_in_features=parts.WIDTH_T5))


def projection_of_unclip():
    from diffusers.pipelines.deprecated.unclip import UnCLIPTextProjModel

    sizes = {"clip_embeddings_dim": WIDTH, "time_embed_dim": 32, "cross_attention_dim": WIDTH}
    return stirred(lambda: UnCLIPTextProjModel(clip_extra_context_tokens=1, **sizes))


def unclip_decoder():
    sizes = {
        "in_channels": 3,
        "out_channels": 6,
        "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "resnet_time_scale_shift": "scale_shift",
        "class_embed_type": "identity",
        "block_out_channels": (8, 16),
    }
    return drawn(lambda: unet_of(WIDTH, **sizes))


def unclip_upscaler():
    return drawn(
        lambda: diffusers.UNet2DModel(
            sample_size=SIDE,
            in_channels=6,
            out_channels=3,
            layers_per_block=1,
            block_out_channels=(8, 16),
            norm_num_groups=8,
            down_block_types=("ResnetDownsampleBlock2D",) * 2,
            up_block_types=("ResnetUpsampleBlock2D",) * 2,
        )
    )


def video_vae():
    """Hunyuan's autoencoder: 8 pixels a latent, 4 frames a latent."""
    return drawn(
        lambda: diffusers.AutoencoderKLHunyuanVideo(
            latent_channels=4,
            block_out_channels=(4, 4, 4, 4),
            layers_per_block=1,
            norm_num_groups=2,
            mid_block_add_attention=False,
        )
    )


def deep_vae():
    """An autoencoder of pictures with 8 pixels a latent."""
    blocks = {"block_out_channels": (4,) * 4, "norm_num_groups": 2}
    kinds = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    }
    return drawn(lambda: vae_of(**blocks, **kinds))


def paradigms_scheduler():
    return diffusers.DDIMParallelScheduler(steps_offset=1, clip_sample=False)


def text_encoder_of_old_names():
    """A text encoder with its inner model, which I2VGenXL asks for and transformers 5 has not."""
    model = copy.deepcopy(model_l())
    if not hasattr(model, "text_model"):
        vars(model)["text_model"] = model  # not as a module, which would have itself within
    return model


def roberta(later=False):
    """AltDiffusion's text encoder, diffusers' own XLM-RoBERTa; `later`: of its later models."""
    from diffusers.pipelines.deprecated.alt_diffusion import modeling_roberta_series as series

    config = series.RobertaSeriesConfig(
        vocab_size=len(multilingual()),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=80,
        project_dim=WIDTH,
        has_pre_transformation=later,
    )
    return drawn(lambda: series.RobertaSeriesModelWithTransformation(config))


def roberta_tokenizer():
    made = copy.deepcopy(multilingual())  # others share it
    made.model_max_length = 77
    return made
