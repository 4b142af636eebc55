"""Tiny pipelines whose large text models are stubs: Llama, Qwen, T5 of HiDream; CLIP is real."""

import copy
from functools import partial

import diffusers
import torch
from transformers import CLIPTextModelWithProjection

from tests.parity.models import fill, model_g, model_l, tokenizer
from tests.pipelines import zoo_models as models
from tests.pipelines.bare import shared
from tests.pipelines.models import WIDTH, WIDTH_G, unet_of
from tests.pipelines.zoo_models import stirred
from tests.pipelines.zoo_parts import cascade_unet, drawn, model_l_projected

EULER = diffusers.FlowMatchEulerDiscreteScheduler
ROWS, WIDE = 6, 16


def rows_of(texts):
    """Rows of another text model [b ROWS WIDE], and the mask of their words [b ROWS]."""
    texts = [texts] if isinstance(texts, str) else texts
    seeds = [sum(ord(sign) * (i + 1) for i, sign in enumerate(text)) for text in texts]
    made = [torch.randn(ROWS, WIDE, generator=torch.Generator().manual_seed(s)) for s in seeds]
    lengths = torch.tensor([[min(ROWS, 2 + len(text.split()))] for text in texts])
    return torch.stack(made), (torch.arange(ROWS) < lengths).long()


def longer(model):
    """The model with 128 positions, as HiDream's towers have more than 77."""
    config = copy.deepcopy(model.config)
    config.max_position_embeddings = 128
    return fill(CLIPTextModelWithProjection(config), 3)


def hunyuan(name="HunyuanVideoPipeline", **sizes):
    own = {
        "in_channels": 4,
        "out_channels": 4,
        "num_attention_heads": 2,
        "attention_head_dim": 10,
        "num_layers": 1,
        "num_single_layers": 1,
        "num_refiner_layers": 1,
        "patch_size": 1,
        "text_embed_dim": WIDE,
        "pooled_projection_dim": WIDTH,
        "rope_axes_dim": (2, 4, 4),
        **sizes,
    }
    kind, is_packed = getattr(diffusers, name), "Framepack" in name
    model = diffusers.HunyuanVideoTransformer3DModel
    transformer = drawn(
        partial(diffusers.HunyuanVideoFramepackTransformer3DModel if is_packed else model, **own)
    )
    parts = {"text_encoder": None, "tokenizer": None, "transformer": transformer}
    parts |= {"text_encoder_2": model_l(), "tokenizer_2": tokenizer(), "scheduler": EULER()}
    more = {"image_encoder": None, "feature_extractor": None} if is_packed else {}
    if name == "HunyuanVideoImageToVideoPipeline":
        more = {"image_processor": None}
    pipe = kind(**parts, vae=models.video_vae(), **more)
    pipe.encode_image = lambda *_, **__: torch.ones(1, 2, WIDE)  # Framepack's

    def llama(*given, **_):
        prompt, n = next((given[i], given[i + 2]) for i in (0, 1) if _is_text(given[i]))
        return tuple(each.repeat_interleave(n, 0) for each in rows_of(prompt))

    pipe._get_llama_prompt_embeds = llama
    return pipe


def _is_text(value):
    return isinstance(value, str | list) and all(isinstance(each, str) for each in value)


def framepack():
    sizes = {
        "has_image_proj": True,
        "image_proj_dim": WIDE,
        "patch_size": 2,
        "has_clean_x_embedder": True,
    }
    return hunyuan("HunyuanVideoFramepackPipeline", **sizes)


def hidream():
    transformer = drawn(
        lambda: diffusers.HiDreamImageTransformer2DModel(
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_channels=[WIDE, WIDE],
            text_emb_dim=WIDTH + WIDTH_G,
            num_routed_experts=2,
            num_activated_experts=1,
            axes_dims_rope=(4, 2, 2),
            max_resolution=(4, 4),
            llama_layers=[0, 1],
        )
    )
    towers = longer(model_l_projected()), tokenizer(), longer(model_g()), tokenizer("!")
    others = None, None, None, None
    pipe = diffusers.HiDreamImagePipeline(EULER(), None, *towers, *others, transformer)
    pipe.default_sample_size = 4
    pipe._get_t5_prompt_embeds = lambda texts, *_: rows_of(texts)[0]
    pipe._get_llama3_prompt_embeds = lambda texts, *_: torch.stack([rows_of(texts)[0]] * 2).flip(3)
    return pipe


KANDINSKY = {"in_text_dim": WIDE, "in_text_dim2": WIDTH, "time_dim": 16, "model_dim": 16}
KANDINSKY |= {"ff_dim": 16, "num_text_blocks": 1, "num_visual_blocks": 1}


def kandinsky_5(name="Kandinsky5T2IPipeline", *, vae=None, visual=False):
    transformer = stirred(
        lambda: diffusers.Kandinsky5Transformer3DModel(
            **KANDINSKY,
            axes_dims=(4, 6, 6),
            visual_cond=visual,
        )
    )
    parts = {"vae": vae and vae(), "text_encoder": None, "tokenizer": None, "scheduler": EULER()}
    parts |= {"text_encoder_2": model_l(), "tokenizer_2": tokenizer()}
    pipe = getattr(diffusers, name)(transformer, **parts)
    pipe.resolutions = [(32, 32)]  # of pictures

    def qwen(prompt, **_):
        embeds, mask = rows_of(prompt)
        lengths = mask.sum(1)
        ends = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
        return embeds[:, : int(lengths.max())], ends

    pipe._encode_prompt_qwen = qwen
    return pipe


def kandinsky_6():
    transformer = stirred(
        lambda: diffusers.Kandinsky6Transformer3DModel(
            in_visual_dim=4,
            out_visual_dim=8,
            in_audio_dim=4,
            out_audio_dim=8,
            **KANDINSKY,
            axes_dims=(4, 6, 6),
            axes_dims_a=(16, 0, 0),
        )
    )
    parts = dict.fromkeys(("vae", "text_encoder", "tokenizer", "audio_vae", "vocoder"))
    parts |= {"text_encoder_2": model_l(), "tokenizer_2": tokenizer()}
    scheduler = diffusers.PiflowScheduler(n_grid=2)
    pipe = diffusers.Kandinsky6TI2VAPipeline(transformer=transformer, scheduler=scheduler, **parts)

    def encode(prompts, _, __, clip_tokenizer, clip, *___):
        options = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
        embeds, mask = rows_of(prompts)
        return embeds, clip(**clip_tokenizer(prompts, **options)).pooler_output, mask.bool()

    pipe._get_prompt_embeds = encode
    return pipe


def cascade_decoder():
    decoder = cascade_unet(in_channels=4, out_channels=4, effnet_in_channels=2)
    scheduler = diffusers.DDPMWuerstchenScheduler()
    return diffusers.StableCascadeDecoderPipeline(decoder, tokenizer(), model_g(), scheduler, None)


def wuerstchen_decoder():
    from diffusers.pipelines.deprecated.wuerstchen import WuerstchenDiffNeXt

    decoder = stirred(
        lambda: WuerstchenDiffNeXt(
            c_in=4,
            c_out=4,
            c_r=8,
            patch_size=2,
            c_cond=WIDTH,
            c_hidden=[16, 16],
            nhead=[-1, 2],
            blocks=[1, 1],
            level_config=["CT", "CTA"],
            inject_effnet=[True, True],
            effnet_embd=2,
            clip_embd=WIDTH,
        )
    )
    parts = diffusers.DDPMWuerstchenScheduler(), shared(unet_of, WIDTH)
    return diffusers.WuerstchenDecoderPipeline(tokenizer(), model_l(), decoder, *parts)


# the name of a class -> what makes a pipeline of it
BUILT = {
    "HunyuanVideoPipeline": hunyuan,
    "HunyuanVideoFramepackPipeline": framepack,
    "HunyuanVideoImageToVideoPipeline": partial(
        hunyuan,
        "HunyuanVideoImageToVideoPipeline",
        in_channels=9,
        image_condition_type="latent_concat",
    ),
    "HunyuanSkyreelsImageToVideoPipeline": partial(
        hunyuan, "HunyuanSkyreelsImageToVideoPipeline", in_channels=8
    ),
    "HiDreamImagePipeline": hidream,
    "Kandinsky5T2IPipeline": kandinsky_5,
    "Kandinsky5I2IPipeline": partial(
        kandinsky_5, "Kandinsky5I2IPipeline", vae=models.deep_vae, visual=True
    ),
    "Kandinsky5T2VPipeline": partial(kandinsky_5, "Kandinsky5T2VPipeline", visual=True),
    "Kandinsky5I2VPipeline": partial(
        kandinsky_5, "Kandinsky5I2VPipeline", vae=models.video_vae, visual=True
    ),
    "Kandinsky6TI2VAPipeline": kandinsky_6,
    "StableCascadeDecoderPipeline": cascade_decoder,
    "WuerstchenDecoderPipeline": wuerstchen_decoder,
}
