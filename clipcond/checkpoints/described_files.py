"""Describe a text tower in a single file by its header, without torch."""

from __future__ import annotations

from pathlib import Path

from clipcond.checkpoints.described_tokenizers import (
    chinese,
    clip_in,
    shipped_clip,
    wrap_bert,
    wrap_clip,
)
from clipcond.checkpoints.header import read_header
from clipcond.checkpoints.layouts import FoundTower, find_towers
from clipcond.checkpoints.places import TOKENIZER_FILES
from clipcond.checkpoints.table_in_file import TableInFile
from clipcond.checkpoints.tower_choice import TowerChoice, choose_tower, settle
from clipcond.checkpoints.tower_settings import (
    TowerSettings,
    check_plain,
    read_settings,
    with_notes,
)
from clipcond.errors import CheckpointError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer
from clipcond.tokenizers.open_clip import OpenClipTokenizer
from clipcond.tokenizers.wrapped import WrappedTokenizer
from clipcond.towers.description import TowerDescription

# What the schemes call the token embeddings.
_TABLES = (
    "embeddings.token_embedding.weight",
    "token_embedding.weight",
    "embeddings.word_embeddings.weight",
)


def parts_of_file(path: Path) -> tuple[int | None, ...]:
    """Number the towers of a file that a model reads together: a pair, or the only one."""
    found = find_towers(read_header(path))
    return tuple(tower.part for tower in found) if len(found) == 2 else (None,)


def describe_file(path: Path, part: int | None, name: str) -> TowerDescription:
    """Describe a tower of a safetensors file as `open_file` opens it.

    Raises:
        CheckpointError: it cannot be opened, or only with a warning of what is guessed.
    """
    header = read_header(path)
    choice = TowerChoice(part)
    tower = choose_tower(header, choice)
    settings = with_notes(read_settings(path, tower), tower, header.metadata)
    if not (settings.heads_are_sure and settings.activation.is_sure and settings.n_heads):
        raise CheckpointError("heads or activation are guessed", path)
    check_plain(settle(settings, tower, choice, path), name)
    is_chinese = tower.layout.kind == "chinese_clip"
    tokenizer, special = _tokenizer(tower, settings, name)
    table = next(full for own, full in tower.tensors.items() if own in _TABLES)
    return TowerDescription(
        name,
        tokenizer,
        special,
        tower.sizes.width,
        tower.sizes.layers,
        TableInFile(path, header.entries[table]),
        own_clip_skip=settings.defaults.get("clip_skip"),
        fullwidth=is_chinese,
    )


def _tokenizer(
    tower: FoundTower, settings: TowerSettings, name: str
) -> tuple[WrappedTokenizer, SpecialTokens]:
    """Open the tokenizer that single_file.py chooses."""
    n_positions, folder = tower.sizes.context, settings.folder
    if tower.layout.kind == "chinese_clip":
        return wrap_bert(chinese(), n_positions, name)
    if tower.layout.kind != "clip":
        source = shipped_clip(pad_token="!", model_max_length=n_positions)
        return wrap_clip(source, n_positions, name, OpenClipTokenizer)
    if folder is not None and any((folder / each).is_file() for each in TOKENIZER_FILES):
        return wrap_clip(clip_in(folder), n_positions, name)
    pads_with_eos = tower.layout.pads_with_eos or settings.activation.name == "quick_gelu"
    choices = {} if pads_with_eos else {"pad_token": "!"}
    source = shipped_clip(**choices, model_max_length=n_positions)
    return wrap_clip(source, n_positions, name, ClipBpeTokenizer)
