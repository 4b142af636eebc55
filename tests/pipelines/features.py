"""What diffusers and its companions offer besides a prompt: how to switch it on, on which classes.

Read by test_features.py, which draws with all of it, and by the table of docs/guides/pipelines.md.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import diffusers
import torch

from tests.pipelines.models import seeded

COLUMNS = {
    "Stable Diffusion": "StableDiffusionPipeline",
    "SDXL": "StableDiffusionXLPipeline",
    "SD3": "StableDiffusion3Pipeline",
    "AnimateDiff": "AnimateDiffPipeline",
}
SD, XL, SD3, ANIMATE = COLUMNS
NO_AND = "yes; AND is refused"


@dataclass(frozen=True)
class Feature:
    """A row of the table.

    Args:
        apply: switches it on for a pipeline that is not attached yet; returns arguments of the
            call that use it.
        on: the columns whose own class has it; or column -> a class that is it.
        package: what must be installed besides diffusers.
        word: stands for "cat" in prompts.
        says: what the table says of it, in place of "yes".
    """

    name: str
    apply: Callable[[Any], Mapping[str, Any] | None]
    on: tuple[str, ...] | Mapping[str, str] = tuple(COLUMNS)
    package: str = ""
    word: str = "cat"
    says: str = ""

    @property
    def classes(self) -> dict[str, str]:
        """Column -> the class to draw with."""
        if isinstance(self.on, Mapping):
            return dict(self.on)
        return {column: COLUMNS[column] for column in self.on}

    @property
    def mixes(self) -> bool:
        """Whether AND is drawn with it."""
        return self.says != NO_AND


def _text_encoders(pipe):
    found = ((n, getattr(pipe, n, None)) for n in ("text_encoder", "text_encoder_2"))
    return {name: part for name, part in found if part is not None}


def _denoiser(pipe):
    name = "unet" if hasattr(pipe, "unet") else "transformer"
    return name, getattr(pipe, name)


def _lora(pipe):
    """Load weights of a LoRA for all text encoders and the denoiser."""
    weights, parts = {}, {**_text_encoders(pipe), **dict([_denoiser(pipe)])}
    for part, model in parts.items():
        for name, module in model.named_modules():
            if name.endswith((".q_proj", ".v_proj", ".to_q", ".to_v")):
                n_out, n_in = module.weight.shape
                key = f"{part}.{name}"
                weights[f"{key}.lora_A.weight"] = torch.randn(2, n_in, generator=seeded(1))
                weights[f"{key}.lora_B.weight"] = torch.randn(n_out, 2, generator=seeded(2)) / 5
    pipe.load_lora_weights(weights, adapter_name="a")
    pipe.set_adapters(["a"], [0.7])


def _inversion(pipe):
    for name, model in _text_encoders(pipe).items():
        tokenizer = name.replace("text_encoder", "tokenizer")
        setattr(pipe, tokenizer, copy.deepcopy(getattr(pipe, tokenizer)))
        own = {"text_encoder": model, "tokenizer": getattr(pipe, tokenizer)}
        width = model.get_input_embeddings().weight.shape[1]
        vectors = torch.randn(2, width, generator=seeded(5))
        pipe.load_textual_inversion({"<foo>": vectors}, **own)


def _ip_adapter(pipe):
    dim = 8
    weights = ip_adapter_weights(pipe.unet, dim)
    pipe.unet._load_ip_adapter_weights([weights], low_cpu_mem_usage=False)
    return {"ip_adapter_image_embeds": [torch.randn(2, 1, dim, generator=seeded(1))]}


def ip_adapter_weights(unet, dim):
    """Weights of an IP-Adapter for embeddings [2 1 dim] of a picture and of none."""
    width, generator = unet.config.cross_attention_dim, seeded()
    attention, key = {}, 1
    for name in unet.attn_processors:
        if name.endswith("attn2.processor") and "motion" not in name:
            n_out = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
            for kind in "kv":
                own = torch.randn(n_out, width, generator=generator) * 0.3
                attention[f"{key}.to_{kind}_ip.weight"] = own
            key += 2
    projection = {
        "proj.weight": torch.randn(width * 4, dim, generator=generator),
        "proj.bias": torch.randn(width * 4, generator=generator),
        "norm.weight": torch.ones(width),
        "norm.bias": torch.zeros(width),
    }
    return {"image_proj": projection, "ip_adapter": attention}


def _group_offload(pipe):
    device = torch.device("cpu")
    choices = {"offload_type": "block_level", "num_blocks_per_group": 1}
    _denoiser(pipe)[1].enable_group_offload(device, device, **choices)


def _float8(pipe):
    kinds = {"storage_dtype": torch.float8_e4m3fn, "compute_dtype": torch.float32}
    _denoiser(pipe)[1].enable_layerwise_casting(**kinds)


def _torchao(pipe):
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    for model in _text_encoders(pipe).values():
        quantize_(model, Int8WeightOnlyConfig())


def _quanto(pipe):
    from optimum.quanto import freeze, qint8, quantize

    for model in _text_encoders(pipe).values():
        quantize(model, weights=qint8)
        freeze(model)


def _four_bits(pipe):
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    for name, model in _text_encoders(pipe).items():
        with TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            own = {"quantization_config": config, "device_map": "cpu"}
            pipe.register_modules(**{name: type(model).from_pretrained(folder, **own)})


def _tiles(pipe):
    pipe.vae.enable_slicing()
    pipe.vae.enable_tiling()
    return {"output_type": "pt", "num_images_per_prompt": 2}


def _slices(pipe):
    pipe.enable_attention_slicing()
    pipe.unet.to(memory_format=torch.channels_last)


def _broadcast(pipe):
    config = diffusers.PyramidAttentionBroadcastConfig(
        cross_attention_block_skip_range=2, current_timestep_callback=lambda: 500
    )
    diffusers.apply_pyramid_attention_broadcast(pipe.unet, config)


def _faster_cache(pipe):
    config = diffusers.FasterCacheConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=(-1, 1001),
        spatial_attention_block_identifiers=("transformer_blocks.*attn",),
        current_timestep_callback=lambda: 500,
        attention_weight_callback=lambda module: 0.3,
        tensor_format="BCHW",
    )
    diffusers.apply_faster_cache(pipe.transformer, config)


def _deep_cache(pipe):
    from DeepCache import DeepCacheSDHelper

    helper = DeepCacheSDHelper(pipe=pipe)
    helper.set_params(cache_interval=2, cache_branch_id=0)
    helper.enable()


def _merging(pipe):
    import tomesd

    tomesd.apply_patch(pipe, ratio=0.5, max_downsample=8, use_rand=False)


def _end_of_guidance(pipe):
    """Draw the last steps without guidance, as diffusers' pages show."""

    def end(pipe, i, t, kwargs):
        if i == 0:
            pipe._guidance_scale = 0.0
            kwargs = {name: each.chunk(2)[-1] for name, each in kwargs.items()}
        return kwargs

    names = ["prompt_embeds"]
    if hasattr(pipe, "text_encoder_2"):
        names += ["add_text_embeds", "add_time_ids"]
    return {"callback_on_step_end": end, "callback_on_step_end_tensor_inputs": names}


def _call(function, *args, **choices):
    """Call a method of the pipeline, or of a part of it: "unet.enable_..."."""

    def apply(pipe):
        target = pipe
        for name in function.split("."):
            target = getattr(target, name)
        target(*args, **choices)

    return apply


def _nothing(pipe):
    """The class is the feature."""


CONTROL = {
    SD: "StableDiffusionControlNetPipeline",
    XL: "StableDiffusionXLControlNetPipeline",
    ANIMATE: "AnimateDiffControlNetPipeline",
}
PAG = {
    SD: "StableDiffusionPAGPipeline",
    XL: "StableDiffusionXLPAGPipeline",
    SD3: "StableDiffusion3PAGPipeline",
    ANIMATE: "AnimateDiffPAGPipeline",
}
T2I = {SD: "StableDiffusionAdapterPipeline", XL: "StableDiffusionXLAdapterPipeline"}

FEATURES = (
    Feature("LoRA", _lora, (SD, XL, SD3), "peft"),
    Feature("textual inversion", _inversion, (SD, XL), word="<foo>"),
    Feature("IP-Adapter", _ip_adapter, (SD, XL)),
    Feature("ControlNet", _nothing, CONTROL),
    Feature("T2I adapter", _nothing, T2I),
    Feature("PAG", _nothing, PAG),
    Feature("FreeU", _call("enable_freeu", s1=0.9, s2=0.2, b1=1.2, b2=1.4), (SD,)),
    Feature("FreeInit", _call("enable_free_init", num_iters=2), (ANIMATE,)),
    Feature("ToMe", _merging, (SD,), "tomesd"),
    Feature("DeepCache", _deep_cache, (SD,), "DeepCache", says=NO_AND),
    Feature("PyramidAttentionBroadcast", _broadcast, (SD,), says=NO_AND),
    # with the UNets of the others plain diffusers 0.42.1 stops: it takes apart their timestep
    Feature("FasterCache", _faster_cache, (SD3,), says=NO_AND),
    Feature("guidance ended by a callback", _end_of_guidance, (SD, XL)),
    Feature("model offload", _call("enable_model_cpu_offload", device="cpu"), (SD, XL, SD3)),
    Feature("group offload", _group_offload, (SD,)),
    Feature("bfloat16", _call("to", torch.bfloat16), (SD, XL)),
    Feature("float8 layers of the denoiser", _float8, (SD, SD3)),
    Feature("int8 text encoders by torchao", _torchao, (SD, XL), "torchao"),
    Feature("int8 text encoders by quanto", _quanto, (SD, XL), "optimum.quanto"),
    Feature("4-bit text encoders by bitsandbytes", _four_bits, (SD, XL), "bitsandbytes"),
    Feature("VAE slicing and tiling", _tiles, (SD,)),
    Feature("attention slicing, channels last", _slices, (SD,)),
    Feature("fused projections", _call("fuse_qkv_projections"), (SD,)),
)
# what other tests draw: steps/test_hooks.py and test_loaders_and_hooks.py
ELSEWHERE = {"`torch.compile` of UNet and text encoder": (SD,)}
# what nobody has drawn: it needs a device
NOT_TRIED = ("sequential offload",)
