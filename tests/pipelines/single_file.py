"""A checkpoint of Stable Diffusion 1.x or XL as one file, written from a pipeline's models.

The names are those of the original training code; two residual blocks a level are fixed.
"""

import torch

from tests.checkpoints.made_files import open_clip

N_LEVELS = 4
UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."
TEXT_XL = "conditioner.embedders.0.transformer."


def single_file(pipe) -> dict[str, torch.Tensor]:
    """Every weight of UNet, autoencoder and text encoder under its original name."""
    text = {key.removeprefix("text_model."): t for key, t in pipe.text_encoder.state_dict().items()}
    return {
        **_renamed(pipe.unet, UNET, _unet_modules(pipe.unet), _UNET_RESNET, {}),
        **_renamed(pipe.vae, VAE, _vae_modules(), _VAE_RESNET, _VAE_ATTENTION),
        **{f"{TEXT}text_model.{key}": tensor.clone() for key, tensor in text.items()},
    }


def single_file_xl(pipe) -> dict[str, torch.Tensor]:
    """The same of an SDXL pipeline: two text encoders, the second in open_clip's layout."""
    text = {key.removeprefix("text_model."): t for key, t in pipe.text_encoder.state_dict().items()}
    second = open_clip(pipe.text_encoder_2, "conditioner.embedders.1.model.", torch.float32)
    return {
        **_renamed(pipe.unet, UNET, _unet_modules(pipe.unet), _UNET_RESNET, {}),
        **_renamed(pipe.vae, VAE, _vae_modules(), _VAE_RESNET, _VAE_ATTENTION),
        **{f"{TEXT_XL}text_model.{key}": tensor.clone() for key, tensor in text.items()},
        **second,
    }


_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_VAE_RESNET = {"conv_shortcut": "nin_shortcut"}
_VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def _renamed(model, prefix, modules, resnet, attention):
    """The longest module name that fits; within residual and attention blocks, parts' names."""
    weights = {}
    for key, tensor in model.state_dict().items():
        new = max((n for n in modules if key.startswith(n + ".")), key=len)
        rest = key[len(new) + 1 :]
        parts = resnet if "resnets" in new else attention if "attentions" in new else {}
        part = next((p for p in parts if rest.startswith(p + ".")), None)
        if part is not None:
            rest = parts[part] + rest[len(part) :]
        if attention and "attentions" in new and tensor.dim() == 2:
            tensor = tensor[:, :, None, None]  # the original's are 1x1 convolutions
        weights[f"{prefix}{modules[new]}.{rest}"] = tensor.clone()
    return weights


def _unet_modules(unet):
    names = {
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    for level, up in enumerate(unet.up_blocks):
        for i in range(2):
            block = 3 * level + i + 1
            names[f"down_blocks.{level}.resnets.{i}"] = f"input_blocks.{block}.0"
            names[f"down_blocks.{level}.attentions.{i}"] = f"input_blocks.{block}.1"
        names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{3 * level + 3}.0.op"
        for i in range(3):
            block = 3 * level + i
            names[f"up_blocks.{level}.resnets.{i}"] = f"output_blocks.{block}.0"
            names[f"up_blocks.{level}.attentions.{i}"] = f"output_blocks.{block}.1"
        behind = 2 if hasattr(up, "attentions") else 1
        names[f"up_blocks.{level}.upsamplers.0"] = f"output_blocks.{3 * level + 2}.{behind}"
    return names


def _vae_modules():
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for half in ("encoder", "decoder"):
        names[f"{half}.conv_in"] = f"{half}.conv_in"
        names[f"{half}.conv_norm_out"] = f"{half}.norm_out"
        names[f"{half}.conv_out"] = f"{half}.conv_out"
        names[f"{half}.mid_block.resnets.0"] = f"{half}.mid.block_1"
        names[f"{half}.mid_block.attentions.0"] = f"{half}.mid.attn_1"
        names[f"{half}.mid_block.resnets.1"] = f"{half}.mid.block_2"
    for level in range(N_LEVELS):
        down, up = f"encoder.down_blocks.{level}", f"decoder.up_blocks.{N_LEVELS - 1 - level}"
        names[f"{down}.downsamplers.0"] = f"encoder.down.{level}.downsample"
        names[f"{up}.upsamplers.0"] = f"decoder.up.{level}.upsample"
        for i in range(3):
            names[f"{down}.resnets.{i}"] = f"encoder.down.{level}.block.{i}"
            names[f"{up}.resnets.{i}"] = f"decoder.up.{level}.block.{i}"
    return names
