"""Builders of tiny pipelines whose text reaches the model in ways of their own."""

import diffusers
import torch

from tests.parity.models import model_g, model_l, tokenizer
from tests.pipelines import zoo
from tests.pipelines.bare import shared
from tests.pipelines.models import WIDTH, WIDTH_G, seeded, unet_of
from tests.pipelines.test_pooled_only import longer
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


def stirred(build):
    """A model whose last layers are not the zeros of a new one, which does not read its text."""
    model, generator = drawn(build), seeded()
    for each in model.parameters():
        torch.nn.init.normal_(each, std=0.2, generator=generator)
    return model


def hunyuan():
    transformer = drawn(
        lambda: diffusers.HunyuanVideoTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=10,
            num_layers=1,
            num_single_layers=1,
            num_refiner_layers=1,
            patch_size=1,
            text_embed_dim=WIDE,
            pooled_projection_dim=WIDTH,
            rope_axes_dim=(2, 4, 4),
        )
    )
    pipe = diffusers.HunyuanVideoPipeline(None, None, transformer, None, EULER(), None, None)
    pipe.text_encoder_2, pipe.tokenizer_2 = model_l(), tokenizer()

    def llama(prompt, _template, n, **_):
        return tuple(each.repeat_interleave(n, 0) for each in rows_of(prompt))

    pipe._get_llama_prompt_embeds = llama
    return pipe


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


def kandinsky_5():
    transformer = stirred(
        lambda: diffusers.Kandinsky5Transformer3DModel(
            in_text_dim=WIDE,
            in_text_dim2=WIDTH,
            time_dim=16,
            model_dim=16,
            ff_dim=16,
            num_text_blocks=1,
            num_visual_blocks=1,
            axes_dims=(4, 6, 6),
        )
    )
    parts = {"vae": None, "text_encoder": None, "tokenizer": None, "scheduler": EULER()}
    parts |= {"text_encoder_2": model_l(), "tokenizer_2": tokenizer()}
    pipe = diffusers.Kandinsky5T2IPipeline(transformer, **parts)
    pipe.resolutions = [(32, 32)]

    def qwen(prompt, **_):
        embeds, mask = rows_of(prompt)
        lengths = mask.sum(1)
        ends = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
        return embeds[:, : int(lengths.max())], ends

    pipe._encode_prompt_qwen = qwen
    return pipe


def flux_controlnet():
    pipe = zoo.make("FluxPipeline")
    controlnet = stirred(
        lambda: diffusers.FluxControlNetModel.from_transformer(
            *(pipe.transformer, 1, 0, 16, 2), load_weights_from_transformer=False
        )
    )
    names = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "transformer", "vae")
    own = {name: getattr(pipe, name) for name in (*names, "scheduler")}
    made = diffusers.FluxControlNetPipeline(controlnet=controlnet, **own)
    made.set_progress_bar_config(disable=True)
    return made


class Video(torch.nn.Module):
    """A stub of a model of pictures and sounds, which reads rows, their mask, and a vector."""

    def __init__(self):
        super().__init__()
        sizes = {"patch_size": (1, 2, 2), "in_visual_dim": 3, "visual_cond": False}
        self.config = diffusers.configuration_utils.FrozenDict(sizes)
        self.dtype = torch.float32

    @property
    def device(self):
        return torch.device("cpu")

    def cache_context(self, name):
        return torch.no_grad()

    def forward(
        self,
        hidden_states,
        audio_hidden_states=None,
        *,
        encoder_hidden_states,
        encoder_attention_mask,
        pooled_projections,
        **_,
    ):
        mask = encoder_attention_mask[..., None].to(encoder_hidden_states)
        text = (encoder_hidden_states * mask).sum((1, 2)) + pooled_projections.sum(1)
        return (hidden_states.sin() * text.cos().reshape(-1, *[1] * (hidden_states.ndim - 1)),)


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


def wuerstchen_prior():
    pipe = zoo.make("WuerstchenPriorPipeline")
    return pipe.to(torch.float64)  # it divides by almost nothing, which makes rounding large


def kandinsky_prior():
    pipe = zoo.make("KandinskyV22PriorPipeline")
    pipe.get_zero_embed = lambda n, device: torch.zeros(n, WIDTH)
    return pipe


def kandinsky_6():
    parts = dict.fromkeys(("vae", "text_encoder", "tokenizer", "audio_vae", "vocoder"))
    parts |= {"text_encoder_2": model_l(), "tokenizer_2": tokenizer()}
    pipe = diffusers.Kandinsky6TI2VAPipeline(transformer=Video(), scheduler=EULER(), **parts)

    def encode(prompts, _, __, clip_tokenizer, clip, *___):
        options = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
        embeds, mask = rows_of(prompts)
        return embeds, clip(**clip_tokenizer(prompts, **options)).pooler_output, mask.bool()

    pipe._get_prompt_embeds = encode
    return pipe
