"""Open one text tower of a single file or state dict, whatever else is in it.

The file is understood from its header, checked as a whole, and only then are the tensors of that
one tower read, each once and cast as it comes: the peak of memory is the tower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.folders import KINDS, clip_tokenizer
from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.layouts import FoundTower
from clipcond.checkpoints.models import build_model
from clipcond.checkpoints.naming import rename_tensors
from clipcond.checkpoints.pickles import unwrap_state_dict
from clipcond.checkpoints.places import TOKENIZER_FILES
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.checkpoints.tower_choice import TowerChoice, choose_tower, settle
from clipcond.checkpoints.tower_settings import (
    TowerSettings,
    check_plain,
    read_settings,
    usual_settings,
    with_notes,
)
from clipcond.model_defaults import DEFAULTS
from clipcond.tokenizers.clip_bpe import shipped_clip
from clipcond.tokenizers.open_clip import shipped
from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.base import TextTower

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECIAL_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")
_PRECISION = ("float8_e5m2", "float8_e4m3fn", "bfloat16", "float16", "float32", "float64")


def open_file(
    path: Path,
    choice: TowerChoice,
    *,
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    config: Path | None = None,
) -> TextTower:
    """Open a tower of a file.

    Args:
        dtype: of the tower; None = as in the file, the widest if there are several.
        config: a folder with the model's config.json; None = what is next to the file.
    Raises:
        CheckpointError: no such tower, several, or one that is not whole; nothing stays loaded.
    """
    header = read_any_header(path, allow_pickle=choice.allow_pickle)
    tower = choose_tower(header, choice)
    settings = with_notes(read_settings(path, tower, config), tower, header.metadata)
    settings = settle(settings, tower, choice, path)
    tensors = StoredTensors(path, header.entries)
    return _build(tower, settings, tensors, path, name=name, dtype=dtype, device=device)


def open_state_dict(
    weights: Mapping[str, Any],
    *,
    name: str,
    kind: str | None = None,
    activation: str | None = None,
    n_heads: int | None = None,
    dtype: torch.dtype | None = torch.float32,
    device: torch.device | str = "cpu",
) -> TextTower:
    """Open the text tower of a state dict in any layout that files have.

    Args:
        weights: by name, as they are or within "state_dict", "model" or "module". They are left as
            they are; tensors that fit the tower are not copied.
        name: how reports and messages call it; also looked at for the activation.
        n_heads: attention heads; None = one for every 64 of the width.
        kind, activation, dtype, device: as for `load_tower`.
    Raises:
        CheckpointError: no such tower, several, or one that is not whole.
    """
    named = unwrap_state_dict(weights)
    tensors = {k.removeprefix("module."): t for k, t in named.items() if isinstance(t, Tensor)}
    path, choice = Path(name), TowerChoice(kind=kind, activation=activation, full_depth=True)
    tower = choose_tower(Header(path, {k: _entry(t) for k, t in tensors.items()}, {}, 0), choice)
    settings = usual_settings(tower)
    if n_heads is not None:
        settings = replace(settings, n_heads=n_heads, heads_are_sure=True)
    settings = settle(settings, tower, choice, path)
    return _build(tower, settings, tensors, path, name=name, dtype=dtype, device=device)


def widest(dtypes: tuple[str, ...]) -> torch.dtype:
    """Find the dtype that holds all of several without loss."""
    if {"float16", "bfloat16"} <= set(dtypes):
        dtypes = (*dtypes, "float32")
    found: torch.dtype = getattr(torch, max(dtypes, key=_PRECISION.index))
    return found


def _entry(tensor: Tensor) -> Entry:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Entry(dtype, tuple(tensor.shape), 0, tensor.nbytes)


def _build(
    tower: FoundTower,
    settings: TowerSettings,
    tensors: Mapping[str, Tensor],
    path: Path,
    *,
    name: str,
    dtype: torch.dtype | None,
    device: torch.device | str,
) -> TextTower:
    """Read a tower's tensors, each once, and build it around them."""
    check_plain(settings, name)
    cast = dtype or widest(tower.dtypes)

    def read() -> Iterator[tuple[str, Tensor]]:
        for short, full in tower.tensors.items():
            yield short, tensors[full].detach().to(device, cast)

    renamed = rename_tensors(tower.layout.scheme, read())
    config, tokenizer = _config_and_tokenizer(tower, settings)
    weights = {key: (tensor, path) for key, tensor in renamed.items()}
    device = torch.device(device)
    found = KINDS.get(tower.layout.kind, KINDS["clip"])  # for open_clip and EVA-CLIP too
    model = build_model(found.model, config, weights, path, dtype=cast, device=device)
    return found.tower(model, tokenizer, name)


def _config_and_tokenizer(tower: FoundTower, settings: TowerSettings) -> tuple[dict[str, Any], Any]:
    """Make the config of a tower's model in transformers, and its tokenizer."""
    sizes = tower.sizes
    config: dict[str, Any] = {
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.width,
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": settings.n_heads,
        "max_position_embeddings": sizes.context,
        "hidden_act": settings.activation.name,
        "layer_norm_eps": settings.epsilon,
        **({DEFAULTS: dict(settings.defaults)} if settings.defaults else {}),
    }
    if tower.layout.kind == "chinese_clip":
        return {**config, "type_vocab_size": 2}, chinese_tokenizer()
    has_own_cleaning = tower.layout.kind != "clip"  # open_clip's
    tokenizer: Any = shipped(sizes.context) if has_own_cleaning else _tokenizer(tower, settings)
    source = tokenizer.source if has_own_cleaning else tokenizer
    config["projection_dim"] = sizes.projection or sizes.width
    config |= {key: getattr(source, key) for key in SPECIAL_IDS}
    return config, tokenizer


def _tokenizer(tower: FoundTower, settings: TowerSettings) -> PreTrainedTokenizerBase:
    """Open the tokenizer next to a file that has its config there, or OpenAI's vocabulary."""
    folder = settings.folder
    if folder is not None and any((folder / name).is_file() for name in TOKENIZER_FILES):
        return clip_tokenizer(folder)
    # SD1's and SDXL's first tower, when it is alone in its file, pads as it does there
    is_openai = settings.activation.name == "quick_gelu"
    pads_with_eos = tower.layout.pads_with_eos or is_openai
    choices: dict[str, Any] = {} if pads_with_eos else {"pad_token": "!"}  # id 0
    return shipped_clip(**choices, model_max_length=tower.sizes.context)
