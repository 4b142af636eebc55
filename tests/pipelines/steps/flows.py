"""Tiny pipelines of the families whose text reaches the model in ways of their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import diffusers
import torch

from clipcond import attach
from tests.parity.models import model_g, model_l, tokenizer
from tests.pipelines import zoo
from tests.pipelines.bare import bare, pipeline_classes, shared
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, seeded, unet_of
from tests.pipelines.test_pooled_only import longer
from tests.pipelines.zoo_parts import drawn, model_l_projected

EULER = diffusers.FlowMatchEulerDiscreteScheduler
OF_FLOWS = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
ROWS, WIDE = 6, 16


def rows_of(texts):
    """Rows of another text model [b ROWS WIDE], and the mask of their words [b ROWS]."""
    texts = [texts] if isinstance(texts, str) else texts
    seeds = [sum(ord(sign) * (i + 1) for i, sign in enumerate(text)) for text in texts]
    made = [torch.randn(ROWS, WIDE, generator=torch.Generator().manual_seed(s)) for s in seeds]
    lengths = torch.tensor([[min(ROWS, 2 + len(text.split()))] for text in texts])
    return torch.stack(made), (torch.arange(ROWS) < lengths).long()


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


class Video(torch.nn.Module):
    """A stub of a model of pictures and sounds, which reads rows, their mask, and a vector."""

    def __init__(self):
        super().__init__()
        self.config = diffusers.configuration_utils.FrozenDict(visual_cond=False, in_audio_dim=3)
        self.dtype = torch.float32

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
    kinds = ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock")
    decoder = drawn(
        lambda: diffusers.StableCascadeUNet(
            in_channels=4,
            out_channels=4,
            conditioning_dim=16,
            block_out_channels=(16,),
            num_attention_heads=(2,),
            down_num_layers_per_block=(1,),
            up_num_layers_per_block=(1,),
            down_blocks_repeat_mappers=(1,),
            up_blocks_repeat_mappers=(1,),
            block_types_per_layer=(kinds,),
            clip_text_pooled_in_channels=WIDTH_G,
            effnet_in_channels=2,
            dropout=(0.1,),
            self_attn=True,
            switch_level=(False,),
        )
    )
    scheduler = diffusers.DDPMWuerstchenScheduler()
    return diffusers.StableCascadeDecoderPipeline(decoder, tokenizer(), model_g(), scheduler, None)


def wuerstchen_decoder():
    from diffusers.pipelines.deprecated.wuerstchen import WuerstchenDiffNeXt

    decoder = drawn(
        lambda: WuerstchenDiffNeXt(
            c_in=4,
            c_out=4,
            c_r=8,
            patch_size=1,
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


def kandinsky_prior():
    pipe = zoo.make("KandinskyV22PriorPipeline")
    pipe.get_zero_embed = lambda n, device: torch.zeros(n, WIDTH)
    return pipe


def kandinsky_6():
    pipe = bare(pipeline_classes()["Kandinsky6TI2VAPipeline"])

    def encode(prompts, _, __, clip_tokenizer, clip, *___):
        options = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
        embeds, mask = rows_of(prompts)
        return embeds, clip(**clip_tokenizer(prompts, **options)).pooler_output, mask.bool()

    pipe._get_prompt_embeds = encode
    pipe.transformer, pipe.scheduler = Video(), EULER()
    pipe.vae_scale_factor_spatial, pipe.vae_scale_factor_temporal = 8, 4
    return pipe


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A family in the tests: a pipeline, and how its model reads text.

    Args:
        make: builds the pipeline.
        text: the arguments of the model that depend on the text.
        model: the pipeline's attribute.
        call: arguments of the pipeline's call.
        guided: what its call takes for guidance by a negative prompt; None = it has none.
        apart: whether the model is called for the negatives again.
        schedulers: further ones that it can have.
    """

    make: Callable[[], Any]
    text: tuple[str, ...] = ("encoder_hidden_states",)
    model: str = "transformer"
    call: Mapping[str, Any] = field(default_factory=dict)
    guided: Mapping[str, Any] | None = field(default_factory=lambda: {"guidance_scale": 3.0})
    apart: bool = False
    schedulers: tuple[Callable[[], Any], ...] = ()

    def attached(self, scheduler=None):
        pipe = self.make()
        pipe.set_progress_bar_config(disable=True)
        if scheduler is not None:
            pipe.scheduler = scheduler()
        return attach(pipe)

    def draw(self, pipe, prompt, negative=None, n_steps=4, **over):
        """What a call draws; guided where there is a negative prompt."""
        call = {"num_inference_steps": n_steps, "generator": seeded(), **self.call}
        if negative is not None:
            call |= {"negative_prompt": negative, **self.guided}
        with zoo.quiet():
            found = pipe(prompt=prompt, **{**call, **over})[0]
        return torch.as_tensor(found)


def zoo_flow(name, **more):
    call = {**zoo._of(zoo.CALLS, name), "output_type": more.pop("output_type", "latent")}
    sizes = more.pop("sizes", {"height": SIDE, "width": SIDE})
    return Flow(make=partial(zoo.make, name), call={**call, **sizes}, **more)


MASKED = ("encoder_hidden_states", "pooled_projections", "encoder_attention_mask")
PICTURE = torch.randn(1, 2, 2, 2, generator=torch.Generator().manual_seed(1))
TRUE_GUIDANCE = {"true_cfg_scale": 3.0}
DECODED = {"image_embeddings": PICTURE, "output_type": "latent"}

FLOWS = {
    "Flux": zoo_flow(
        "FluxPipeline",
        text=MASKED[:2],
        guided=TRUE_GUIDANCE,
        apart=True,
        schedulers=(
            partial(diffusers.UniPCMultistepScheduler, **OF_FLOWS),
            partial(diffusers.DPMSolverMultistepScheduler, **OF_FLOWS),
        ),
    ),
    "HunyuanVideo": Flow(
        make=hunyuan,
        text=MASKED,
        call={"height": 32, "width": 32, "num_frames": 5, "output_type": "latent"},
        guided=TRUE_GUIDANCE,
        apart=True,
        schedulers=(partial(EULER, stochastic_sampling=True),),
    ),
    "HiDream": Flow(
        make=hidream,
        text=("encoder_hidden_states_t5", "encoder_hidden_states_llama3", "pooled_embeds"),
        call={"height": 32, "width": 32, "output_type": "latent"},
        schedulers=(partial(diffusers.UniPCMultistepScheduler, **OF_FLOWS),),
    ),
    "Kandinsky 6": Flow(
        make=kandinsky_6,
        text=MASKED,
        call={"height": 32, "width": 32, "num_frames": 5, "output_type": "latent"},
        apart=True,
    ),
    "unCLIP prior": Flow(
        make=kandinsky_prior,
        model="prior",
        text=("proj_embedding", "encoder_hidden_states", "attention_mask"),
        call={"output_type": "pt"},
    ),
    "Stable Cascade": zoo_flow(
        "StableCascadePriorPipeline",
        model="prior",
        text=("clip_text_pooled", "clip_text"),
        output_type="pt",
        schedulers=(diffusers.DDIMScheduler,),
    ),
    "Stable Cascade, decoder": Flow(
        make=cascade_decoder, model="decoder", text=("clip_text_pooled",), call=DECODED
    ),
    "Würstchen": zoo_flow("WuerstchenPriorPipeline", model="prior", text=("c",), output_type="pt"),
    "Würstchen, decoder": Flow(
        make=wuerstchen_decoder, model="decoder", text=("clip",), call=DECODED
    ),
    "Stable Diffusion Safe": zoo_flow(
        "StableDiffusionPipelineSafe",
        model="unet",
        schedulers=(diffusers.EulerDiscreteScheduler, diffusers.HeunDiscreteScheduler),
    ),
}
