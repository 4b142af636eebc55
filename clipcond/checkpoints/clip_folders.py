"""An OpenAI CLIP text model from what transformers saves, or from tensors and their sizes alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipcond.checkpoints.forms import Sizes
from clipcond.checkpoints.sidecar import Facts
from clipcond.checkpoints.weights import empty, fill, read_weights, weight_files
from clipcond.errors import CheckpointError
from clipcond.towers.base import TextTower
from clipcond.towers.openai_clip import OpenAIClipTower

__all__ = ["clip_tokenizer", "from_folder", "from_tensors"]

# Without one of these, transformers makes up a tokenizer of two entries.
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")
# OpenAI's vocabulary, which comes along with the embedded model.
VOCABULARY = Path(__file__).parent.parent / "embedded" / "model" / "tokenizer"


def from_folder(
    folder: Path, config: dict[str, Any], name: str, dtype: torch.dtype, device: torch.device
) -> TextTower:
    """An OpenAI CLIP text model as transformers saves it, alone or with its vision half.

    Raises:
        CheckpointError: something is missing, or not what the config says.
    """
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    paths = weight_files(folder)
    weights = read_weights(paths, dtype)
    text = dict(config.get("text_config") or {}) if config.get("model_type") == "clip" else config
    text = {**text, "projection_dim": config.get("projection_dim", 512)}
    has_projection = "text_projection.weight" in weights
    model_class = CLIPTextModelWithProjection if has_projection else CLIPTextModel
    tokenizer = clip_tokenizer(folder)
    model = empty(lambda: model_class(CLIPTextConfig(**text)), folder / "config.json")
    fill(model, weights, paths[0])
    model.requires_grad_(False)
    return OpenAIClipTower(model.to(device, dtype).eval(), tokenizer, name=name)


def from_tensors(
    weights: Mapping[str, Tensor],
    *,
    path: Path,
    name: str,
    sizes: Sizes,
    facts: Facts,
    pads_with_eos: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> TextTower:
    """A CLIP text model out of a file without a configuration.

    Args:
        weights: names as transformers has them, without `text_model.`; checked against `sizes`.
        path: where they come from, for messages.
        pads_with_eos: with the end token, as SD1; else with id 0, as OpenCLIP's own tokenizer.
    """
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = _tokenizer(facts.folder, sizes.context, pads_with_eos)
    config = CLIPTextConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        intermediate_size=sizes.inner,
        num_hidden_layers=sizes.layers,
        num_attention_heads=facts.n_heads,
        max_position_embeddings=sizes.context,
        hidden_act=facts.activation.name,
        layer_norm_eps=facts.epsilon,
        projection_dim=sizes.projection or sizes.width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model_class = CLIPTextModelWithProjection if sizes.projection else CLIPTextModel
    model = empty(lambda: model_class(config), path)
    fill(model, {key: (tensor, path) for key, tensor in weights.items()}, path)
    model.requires_grad_(False)
    return OpenAIClipTower(model.to(device, dtype).eval(), tokenizer, name=name)


def _tokenizer(beside: Path | None, n_positions: int, pads_with_eos: bool) -> Any:
    """The tokenizer beside a file that has its configuration there, or OpenAI's vocabulary."""
    from transformers import CLIPTokenizer

    if beside is not None and any((beside / name).is_file() for name in TOKENIZER_FILES):
        return clip_tokenizer(beside)
    choices: dict[str, Any] = {} if pads_with_eos else {"pad_token": "!"}  # id 0
    choices["model_max_length"] = n_positions
    return CLIPTokenizer.from_pretrained(str(VOCABULARY), **choices)


def clip_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model's folder, or in the one beside it: text_encoder_2, tokenizer_2.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    from transformers import CLIPTokenizer

    beside = folder.parent / folder.name.replace("text_encoder", "tokenizer")
    places = [folder, beside, folder.parent / "tokenizer"]
    for place in places:
        if any((place / name).is_file() for name in TOKENIZER_FILES):
            try:
                return CLIPTokenizer.from_pretrained(str(place), local_files_only=True)
            except (OSError, ValueError, TypeError, RuntimeError) as error:
                message = f"the tokenizer in {str(place)!r} is broken: {error}"
                raise CheckpointError(message, place) from error
    raise CheckpointError(
        f"there is no tokenizer for {str(folder)!r}",
        folder,
        "Looked for vocab.json or tokenizer.json in: "
        + ", ".join(dict.fromkeys(str(place) for place in places)),
    )
