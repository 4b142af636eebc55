"""What pipelines of the zoo are made of and called with."""

from functools import partial

import diffusers
import torch
from PIL import Image

from tests.pipelines import zoo_models as models
from tests.pipelines import zoo_parts as parts
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G

PICTURE = Image.new("RGB", (SIDE, SIDE), "red")
MASK = Image.new("L", (SIDE, SIDE), 255)
EMBEDDED = torch.linspace(-1, 1, 18).reshape(1, 2, 3, 3)  # a picture, by Stable Cascade's prior
DEPTHS = torch.arange(SIDE**2 / 4).reshape(1, SIDE // 2, SIDE // 2)
SMALL = {"height": 32, "width": 32}
VIDEO = {**SMALL, "num_frames": 5, "true_cfg_scale": 3.0}
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
FLUX_CONTROL = {**FLUX, "transformer": partial(models.flux_transformer, 32)}
FLUX_CONTROLNET = {**FLUX, "controlnet": models.flux_controlnet}
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
        "text_encoder": models.text_encoder_of_old_names,
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
    "AltDiffusion": {"text_encoder": models.roberta, "tokenizer": models.roberta_tokenizer},
    "StableDiffusionDiffEdit": {"inverse_scheduler": diffusers.DDIMInverseScheduler},
    "AnimateDiffSparse": {"controlnet": models.sparse_controlnet},
    "StableDiffusionGLIGEN": {"unet": models.gligen_unet},
    "StableDiffusionGLIGENTextImage": {
        "unet": partial(models.gligen_unet, "gated-text-image"),
        "processor": models.clip_processor,
        "image_encoder": parts.image_encoder,
        "image_project": models.image_project,
    },
    "StableDiffusionControlNetXS": {"unet": models.deeper_unet},
    "StableDiffusionXLControlNetXS": {"unet": models.deeper_unet_xl},
    "StableDiffusionLDM3D": {"vae": models.vae_with_depth},
    "StableDiffusion3Inpaint": {
        **SD3,
        "vae": models.wide_vae,
        "transformer": models.wide_transformer,
    },
    "StableDiffusionParadigms": {"scheduler": models.paradigms_scheduler},
    "StableDiffusionLatentUpscale": {
        "unet": models.upscaling_unet,
        "scheduler": diffusers.EulerDiscreteScheduler,
    },
    "StableDiffusion3ControlNet": {**SD3, "controlnet": models.sd3_controlnet},
    "StableDiffusion3ControlNetInpainting": {
        **SD3,
        "controlnet": partial(models.sd3_controlnet, 1),
    },
    "FluxControl": FLUX_CONTROL,
    "FluxControlNet": FLUX_CONTROLNET,
    "FluxFill": {**FLUX, "transformer": partial(models.flux_transformer, 48)},
    "FluxPriorRedux": {
        **FLUX,
        "image_encoder": models.siglip,
        "feature_extractor": models.siglip_extractor,
        "image_embedder": models.redux,
    },
    "UnCLIP": {
        **PRIOR,
        "prior_scheduler": PRIOR["scheduler"],
        "decoder": models.unclip_decoder,
        "text_proj": models.projection_of_unclip,
        "super_res_first": models.unclip_upscaler,
        "super_res_last": models.unclip_upscaler,
        "decoder_scheduler": partial(diffusers.UnCLIPScheduler, variance_type="learned_range"),
        "super_res_scheduler": diffusers.UnCLIPScheduler,
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
    "Flux": {"max_sequence_length": 16, "true_cfg_scale": 3.0},
    "FluxKontext": {
        "max_sequence_length": 16,
        "true_cfg_scale": 3.0,
        "max_area": SIDE * SIDE,
        "_auto_resize": False,
    },
    "StableUnCLIPPipeline": {"prior_num_inference_steps": 2},
    "LatentConsistency": {"original_inference_steps": 4},
    "Kandinsky": {"output_type": "pt"},
    "StableCascadePrior": {"output_type": "pt"},
    "WuerstchenPrior": {"output_type": "pt"},
    "I2VGenXL": {"num_frames": 2, "decode_chunk_size": 1},
    "StableDiffusionLDM3D": {"output_type": "np"},
    "UniDiffuser": {"image": None, "output_type": "np"},
    "StableDiffusionGLIGEN": {"gligen_phrases": ["a dog"], "gligen_boxes": [[0.1, 0.1, 0.9, 0.9]]},
    "StableDiffusionGLIGENTextImage": {
        "gligen_phrases": ["a dog"],
        "gligen_images": [PICTURE],
        "gligen_boxes": [[0.1, 0.1, 0.9, 0.9]],
    },
    "StableDiffusionParadigms": {"parallel": 2},
    "StableDiffusionPix2PixZero": {
        "source_embeds": torch.full((2, 77, WIDTH), 0.1),
        "target_embeds": torch.full((2, 77, WIDTH), 0.3),
    },
    "StableDiffusionXLControlNetUnion": {"control_mode": [0], "control_image": [PICTURE]},
    "StableDiffusionDepth2Img": {
        "depth_map": torch.arange(SIDE**2 / 4).reshape(1, SIDE // 2, SIDE // 2)
    },
    "TextToVideoZero": {"video_length": 2, "num_inference_steps": 4, "t0": 1, "t1": 2},
    "KandinskyV22PriorEmb2Emb": {"output_type": "pt", "image": torch.full((1, WIDTH), 0.2)},
    "StableDiffusionDiffEdit": {
        "mask_image": torch.ones(1, SIDE // 2, SIDE // 2),
        "image_latents": torch.linspace(-1, 1, 512).reshape(1, 2, 4, SIDE // 2, SIDE // 2),
        "inpaint_strength": 1.0,
    },
    "HunyuanVideo": VIDEO,
    "HunyuanVideoFramepack": {
        **VIDEO,
        "height": 64,
        "width": 64,
        "num_frames": 9,
        "latent_window_size": 2,
    },
    "HunyuanSkyreels": VIDEO,
    "HiDream": SMALL,
    "Kandinsky5": {**VIDEO, "guidance_scale": 3.0},
    "Kandinsky5I2V": {**VIDEO, "guidance_scale": 3.0, "num_frames": 21},
    "Kandinsky6": {**VIDEO, "sample_audio": False, "image": None},
    "StableCascadeDecoder": {"image_embeddings": EMBEDDED, "guidance_scale": 3.0},
    "WuerstchenDecoder": {"image_embeddings": EMBEDDED, "guidance_scale": 3.0},
    "UnCLIP": {
        "output_type": "pt",
        "prior_num_inference_steps": 2,
        "decoder_num_inference_steps": 2,
        "super_res_num_inference_steps": 2,
    },
    "StableDiffusionUpscale": {"height": None, "width": None},
}
