"""Models of open_clip's own with random weights, and what it says of them.

open_clip needs torchvision, which does not import beside a CPU build of torch: what uses this file
runs in an environment of its own (extra: reference). Where CLIPCOND_REQUIRE_REFERENCE is set, as in
CI, its absence is an error, not a skip.
"""

import os

import pytest
import torch

if os.environ.get("CLIPCOND_REQUIRE_REFERENCE"):
    import open_clip
else:
    open_clip = pytest.importorskip("open_clip")

from open_clip.model import CLIP, CustomTextCLIP
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

VISION = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 16, "image_size": 32}


def build(text_config, *, embed=128, quick_gelu=False, custom=False, seed=0):
    """A whole model with random weights, layer norms included."""
    kind = CustomTextCLIP if custom else CLIP
    model = kind(embed, VISION, text_config, quick_gelu=quick_gelu).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            parameter.normal_(
                1.0 if "ln_" in name and "weight" in name else 0.05, 0.1, generator=random
            )
        else:
            spread = 0.5 if "embedding" in name else parameter.shape[-1] ** -0.5
            parameter.normal_(0, spread, generator=random)
    return model


PLAIN = {"width": 128, "heads": 2, "layers": 3}
MODELS = {
    "flat": lambda: build(PLAIN),
    "flat-quickgelu": lambda: build(PLAIN, quick_gelu=True),
    "custom-text": lambda: build(PLAIN, custom=True, embed=96),
    "no-causal-mask": lambda: build({**PLAIN, "no_causal_mask": True}, custom=True),  # MobileCLIP
    "short-context": lambda: build({**PLAIN, "context_length": 32}, custom=True),  # PE-Core
    "class-token": lambda: build(
        {**PLAIN, "embed_cls": True, "context_length": 76, "output_tokens": True}, custom=True
    ),  # CoCa
    "last": lambda: build({**PLAIN, "pool_type": "last", "proj_bias": True}, custom=True),  # SigLIP
    "first": lambda: build({**PLAIN, "pool_type": "first"}),
    "eos": lambda: build({**PLAIN, "pool_type": "eos", "eos_id": 49407}),  # worldwide
    "no-projection": lambda: build({**PLAIN, "proj_type": "none"}, custom=True),
    "other-blocks": lambda: build({**PLAIN, "qk_norm": True, "scale_fc": True}, custom=True),
    "positions-first": lambda: positions_first(build(PLAIN, seed=3)),  # open_clip before 2.27
}


def positions_first(model):
    """Blocks that pass [L n D], as they did."""
    model.transformer.batch_first = False
    for block in model.transformer.resblocks:
        block.attn.batch_first = False
    return model


def ids_for(tower, n=3, seed=0):
    """Chunks of random text: full, short, empty."""
    random = torch.Generator().manual_seed(seed)
    special = tower.special
    n_entries = len(tower._table())
    ids = torch.randint(3, n_entries - 3, (n, special.context_length), generator=random)
    for row, length in zip(ids, (special.room, 7, 0), strict=True):
        row[0], row[length + 1], row[length + 2 :] = special.bos, special.eos, special.pad
    return ids


def text_of(model):
    return model.text if hasattr(model, "text") else model


def their_pooled(model, ids):
    given = model.encode_text(ids) if hasattr(model, "encode_text") else model(ids)
    return given[0] if isinstance(given, tuple) else given


def their_layers(model, ids):
    """Outputs of all blocks [n L D], last first, by open_clip's own way to ask for them."""
    found = model.forward_intermediates(
        text=ids, text_indices=len(text_of(model).transformer.resblocks), text_output_fmt="NLC"
    )
    return found["text_intermediates"][::-1]


class WordTokenizer:
    """In the shape of open_clip's HFTokenizer, which can only be had from the hub."""

    context_length = 20
    strip_sep_token = False
    tokenizer_mode = ""

    def __init__(self):
        words = ["<s>", "<pad>", "</s>", "<unk>", *",.abcdefghijklmnopqrstuvwxyz"]
        backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "<unk>"))
        backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
            unk_token="<unk>",
        )  # fmt: skip
        self.clean_fn = str.lower
