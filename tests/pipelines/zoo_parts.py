"""Tiny components of pipelines, with random weights that are the same each time."""

import copy
from functools import lru_cache

import diffusers
import torch
from diffusers.pipelines.deprecated.unidiffuser import UniDiffuserModel, UniDiffuserTextDecoder
from diffusers.pipelines.deprecated.wuerstchen import WuerstchenPrior
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
    StableUnCLIPImageNormalizer,
)
from transformers import (
    CLIPImageProcessor,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

from tests.parity import models
from tests.parity.models import fill, tokenizer
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, unet_of, vae_of

WIDTH_T5 = 96

__all__ = ["tokenizer"]


def drawn(build, seed=9):
    """A model of seeded random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build().eval().requires_grad_(False)


def model_l_projected():
    """The first tower of SD3 and of priors: 32 wide, with a projection."""
    return fill(CLIPTextModelWithProjection(models.model_l().config), 20242)


def model_g():
    return copy.deepcopy(models.model_g())


def t5():
    config = T5Config(vocab_size=64, d_model=WIDTH_T5, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return drawn(lambda: T5EncoderModel(config), 11)


@lru_cache(maxsize=1)
def word_tokenizer():
    """A tokenizer of T5's kind that knows a few words and signs."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel

    words = "<pad> </s> <unk> a cat dog red blurry ( ) : 1 3 . the".split()
    made = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    signs = [pre_tokenizers.Punctuation(), pre_tokenizers.Digits(True)]
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), *signs])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def sd3_transformer(**more):
    sizes = {
        "sample_size": SIDE // 2,
        "patch_size": 2,
        "in_channels": 4,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "joint_attention_dim": WIDTH_T5,
        "caption_projection_dim": 16,
        "pooled_projection_dim": WIDTH + WIDTH_G,
        "out_channels": 4,
        "pos_embed_max_size": 8,
    }
    return drawn(lambda: diffusers.SD3Transformer2DModel(**{**sizes, **more}))


def shifted_vae():
    """An autoencoder of SD3's and Flux's kind."""
    return drawn(lambda: vae_of(shift_factor=0.1))


def flux_transformer():
    return drawn(
        lambda: diffusers.FluxTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH_T5,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
        )
    )


def prior_transformer():
    def build():
        made = diffusers.PriorTransformer(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=2,
            embedding_dim=WIDTH,
            num_embeddings=77,
        )
        with torch.no_grad():  # a new one makes zeros of everything
            made.clip_std.fill_(1)
        return made

    return drawn(build)


def consistent_unet():
    """A UNet that is given the guidance scale."""
    return drawn(lambda: unet_of(WIDTH, time_cond_proj_dim=16))


def image_normalizer():
    return drawn(lambda: StableUnCLIPImageNormalizer(embedding_dim=WIDTH))


def unclip_unet():
    sizes = {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 2 * WIDTH}
    return drawn(lambda: unet_of(WIDTH, **sizes))


def cascade_unet(**sizes):
    """Stable Cascade's prior or decoder, by what it reads."""
    kinds = ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock")
    return drawn(
        lambda: diffusers.StableCascadeUNet(
            conditioning_dim=16,
            block_out_channels=(16,),
            num_attention_heads=(2,),
            down_num_layers_per_block=(1,),
            up_num_layers_per_block=(1,),
            down_blocks_repeat_mappers=(1,),
            up_blocks_repeat_mappers=(1,),
            block_types_per_layer=(kinds,),
            clip_text_pooled_in_channels=WIDTH_G,
            dropout=(0.1,),
            self_attn=True,
            switch_level=(False,),
            **sizes,
        )
    )


def cascade_prior():
    return cascade_unet(clip_text_in_channels=WIDTH_G, clip_image_in_channels=WIDTH_G)


def wuerstchen_prior():
    return drawn(lambda: WuerstchenPrior(c_in=2, c=8, c_cond=WIDTH, depth=2, nhead=2))


def video_unet(kind=diffusers.UNet3DConditionModel, heads="attention_head_dim"):
    return drawn(
        lambda: kind(
            sample_size=SIDE // 2,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            cross_attention_dim=WIDTH,
            norm_num_groups=8,
            **{heads: 4},
        )
    )


def t2i_adapter(channels):
    return drawn(
        lambda: diffusers.T2IAdapter(
            in_channels=channels,
            channels=(16, 32),
            num_res_blocks=1,
            downscale_factor=2,
            adapter_type="full_adapter",
        )
    )


def controlnet(unet):
    def build():
        made = diffusers.ControlNetModel.from_unet(
            unet, conditioning_embedding_out_channels=(8, 16)
        )
        # a new ControlNet's last layers are zero, and its prompt without effect
        for block in (*made.controlnet_down_blocks, made.controlnet_mid_block):
            torch.nn.init.normal_(block.weight, std=0.1)
        return made

    return drawn(build)


def motion_adapter():
    return drawn(
        lambda: diffusers.MotionAdapter(
            block_out_channels=(16, 32),
            motion_layers_per_block=1,
            motion_norm_num_groups=8,
            motion_num_attention_heads=4,
            motion_max_seq_length=8,
        )
    )


def i2vgen_unet():
    return video_unet(diffusers.I2VGenXLUNet, heads="attention_head_dim")


def image_encoder():
    config = CLIPVisionConfig(
        hidden_size=16,
        projection_dim=WIDTH,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    return drawn(lambda: CLIPVisionModelWithProjection(config))


def feature_extractor():
    return CLIPImageProcessor(crop_size=32, size=32)


def unidiffuser():
    return drawn(
        lambda: UniDiffuserModel(
            text_dim=WIDTH,
            clip_img_dim=WIDTH,
            num_text_tokens=77,
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            norm_num_groups=8,
            sample_size=SIDE // 2,
            patch_size=2,
            activation_fn="gelu",
            num_embeds_ada_norm=1000,
            norm_type="layer_norm",
            block_type="unidiffuser",
            norm_elementwise_affine=True,
            ff_final_dropout=True,
        )
    )


def text_decoder():
    return drawn(
        lambda: UniDiffuserTextDecoder(
            prefix_length=77,
            prefix_inner_dim=WIDTH,
            prefix_hidden_dim=WIDTH,
            vocab_size=64,
            n_positions=128,
            n_embd=32,
            n_layer=1,
            n_head=2,
        )
    )
