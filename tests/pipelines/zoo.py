"""Pipelines of many classes, all tiny, that draw: components by the names of their parameters."""

import inspect
import warnings
from contextlib import contextmanager
from functools import partial

import diffusers
import numpy as np
import torch
from PIL import Image

from tests.pipelines import zoo_parts as parts
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, seeded, tiny_sd, tiny_sdxl, unet_of

PICTURE = Image.new("RGB", (SIDE, SIDE), "red")
MASK = Image.new("L", (SIDE, SIDE), 255)
XL = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": WIDTH_G + 6 * 8,
    "use_linear_projection": True,
}
# channels that a UNet reads, where they are not four
CHANNELS = {
    "StableDiffusionUpscalePipeline": 7,
    "StableDiffusionDepth2ImgPipeline": 5,
    "StableDiffusionInstructPix2PixPipeline": 8,
    "StableDiffusionXLInstructPix2PixPipeline": 8,
    "PIAPipeline": 9,
}
SD3 = {
    "vae": parts.shifted_vae,
    "transformer": parts.sd3_transformer,
    "text_encoder": parts.model_l_projected,
    "text_encoder_2": parts.model_g,
    "text_encoder_3": parts.t5,
    "tokenizer_3": parts.word_tokenizer,
    "scheduler": diffusers.FlowMatchEulerDiscreteScheduler,
}
FLUX = {
    "vae": parts.shifted_vae,
    "transformer": parts.flux_transformer,
    "text_encoder_2": parts.t5,
    "tokenizer_2": parts.word_tokenizer,
    "scheduler": diffusers.FlowMatchEulerDiscreteScheduler,
}
PRIOR = {
    "text_encoder": parts.model_l_projected,
    "prior": parts.prior_transformer,
    "scheduler": partial(diffusers.UnCLIPScheduler, prediction_type="sample"),
}
UNCLIP = {
    "prior_text_encoder": parts.model_l_projected,
    "prior_tokenizer": parts.tokenizer,
    "prior": parts.prior_transformer,
    "prior_scheduler": partial(diffusers.UnCLIPScheduler, prediction_type="sample"),
    "image_normalizer": parts.image_normalizer,
    "image_noising_scheduler": diffusers.DDPMScheduler,
    "unet": parts.unclip_unet,
}
# the beginning of a class's name -> components of its own; the longest that fits counts
OWN = {
    "StableDiffusion3": SD3,
    "Flux": FLUX,
    "Kandinsky": PRIOR,
    "StableUnCLIPPipeline": UNCLIP,
    "StableUnCLIPImg2Img": {
        "image_encoder": parts.image_encoder,
        "feature_extractor": parts.feature_extractor,
        "image_normalizer": parts.image_normalizer,
        "image_noising_scheduler": diffusers.DDPMScheduler,
        "unet": parts.unclip_unet,
    },
    "StableCascadePrior": {
        "text_encoder": parts.model_g,
        "prior": parts.cascade_prior,
        "scheduler": diffusers.DDPMWuerstchenScheduler,
    },
    "WuerstchenPrior": {
        "prior": parts.wuerstchen_prior,
        "scheduler": diffusers.DDPMWuerstchenScheduler,
    },
    "I2VGenXL": {
        "unet": parts.i2vgen_unet,
        "image_encoder": parts.image_encoder,
        "feature_extractor": parts.feature_extractor,
    },
    "UniDiffuser": {
        "unet": parts.unidiffuser,
        "text_decoder": parts.text_decoder,
        "text_tokenizer": parts.word_tokenizer,
        "clip_tokenizer": parts.tokenizer,
        "image_encoder": parts.image_encoder,
        "clip_image_processor": parts.feature_extractor,
    },
    "TextToVideoSD": {"unet": parts.video_unet},
    "VideoToVideoSD": {"unet": parts.video_unet},
    "CycleDiffusion": {
        "scheduler": partial(
            diffusers.DDIMScheduler, clip_sample=False, set_alpha_to_one=False, steps_offset=1
        )
    },
    "StableDiffusionAdapter": {"adapter": partial(parts.t2i_adapter, 3)},
    "StableDiffusionXLAdapter": {"adapter": partial(parts.t2i_adapter, 3)},
    "StableDiffusionUpscale": {"low_res_scheduler": diffusers.DDPMScheduler},
    "LatentConsistency": {"scheduler": diffusers.LCMScheduler, "unet": parts.consistent_unet},
}
# arguments of calls, likewise
CALLS = {
    "CycleDiffusion": {"source_prompt": "a dog", "eta": 0.1},
    "StableDiffusionAttendAndExcite": {
        "token_indices": [2],
        "max_iter_to_alter": 0,
        "attn_res": (4, 4),
    },
    "StableDiffusion3": {"max_sequence_length": 16},
    "Flux": {"max_sequence_length": 16},
    "FluxKontext": {"max_sequence_length": 16, "max_area": SIDE * SIDE, "_auto_resize": False},
    "StableUnCLIPPipeline": {"prior_num_inference_steps": 2},
    "LatentConsistency": {"original_inference_steps": 4},
    "Kandinsky": {"output_type": "pt"},
    "StableCascadePrior": {"output_type": "pt"},
    "WuerstchenPrior": {"output_type": "pt"},
    "I2VGenXL": {"num_frames": 2, "decode_chunk_size": 1},
    "UniDiffuser": {"image": None, "output_type": "np"},
    "StableDiffusionUpscale": {"height": None, "width": None},
}
# what plain diffusers draws with them
DRAWN = (
    "AnimateDiffControlNetPipeline",
    "AnimateDiffPAGPipeline",
    "AnimateDiffPipeline",
    "AnimateDiffSDXLPipeline",
    "AnimateDiffVideoToVideoControlNetPipeline",
    "AnimateDiffVideoToVideoPipeline",
    "CycleDiffusionPipeline",
    "FluxImg2ImgPipeline",
    "FluxInpaintPipeline",
    "FluxKontextInpaintPipeline",
    "FluxKontextPipeline",
    "FluxPipeline",
    "KandinskyPriorPipeline",
    "KandinskyV22PriorPipeline",
    "LatentConsistencyModelImg2ImgPipeline",
    "LatentConsistencyModelPipeline",
    "PIAPipeline",
    "StableCascadePriorPipeline",
    "StableDiffusion3Img2ImgPipeline",
    "StableDiffusion3PAGImg2ImgPipeline",
    "StableDiffusion3PAGPipeline",
    "StableDiffusion3Pipeline",
    "StableDiffusionAdapterPipeline",
    "StableDiffusionAttendAndExcitePipeline",
    "StableDiffusionControlNetImg2ImgPipeline",
    "StableDiffusionControlNetInpaintPipeline",
    "StableDiffusionControlNetPAGInpaintPipeline",
    "StableDiffusionControlNetPAGPipeline",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionInpaintPipelineLegacy",
    "StableDiffusionInstructPix2PixPipeline",
    "StableDiffusionModelEditingPipeline",
    "StableDiffusionPAGImg2ImgPipeline",
    "StableDiffusionPAGInpaintPipeline",
    "StableDiffusionPAGPipeline",
    "StableDiffusionPanoramaPipeline",
    "StableDiffusionPipeline",
    "StableDiffusionPipelineSafe",
    "StableDiffusionSAGPipeline",
    "StableDiffusionUpscalePipeline",
    "StableDiffusionXLAdapterPipeline",
    "StableDiffusionXLControlNetImg2ImgPipeline",
    "StableDiffusionXLControlNetInpaintPipeline",
    "StableDiffusionXLControlNetPAGImg2ImgPipeline",
    "StableDiffusionXLControlNetPAGPipeline",
    "StableDiffusionXLControlNetPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
    "StableDiffusionXLInstructPix2PixPipeline",
    "StableDiffusionXLPAGImg2ImgPipeline",
    "StableDiffusionXLPAGInpaintPipeline",
    "StableDiffusionXLPAGPipeline",
    "StableDiffusionXLPipeline",
    "StableUnCLIPImg2ImgPipeline",
    "StableUnCLIPPipeline",
    "TextToVideoSDPipeline",
    "UniDiffuserPipeline",
    "VideoToVideoSDPipeline",
    "WuerstchenPriorPipeline",
)


def make(name):
    """A pipeline of a class, to spoil."""
    kind = getattr(diffusers, name)
    wanted = inspect.signature(kind.__init__).parameters
    given = {n: part for n, part in _pool(name).items() if n in wanted}
    for n, parameter in wanted.items():
        if n not in (*given, "self") and parameter.default is parameter.empty:
            given[n] = None
    with quiet():
        pipe = kind(**given)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe, name, **over):
    """What two steps make of a call: a tensor."""
    wanted = inspect.signature(getattr(diffusers, name).__call__).parameters
    general = {
        "prompt": "a cat",
        "negative_prompt": "blurry",
        "num_inference_steps": 2,
        "generator": seeded(),
        "output_type": "latent",
        "height": SIDE,
        "width": SIDE,
        "strength": 1.0,
        "image": PICTURE,
        "mask_image": MASK,
        "control_image": PICTURE,
        "num_frames": 2,
        "video": [PICTURE] * 2,
        "conditioning_frames": [PICTURE] * 2,
    }
    call = {**general, **_of(CALLS, name), **over}
    with quiet():
        return _tensor(pipe(**{n: value for n, value in call.items() if n in wanted})[0])


@contextmanager
def quiet():
    """Let old classes of diffusers use what diffusers deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "torch.meshgrid", UserWarning)
        yield


def _of(table, name):
    start = max((start for start in table if name.startswith(start)), key=len, default=None)
    return {} if start is None else table[start]


def _pool(name):
    is_xl = "XL" in name and not name.startswith("I2VGen")
    pipe = (tiny_sdxl if is_xl or name.startswith(("StableDiffusion3", "Flux")) else tiny_sd)()
    pool = {**pipe.components, "requires_safety_checker": False, "add_watermarker": False}
    if name in CHANNELS:
        width, sizes = (WIDTH + WIDTH_G, XL) if is_xl else (WIDTH, {})
        pool["unet"] = parts.drawn(partial(unet_of, width, in_channels=CHANNELS[name], **sizes))
    if "ControlNet" in name and not name.startswith(("StableDiffusion3", "Flux")):
        pool["controlnet"] = parts.controlnet(pool["unet"])
    if name.startswith(("AnimateDiff", "PIA")):
        pool["motion_adapter"] = parts.motion_adapter()
    return {**pool, **{n: build() for n, build in _of(OWN, name).items()}}


def _tensor(found):
    if isinstance(found, torch.Tensor):
        return found
    if isinstance(found, list):
        return torch.stack([_tensor(each) for each in found])
    return torch.as_tensor(np.asarray(found))
