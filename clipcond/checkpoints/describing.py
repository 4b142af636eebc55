"""Describe the text towers of a model from its headers, configs and vocabularies, without torch.

Where a description would need more than that, or anything is amiss, there is none: `load_tower`
opens the tower itself, or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from clipcond.checkpoints.activation import ACTIVATIONS
from clipcond.checkpoints.described_files import describe_file, parts_of_file
from clipcond.checkpoints.described_tokenizers import (
    bert_in,
    chinese,
    clip_in,
    wrap_bert,
    wrap_clip,
)
from clipcond.checkpoints.header import Entry, read_header
from clipcond.checkpoints.naming import NamingScheme, Sizes, find_problem, measure
from clipcond.checkpoints.places import (
    NAMES,
    OTHER_HALF,
    PIPELINE_INDEX,
    encoders_in,
    model_folder,
    split_part,
    weight_files,
)
from clipcond.checkpoints.table_in_file import TableInFile
from clipcond.checkpoints.tensor_names import BERT, PROJECTION, TRANSFORMERS
from clipcond.checkpoints.text_configs import check_text_config, text_section
from clipcond.errors import CheckpointError
from clipcond.files import local_path, read_json
from clipcond.model_defaults import DEFAULTS
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.from_files import FileTokenizer
from clipcond.tokenizers.wrapped import WrappedTokenizer
from clipcond.towers.description import TowerDescription

Source: TypeAlias = str | PathLike[str]

# Sizes that config.json must name, and what the tensors have.
_SIZES = {
    "vocab_size": "vocabulary",
    "hidden_size": "width",
    "intermediate_size": "inner",
    "num_hidden_layers": "layers",
    "max_position_embeddings": "context",
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of tower is described: a row of `KINDS` of folders.py, without its model.

    Attributes:
        whole, sections: as for `text_section`.
        scheme: the names of its tensors behind one of these prefixes.
        prefixes: beginnings of names in files.
        table: the scheme's name of its token embeddings.
        tokenizer: opens its tokenizer.
        wrap: makes of it what a tower reads with, and its special tokens.
        fullwidth: as the tower has it.
    """

    whole: str
    sections: tuple[str, ...]
    scheme: NamingScheme
    prefixes: tuple[str, ...]
    table: str
    tokenizer: Callable[[Path], FileTokenizer]
    wrap: Callable[[Any, int, str], tuple[WrappedTokenizer, SpecialTokens]]
    fullwidth: bool = False


def describe_tower(source: Source) -> TowerDescription | None:
    """Describe a text tower as `load_tower` would open it; None where that takes the tower."""
    return _or_none(lambda: _described(source, None, alone=True))


def describe_towers(source: Source) -> tuple[TowerDescription, ...] | None:
    """Describe the tower of a model, or its pair, as `load_towers` would; None as above."""

    def describe() -> tuple[TowerDescription, ...]:
        path = local_path(source)
        parts: tuple[int | None, ...] = (None,)
        if path.is_file():
            parts = parts_of_file(path)
        elif str(source) not in NAMES and 2 in encoders_in(path):
            parts = encoders_in(path)
        return tuple(_described(source, part, alone=False) for part in parts)

    return _or_none(describe)


Result = TypeVar("Result")


def _or_none(describe: Callable[[], Result]) -> Result | None:
    """Describe, or give None where anything keeps from it: opening the tower will say what."""
    try:
        return describe()
    except Exception:  # the library tokenizers raises bare ones
        return None


def _described(source: Source, part: int | None, *, alone: bool) -> TowerDescription:
    """Describe a tower in a folder or a file.

    Args:
        alone: it is not opened as one of a pair, and of a pair a warning says so.
    Raises:
        CheckpointError: only `load_tower` can say what it is.
    """
    name, (place, part) = str(source), split_part(source, part)
    path = local_path(place)
    if path.is_file():
        return describe_file(path, part, name)
    named = NAMES.get(str(place))
    folder = path if named is None else named()
    if not folder.is_dir():
        raise CheckpointError("no folder here", folder)
    is_pair = named is None and (folder / PIPELINE_INDEX).exists() and 2 in encoders_in(folder)
    if alone and part is None and is_pair:
        raise CheckpointError("a pair, of which the first is opened with a warning", folder)
    folder = model_folder(folder, part)
    config = read_json(folder / "config.json")
    kind = _KINDS[str(config.get("model_type"))]
    text = check_text_config(text_section(config, kind.whole, *kind.sections))
    sizes, table = _measured(folder, kind, text)
    if "CLIPTextModelWithProjection" in str(config.get("architectures")) and not sizes.projection:
        raise CheckpointError(f"no {PROJECTION}", folder)
    source_of = OWN_TOKENIZERS.get(str(place), kind.tokenizer)
    tokenizer, special = kind.wrap(source_of(folder), sizes.context, name)
    own = text.get(DEFAULTS)
    clip_skip = own.get("clip_skip") if isinstance(own, dict) else None
    return TowerDescription(
        name,
        tokenizer,
        special,
        sizes.width,
        sizes.layers,
        table,
        own_clip_skip=clip_skip,
        fullwidth=kind.fullwidth,
    )


def _measured(folder: Path, kind: _Kind, config: dict[str, Any]) -> tuple[Sizes, TableInFile]:
    """Measure a tower by the headers of its weights, which must be those of the config.

    Raises:
        CheckpointError: they are not, or one is missing or misshapen.
    """
    entries: dict[str, Entry] = {}
    paths: dict[str, Path] = {}
    for path in weight_files(folder):
        for full, entry in read_header(path).entries.items():
            if not full.startswith(OTHER_HALF):
                name = full
                for prefix in kind.prefixes:
                    name = name.removeprefix(prefix)
                entries[name], paths[name] = entry, path
    sizes = measure(kind.scheme, entries)
    problem = find_problem(kind.scheme, entries, {name: name for name in entries})
    unlike = [name for name, size in _SIZES.items() if config[name] != getattr(sizes, size)]
    if problem or unlike or config["hidden_act"] not in ACTIVATIONS:
        raise CheckpointError(problem or f"another {unlike} than its config", folder)
    return sizes, TableInFile(paths[kind.table], entries[kind.table])


_CLIP = _Kind(
    "clip", ("text_config",), TRANSFORMERS, ("text_model.",), "embeddings.token_embedding.weight",
    clip_in, wrap_clip,
)  # fmt: skip
_CHINESE_CLIP = _Kind(
    "chinese_clip", ("text_config",), BERT, ("text_model.", "bert."),
    "embeddings.word_embeddings.weight", bert_in, wrap_bert, True,
)  # fmt: skip
_KINDS = {
    "clip_text_model": _CLIP,
    "clip": _CLIP,
    "chinese_clip": _CHINESE_CLIP,
    "chinese_clip_text_model": _CHINESE_CLIP,
    "bert": replace(_CHINESE_CLIP, whole=""),
}
# Tokenizers of names that give other ids than the one in their folder, as in opening.py.
OWN_TOKENIZERS = {"embedded-zh": chinese}
