"""Single files in every layout, written from small transformers models.

Each writer is the plain inverse of what opening does: transformers' names to the layout's.
"""

import json

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.parity.models import fill

WIDTH_L, WIDTH_G = 64, 128  # one head, two heads
IDS = torch.tensor([[49406, 320, 736, 2368, *[49407] * 73], [49406, *[49407] * 76]])


def clip(width=WIDTH_L, layers=3, act="quick_gelu", projection=None, context=77, seed=5):
    """A CLIP text model with random weights that float16 holds exactly."""
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=2 * width,
        num_attention_heads=width // 64,
        num_hidden_layers=layers,
        hidden_act=act,
        projection_dim=projection or width,
        max_position_embeddings=context,
        bos_token_id=49406,
        eos_token_id=49407,
    )
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    model = fill(kind(config), seed)
    return model.half().float()


def bare(model, dtype=torch.float16):
    """transformers' names without `text_model.`, whichever version made the model."""
    state = model.state_dict()
    return {k.removeprefix("text_model."): t.to(dtype) for k, t in state.items()}


def wrapped(model, prefix="", dtype=torch.float16):
    """As transformers, SD1, SDXL's first and SD3 files name them."""
    names = bare(model, dtype)
    inner = {k: "" if k.startswith("text_projection") else "text_model." for k in names}
    return {f"{prefix}{inner[k]}{k}": t for k, t in names.items()}


def open_clip(model, prefix="", dtype=torch.float16):
    """As OpenAI's own, open_clip's, SD2's, SDXL's second and the refiner's."""
    names, found = bare(model, dtype), {}
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc"}
    parts |= {"mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    for i in range(model.config.num_hidden_layers):
        own, theirs = f"encoder.layers.{i}.", f"transformer.resblocks.{i}."
        for kind in ("weight", "bias"):
            qkv = [names[f"{own}self_attn.{p}_proj.{kind}"] for p in "qkv"]
            found[f"{theirs}attn.in_proj_{kind}"] = torch.cat(qkv)
            for a, b in parts.items():
                found[f"{theirs}{b}.{kind}"] = names[f"{own}{a}.{kind}"]
    for kind in ("weight", "bias"):
        found[f"ln_final.{kind}"] = names[f"final_layer_norm.{kind}"]
    found["token_embedding.weight"] = names["embeddings.token_embedding.weight"]
    found["positional_embedding"] = names["embeddings.position_embedding.weight"]
    if "text_projection.weight" in names:
        found["text_projection"] = names["text_projection.weight"].t().contiguous()
    return {prefix + key: tensor for key, tensor in found.items()}


def unet(text_width, n_channels=4):
    """Two tensors of a UNet, enough to tell its family."""
    block = "model.diffusion_model.input_blocks"
    return {
        f"{block}.0.0.weight": torch.zeros(2, n_channels, 3, 3),
        f"{block}.1.1.transformer_blocks.0.attn2.to_k.weight": torch.zeros(2, text_width),
        "first_stage_model.encoder.conv_in.weight": torch.zeros(2, 3, 3, 3),
    }


def shapes(weights):
    return {key: tuple(tensor.shape) for key, tensor in weights.items()}


def sparse(path, entries, n_bytes, dtype="F16", metadata=None):
    """A safetensors file of that size whose values, all zero, take no room on the disk.

    Args:
        entries: name -> shape; a last tensor fills the file up.
    """
    each = {"F16": 2, "F32": 4}[dtype]
    header, end = {"__metadata__": metadata or {}}, 0
    for name, shape in entries.items():
        size = each * torch.Size(shape).numel()
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    rest = n_bytes - end
    name = "model.diffusion_model.rest"
    header[name] = {"dtype": "U8", "shape": [rest], "data_offsets": [end, end + rest]}
    raw = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + n_bytes)
    return path
