"""Build models of transformers around tensors from files, complete or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.tensor_names import PROJECTION
from clipcond.checkpoints.text_configs import check_text_config, text_section
from clipcond.errors import CheckpointError, counted
from clipcond.towers.chinese_clip import ChineseTextEncoder
from clipcond.towers.text_encoder import TextEncoder

TEXT_MODEL, VISION_MODEL, BERT_PREFIX = "text_model.", "vision_model.", "bert."
# AltCLIP's blocks as newer versions of transformers call them in memory, and as all do in files
_BLOCKS_NOW, _BLOCKS = "roberta.encoder.layers.", "roberta.encoder.layer."
# and the blocks of its vision model, the other way round
_VISION_BLOCKS_NOW, _VISION_BLOCKS = "encoder.layers.", "encoder.layer."
# Values of the buffers that no file holds.
_BUFFERS: dict[str, Callable[[Tensor], Tensor]] = {
    "position_ids": lambda buffer: torch.arange(buffer.shape[-1]).expand(buffer.shape).clone(),
    "token_type_ids": lambda buffer: torch.zeros(buffer.shape, dtype=buffer.dtype),
}
_OTHER_MODEL = "The config belongs to another model, or the file to another tower."

# A model is made on meta: random values would take time, and are not used. Its code is imported
# before: modules make tensors when they are imported, and torch 2.6 fails where those have no data.


def clip_model(config: Mapping[str, Any], projection: Tensor | None) -> nn.Module:
    """Make a CLIPTextModel, with a projection if there is one.

    Args:
        config: of transformers' CLIP text model, or of a whole CLIPModel.
        projection: [P D].
    """
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    section = text_section(config, "clip", "text_config")
    text = check_text_config({**section, "projection_dim": config.get("projection_dim", 512)})
    model_class = CLIPTextModel if projection is None else CLIPTextModelWithProjection
    with torch.device("meta"):
        return model_class(CLIPTextConfig(**text))


def chinese_model(config: Mapping[str, Any], projection: Tensor | None) -> nn.Module:
    """Make a ChineseCLIPTextModel with a projection as wide as this one [P D].

    Args:
        config: of the text model, or of a whole ChineseCLIPModel.
    """
    from transformers import ChineseCLIPTextConfig, ChineseCLIPTextModel

    text = check_text_config(text_section(config, "chinese_clip", "text_config"))
    text_config = ChineseCLIPTextConfig(**text)
    with torch.device("meta"):
        text_model = ChineseCLIPTextModel(text_config, add_pooling_layer=False)
        return ChineseTextEncoder(text_model, _linear(text_config.hidden_size, projection))


def bert_model(config: Mapping[str, Any], projection: Tensor | None) -> nn.Module:
    """Make a BertModel without its pooler, such as the text encoder of Taiyi's Stable Diffusion.

    Args:
        config: of the model.
    """
    from transformers import BertConfig, BertModel

    bert = BertConfig(**check_text_config(config))
    with torch.device("meta"):
        return BertModel(bert, add_pooling_layer=False)


def alt_model(config: Mapping[str, Any], projection: Tensor | None) -> nn.Module:
    """Make an AltCLIPTextModel with a projection as wide as this one [P D].

    Args:
        config: of the text model, or of a whole AltCLIPModel.
    """
    from transformers import AltCLIPTextConfig, AltCLIPTextModel

    # old configs have both sections, and transformers takes the former
    text = text_section(config, "altclip", "text_config_dict", "text_config")
    text_config: Any = AltCLIPTextConfig.from_dict(check_text_config(text))
    with torch.device("meta"):
        text_model = AltCLIPTextModel(text_config)
        return TextEncoder(text_model, _linear(text_config.project_dim, projection))


def plain_name(name: str) -> str:
    """Reduce a tensor's name in a text model, whichever version of transformers gave it."""
    name = _without(TEXT_MODEL, name).removeprefix(BERT_PREFIX)
    return name.replace(_BLOCKS_NOW, _BLOCKS)


def plain_vision_name(name: str) -> str:
    """Reduce a tensor's name in a vision model, whichever version of transformers gave it."""
    return _without(VISION_MODEL, name).replace(_VISION_BLOCKS, _VISION_BLOCKS_NOW)


def _without(prefix: str, name: str) -> str:
    while name.startswith(prefix):  # twice in a part of a dual model up to transformers 5.5
        name = name[len(prefix) :]
    return name


def meta_clip_2_model(config: Mapping[str, Any], projection: Tensor | None) -> nn.Module:
    """Make a MetaClip2TextModel with a projection as wide as this one [P D].

    Args:
        config: of the text model, or of a whole MetaClip2Model.
    """
    from transformers import MetaClip2TextConfig, MetaClip2TextModel

    text = check_text_config(text_section(config, "metaclip_2", "text_config"))
    text_config: Any = MetaClip2TextConfig(**text)
    with torch.device("meta"):
        text_model = MetaClip2TextModel(text_config)
        return TextEncoder(text_model, _linear(text_config.hidden_size, projection))


def siglip_model(config: Mapping[str, Any], _: Tensor | None) -> nn.Module:
    """Make a SiglipTextModel, which has its projection in it.

    Args:
        config: of the text model, or of a whole SiglipModel.
    """
    from transformers import SiglipTextConfig, SiglipTextModel

    text = check_text_config(text_section(config, "siglip", "text_config"))
    with torch.device("meta"):
        return SiglipTextModel(SiglipTextConfig(**text))


def build_model(
    build: Callable[[Mapping[str, Any], Tensor | None], nn.Module],
    config: Mapping[str, Any],
    weights: Mapping[str, tuple[Tensor, Path]],
    where: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    plain: Callable[[str], str] = plain_name,
) -> nn.Module:
    """Build a model around weights: in eval mode, without gradients.

    transformers 5.6 dropped the prefix `text_model.` from CLIPTextModel's names; a model that does
    not know a file's names would otherwise keep random values. The model takes the tensors
    themselves: there is no second copy.

    Args:
        build: makes the model, on meta, from its config and its projection [P D] or None.
        weights: each tensor with the file that it is from.
        where: the file that describes the model.
        plain: reduces a tensor's name to what all versions of transformers agree on.
    Raises:
        CheckpointError: it describes no model; a tensor is missing, of another shape or no floats.
    """
    projection, _ = weights.get(PROJECTION, (None, None))
    try:
        model = build(config, projection)
    except Exception as error:  # transformers' versions raise whatever they like here
        raise CheckpointError(f"{str(where)!r} describes no model: {error}", where) from error
    for module in model.modules():
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = _BUFFERS[name](buffer)
    model.load_state_dict(_chosen(model, weights, where, plain), assign=True)
    model.requires_grad_(False)
    return model.to(device, dtype).eval()


def _linear(width: int, projection: Tensor | None) -> nn.Module | None:
    return None if projection is None else nn.Linear(width, len(projection), bias=False)


def _chosen(
    model: nn.Module,
    weights: Mapping[str, tuple[Tensor, Path]],
    where: Path,
    plain: Callable[[str], str],
) -> dict[str, Tensor]:
    """Choose the tensor for each name in the model, and check it."""
    known = {plain(key): pair for key, pair in weights.items()}
    first = next((path for _, path in weights.values()), where)
    chosen: dict[str, Tensor] = {}
    for key, expected in model.state_dict().items():
        name = plain(key)
        if name == "embeddings.position_ids" and name not in known:
            chosen[key] = expected  # 0, 1, 2, ...; few files keep it
        elif name in known:
            chosen[key] = _checked(name, *known[name], expected)
        else:
            raise CheckpointError(
                f"{str(first)!r} has no tensor {name!r} (expected {list(expected.shape)})",
                first,
                f"It has {counted(len(weights), 'tensor')}, "
                f"such as {min(weights, default='none')!r}.",
            )
    _refuse_more_blocks(known, {plain(key) for key in chosen}, first)
    return chosen


def _checked(name: str, tensor: Tensor, path: Path, expected: Tensor) -> Tensor:
    if tensor.shape != expected.shape:
        raise CheckpointError(
            f"{str(path)!r}: {name!r} is {list(tensor.shape)}, but config.json expects "
            f"{list(expected.shape)}",
            path,
            _OTHER_MODEL,
        )
    if not tensor.is_floating_point():
        dtype = str(tensor.dtype).removeprefix("torch.")
        message = f"{str(path)!r}: {name!r} is {dtype}, expected floating point"
        raise CheckpointError(message, path)
    return tensor.contiguous()


def _refuse_more_blocks(known: Mapping[str, Any], taken: set[str], where: Path) -> None:
    """Blocks that the config does not have mean that another model's config was found."""
    blocks = ("encoder.", "roberta.encoder.")
    more = sorted(name for name in known if name.startswith(blocks) and name not in taken)
    if more:
        raise CheckpointError(
            f"{str(where)!r} has {counted(len(more), 'tensor')} beyond the model of config.json, "
            f"such as {more[0]!r}",
            where,
            _OTHER_MODEL,
        )
