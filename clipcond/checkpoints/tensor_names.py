"""The names of a tower's tensors in files: one table for each way in which files name them.

Finding a tower, checking it, reading it and renaming its tensors all follow from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clipcond.checkpoints.naming import NamingScheme, TensorRule


def _layer(name: str, shape: str, *targets: str, separator: str = ".") -> list[TensorRule]:
    """Weight and bias of a layer: a norm "D", a linear one "DD", three linear ones in one "TD".

    Args:
        shape: of the weight; the bias has its first dimension.
        targets: names in transformers; by default the layer's own.
    """
    targets = targets or (name,)
    return [
        TensorRule(f"{name}{separator}{part}", letters, tuple(f"{t}.{part}" for t in targets))
        for part, letters in (("weight", shape), ("bias", shape[0]))
    ]


def _by_name(*rules: TensorRule) -> dict[str, TensorRule]:
    return {rule.name: rule for rule in rules}


def _as_in_transformers(rules: Mapping[str, TensorRule]) -> dict[str, TensorRule]:
    """Make the rules for the same tensors under transformers' own names."""
    found: dict[str, TensorRule] = {}
    for rule in rules.values():
        shape = rule.shape[::-1] if rule.is_transposed else rule.shape.replace("T", "D")
        for target in rule.targets:
            own = replace(rule, name=target, shape=shape, targets=(target,), is_transposed=False)
            found.setdefault(target, own)
    return found


PROJECTION = "text_projection.weight"
_PROJECTIONS = (
    TensorRule("text_projection", "DP", (PROJECTION,), is_transposed=True, is_optional=True),
    TensorRule(PROJECTION, "PD", (PROJECTION,), is_optional=True),
)
_BLOCK, _CLIP_BLOCK = "transformer.resblocks.#", "encoder.layers.#"
_CLIP_HEADS = tuple(f"{_CLIP_BLOCK}.self_attn.{x}_proj" for x in "qkv")
_CLIP_BLOCKS = (
    *_layer(f"{_BLOCK}.attn.in_proj", "TD", *_CLIP_HEADS, separator="_"),
    *_layer(f"{_BLOCK}.attn.out_proj", "DD", f"{_CLIP_BLOCK}.self_attn.out_proj"),
    *_layer(f"{_BLOCK}.ln_1", "D", f"{_CLIP_BLOCK}.layer_norm1"),
    *_layer(f"{_BLOCK}.ln_2", "D", f"{_CLIP_BLOCK}.layer_norm2"),
    *_layer(f"{_BLOCK}.mlp.c_fc", "ID", f"{_CLIP_BLOCK}.mlp.fc1"),
    *_layer(f"{_BLOCK}.mlp.c_proj", "DI", f"{_CLIP_BLOCK}.mlp.fc2"),
)
_CLIP_RULES = _by_name(
    TensorRule("token_embedding.weight", "VD", ("embeddings.token_embedding.weight",)),
    TensorRule("positional_embedding", "LD", ("embeddings.position_embedding.weight",)),
    # LongCLIP's second table of positions, of which those from the 21st on are used
    TensorRule("positional_embedding_res", "LD", (), is_optional=True),
    *_layer("ln_final", "D", "final_layer_norm"),
    *_CLIP_BLOCKS,
    *_PROJECTIONS,
)
VISUAL_PROJECTION = "visual_projection.weight"
_VISION_RULES = _by_name(
    TensorRule("class_embedding", "D", ("embeddings.class_embedding",)),
    TensorRule("positional_embedding", "LD", ("embeddings.position_embedding.weight",)),
    TensorRule("conv1.weight", "D3SS", ("embeddings.patch_embedding.weight",)),
    *_layer("ln_pre", "D", "pre_layrnorm"),  # transformers' own spelling
    *_layer("ln_post", "D", "post_layernorm"),
    *_CLIP_BLOCKS,
    TensorRule("proj", "DP", (VISUAL_PROJECTION,), is_transposed=True),
)
_BERT_BLOCK = "encoder.layer.#"
_HEADS = tuple(f"{_BERT_BLOCK}.attention.self.{x}" for x in ("query", "key", "value"))
_BERT_TABLES = {"word": "VD", "position": "LD", "token_type": "2D"}
_BERT_NORMS = (
    "embeddings.LayerNorm",
    f"{_BERT_BLOCK}.attention.output.LayerNorm",
    f"{_BERT_BLOCK}.output.LayerNorm",
)
_BERT_OUT = f"{_BERT_BLOCK}.attention.output.dense"
_BERT_COMMON = (
    *(
        TensorRule(table := f"embeddings.{name}_embeddings.weight", shape, (table,))
        for name, shape in _BERT_TABLES.items()
    ),
    *(rule for name in _BERT_NORMS for rule in _layer(name, "D")),
    *_layer(f"{_BERT_BLOCK}.intermediate.dense", "ID"),
    *_layer(f"{_BERT_BLOCK}.output.dense", "DI"),
    *_PROJECTIONS,
)

# OpenAI's, open_clip's, EVA-CLIP's and LongCLIP's own names, which SD2 and SDXL use too.
OPEN_CLIP = NamingScheme(
    _CLIP_RULES,
    blocks="transformer.resblocks.",
    marks=("token_embedding.weight", "positional_embedding", "ln_final.weight"),
    # cls_emb is CoCa's, which is refused for it
    roots=(
        *("token_embedding.", "positional_embedding", "transformer.resblocks."),
        *("ln_final.", "text_projection", "cls_emb"),
    ),
    ignored=frozenset(
        {"attn_mask", "logit_scale", "input_resolution", "context_length", "vocab_size"}
    ),
)
# transformers' CLIPTextModel.
TRANSFORMERS = NamingScheme(
    _as_in_transformers(_CLIP_RULES),
    blocks="encoder.layers.",
    marks=(
        "embeddings.token_embedding.weight",
        "embeddings.position_embedding.weight",
        "final_layer_norm.weight",
    ),
    roots=("embeddings.", "encoder.layers.", "final_layer_norm.", "text_projection."),
    ignored=frozenset({"embeddings.position_ids", "logit_scale"}),
)
# A vision transformer as OpenAI, open_clip and cn_clip name it, behind `visual.`
VISION_OPEN_CLIP = NamingScheme(
    _VISION_RULES,
    blocks="transformer.resblocks.",
    marks=("class_embedding",),
    roots=(),
    ignored=frozenset(),
)
# transformers' CLIPVisionModelWithProjection.
VISION_TRANSFORMERS = NamingScheme(
    _as_in_transformers(_VISION_RULES),
    blocks="encoder.layers.",
    marks=("embeddings.class_embedding",),
    roots=(),
    ignored=frozenset({"embeddings.position_ids"}),
)
# The BERT of cn_clip and of transformers' ChineseCLIP.
BERT = NamingScheme(
    _by_name(
        *(rule for name in _HEADS for rule in _layer(name, "DD")),
        *_layer(_BERT_OUT, "DD"),
        *_BERT_COMMON,
    ),
    blocks="encoder.layer.",
    marks=("embeddings.word_embeddings.weight",),
    roots=("text_projection",),
    # neither cn_clip nor transformers uses the pooler, and published files lack it
    ignored=frozenset({"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}),
)
# The same, trained with flash attention. Source: cn_clip 1.6.0, clip/model.py, convert_state_dict.
BERT_FLASH = replace(
    BERT,
    rules=_by_name(
        *_layer(f"{_BERT_BLOCK}.attention.self.Wqkv", "TD", *_HEADS),
        *_layer(f"{_BERT_BLOCK}.attention.self.out_proj", "DD", _BERT_OUT),
        *_BERT_COMMON,
    ),
    marks=("encoder.layer.0.attention.self.Wqkv.weight",),
)
