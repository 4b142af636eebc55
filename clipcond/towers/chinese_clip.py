"""ChineseCLIP's text tower: transformers' models, and the official cn_clip checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.cn_clip_layout import as_transformers
from clipcond.checkpoints.weights import empty, fill, read_weights, weight_files
from clipcond.errors import TowerError
from clipcond.tokenizers.word_piece import (
    WordPieceTokenizer,
    chinese_tokenizer,
    special_tokens,
    tokenizer_in,
)
from clipcond.towers.base import TextTower, check_context
from clipcond.towers.dual_model_text import BESIDE, HalfTower, TextHalf, at_rest

__all__ = ["ChineseClipTower", "ChineseTextHalf", "from_cn_clip", "from_folder", "from_own_folder"]

TRAINED_LENGTH = 52  # of 512 positions; those beyond were not trained. Source: cn_clip, tokenize


class ChineseTextHalf(TextHalf):
    """A ChineseCLIPModel without its vision half: a ChineseCLIPTextModel and a projection."""


class ChineseClipTower(HalfTower):
    """A transformers `ChineseCLIPModel`, `ChineseCLIPTextModel` or a `ChineseTextHalf`.

    A bidirectional BERT: every token sees every other, padding apart, which is masked. There is no
    final norm, for each block ends with its own: `HiddenLayer.final_norm` changes nothing, and clip
    skip n is the n-th hidden state from the end as it is. The pooled output is [CLS] of the last
    layer through the text projection where the model has one; never the tanh pooler that a bare
    `ChineseCLIPTextModel` makes up, for no published checkpoint holds its weights.

    Args:
        model: the model, in eval mode; of a ChineseCLIPModel only the text half runs.
        tokenizer: its transformers BertTokenizer.
        name: how reports and messages call it; the checkpoint's name by default.
        context_length: how long chunks are, at most the model's positions (512). By default 52, on
            which the published models were trained.
    Raises:
        TowerError: the model is of another kind or has too few positions, or the tokenizer is not
            BERT's.
    """

    fullwidth = True  # Chinese input methods type it: see prompt/scanner.py

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        name: str | None = None,
        *,
        context_length: int | None = None,
    ) -> None:
        super().__init__(model, name)
        n_positions = len(self._parts().embeddings.position_embeddings.weight)
        length = min(TRAINED_LENGTH, n_positions) if context_length is None else context_length
        self.special = special_tokens(tokenizer, check_context(length, n_positions, self.name))
        self.tokenizer = WordPieceTokenizer(tokenizer)

    def _blocks(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self._parts().encoder.layer
        return blocks

    def _table(self) -> Tensor:
        table: Tensor = self._parts().embeddings.word_embeddings.weight
        return table

    def _norm(self) -> nn.Module:
        norm: nn.Module = self._parts().embeddings.LayerNorm
        return norm

    def _normed(self, hidden: Tensor) -> Tensor:
        return hidden

    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        return self._through_projection(last[:, 0])

    def _parts(self) -> Any:
        """The text model: it has `embeddings.word_embeddings` and `encoder.layer`."""
        for candidate in (getattr(self.model, "text_model", None), self.model):
            embeddings = getattr(candidate, "embeddings", None)
            encoder = getattr(candidate, "encoder", None)
            if hasattr(embeddings, "word_embeddings") and hasattr(encoder, "layer"):
                return candidate
        raise TowerError(
            f"{type(self.model).__name__} is no ChineseCLIP text model: it has no encoder.layer "
            f"with embeddings.word_embeddings. ChineseClipTower takes a ChineseCLIPModel or "
            f"ChineseCLIPTextModel."
        )


def from_folder(
    folder: Path,
    config: dict[str, Any],
    name: str,
    dtype: torch.dtype,
    device: torch.device,
    *,
    tokenizer: Any = None,
) -> TextTower:
    """A ChineseCLIP model, or its text model alone, as transformers saves it.

    Args:
        config: what config.json says; model_type chinese_clip or chinese_clip_text_model.
        tokenizer: instead of the one in the folder or beside it.
    Raises:
        CheckpointError: weights or tokenizer are missing or do not fit the config.
    """
    paths = weight_files(folder)
    weights = read_weights(paths, beside=BESIDE)
    is_whole = config.get("model_type") == "chinese_clip"
    text = dict(config.get("text_config") or {}) if is_whole else config
    projection, _ = weights.get("text_projection.weight", (None, None))
    tokenizer = tokenizer_in(folder) if tokenizer is None else tokenizer
    model = empty(lambda: _text_half(text, projection), folder / "config.json")
    fill(model, weights, paths[0])
    return _tower(model, tokenizer, name, dtype, device)


def from_own_folder(
    folder: Path, config: dict[str, Any], name: str, dtype: torch.dtype, device: torch.device
) -> TextTower:
    """As `from_folder`, with the official vocabulary, which comes with clipcond."""
    return from_folder(folder, config, name, dtype, device, tokenizer=chinese_tokenizer())


def from_cn_clip(
    weights: Mapping[str, Tensor],
    *,
    name: str,
    vocabulary: Path | None = None,
    n_heads: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> TextTower:
    """The text half of an official checkpoint: RBT3, B/16, L/14, L/14-336 or H/14.

    Sizes are read from the tensors. The activation is exact gelu in all of them.

    Args:
        weights: what cn_clip saves as `state_dict`, with `module.` before every name or without.
            Its vision half (`visual.*`) and a pooler are ignored.
        name: how reports and messages call the tower; the file's name.
        vocabulary: a vocab.txt instead of the official one, which comes with clipcond.
        n_heads: attention heads, which no tensor tells; by default one for every 64 of the width.
    Raises:
        CheckpointError: a tensor is missing or has another shape.
    """
    where = Path(name)
    text, renamed = as_transformers(weights, name, n_heads)
    projection = renamed.get("text_projection.weight")
    model = empty(lambda: _text_half(text, projection), where)
    fill(model, {key: (tensor, where) for key, tensor in renamed.items()}, where)
    return _tower(model, chinese_tokenizer(vocabulary), name, dtype, torch.device(device))


def _text_half(config: Mapping[str, Any], projection: Tensor | None) -> nn.Module:
    """A model with a projection as wide as this one [P D]."""
    from transformers import ChineseCLIPTextConfig, ChineseCLIPTextModel

    text_config = ChineseCLIPTextConfig(**config)
    text_model = ChineseCLIPTextModel(text_config, add_pooling_layer=False)
    if projection is None:
        return ChineseTextHalf(text_model)
    linear = nn.Linear(text_config.hidden_size, len(projection), bias=False)
    return ChineseTextHalf(text_model, linear)


def _tower(
    model: nn.Module, tokenizer: Any, name: str, dtype: torch.dtype, device: torch.device
) -> TextTower:
    return ChineseClipTower(at_rest(model, dtype, device), tokenizer, name=name)
