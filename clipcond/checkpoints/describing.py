"""Describe the text towers of a model from its headers, configs and vocabularies, without torch.

Where a description would need more than that, or anything is amiss, there is none: `load_tower`
opens the tower itself, or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from clipcond.checkpoints.activation import ACTIVATIONS
from clipcond.checkpoints.header import Entry, read_header
from clipcond.checkpoints.naming import NamingScheme, Sizes, find_problem, measure
from clipcond.checkpoints.places import (
    NAMES,
    OTHER_HALF,
    PIPELINE_INDEX,
    TOKENIZER_FILES,
    encoders_in,
    model_folder,
    split_part,
    weight_files,
)
from clipcond.checkpoints.tensor_names import BERT, PROJECTION, TRANSFORMERS
from clipcond.checkpoints.text_configs import check_text_config, text_section
from clipcond.errors import CheckpointError
from clipcond.files import local_path, opened, read_json
from clipcond.model_defaults import DEFAULTS
from clipcond.tokenizers import clip_bpe, word_piece
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer, default_context_length
from clipcond.tokenizers.folders import open_tokenizer
from clipcond.tokenizers.from_files import FileTokenizer, bert_from_files, clip_from_files
from clipcond.tokenizers.word_piece import LONGEST_WORD, TRAINED_LENGTH, WordPieceTokenizer
from clipcond.tokenizers.wrapped import WrappedTokenizer
from clipcond.towers.description import TowerDescription
from clipcond.towers.modules import choose_context_length

Source: TypeAlias = str | PathLike[str]

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}  # of a value of those dtypes
_BLOCK = 1024  # rows that are read at once
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


class TableInFile:
    """Token embeddings [V D] that stay in their file; only zero rows are looked for."""

    def __init__(self, path: Path, entry: Entry) -> None:
        self.path, self.entry = path, entry
        n_values, size = entry.shape[1], _BYTES[entry.dtype]
        self._n_bytes = n_values * size
        # all bits but the signs, for -0.0 is zero too; the last byte of a value has its sign
        self._mask = int.from_bytes((b"\xff" * (size - 1) + b"\x7f") * n_values, "little")

    def __len__(self) -> int:
        return self.entry.shape[0]

    def blanks(self, rows: Sequence[int]) -> list[bool]:
        """Say of some rows whether all of their values are zero."""
        found: list[bool] = []
        with opened(self.path) as file:
            for first, n in _runs(rows):
                file.seek(self.entry.start + first * self._n_bytes)
                values = file.read(n * self._n_bytes)
                starts = range(0, len(values), self._n_bytes)
                parts = (values[start : start + self._n_bytes] for start in starts)
                found += [not int.from_bytes(part, "little") & self._mask for part in parts]
        return found


def _runs(rows: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Join rows that follow one another: the first of each run, and how many there are."""
    run = [rows[0], 0] if rows else [0, 0]
    for row in rows:
        if row != sum(run) or run[1] == _BLOCK:
            yield run[0], run[1]
            run = [row, 0]
        run[1] += 1
    if rows:
        yield run[0], run[1]


def describe_tower(source: Source) -> TowerDescription | None:
    """Describe a text tower as `load_tower` would open it; None where that takes the tower."""
    return _or_none(lambda: _described(source, None, alone=True))


def describe_towers(source: Source) -> tuple[TowerDescription, ...] | None:
    """Describe the tower of a model, or its pair, as `load_towers` would; None as above."""

    def describe() -> tuple[TowerDescription, ...]:
        is_named = not local_path(source).is_file() and str(source) in NAMES
        encoders = () if is_named else encoders_in(local_path(source))
        parts = encoders if 2 in encoders else (None,)
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
    """Describe a tower in a folder.

    Args:
        alone: it is not opened as one of a pair, and of a pair a warning says so.
    Raises:
        CheckpointError: only `load_tower` can say what it is.
    """
    name, (place, part) = str(source), split_part(source, part)
    path = local_path(place)
    named = None if path.is_file() else NAMES.get(str(place))
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


def _clip_in(folder: Path) -> FileTokenizer:
    return open_tokenizer(folder, TOKENIZER_FILES, clip_from_files, folder.parent / "tokenizer")


def _bert_in(folder: Path) -> FileTokenizer:
    return open_tokenizer(folder, word_piece.TOKENIZER_FILES, bert_from_files)


def _chinese(_: Path) -> FileTokenizer:
    """Open what `chinese_tokenizer` does."""
    folder = NAMES["embedded-zh"]()
    return bert_from_files(folder, LONGEST_WORD, split_special_tokens=True, do_lower_case=True)


def _wrap_clip(source: Any, n_positions: int, name: str) -> tuple[WrappedTokenizer, SpecialTokens]:
    default = default_context_length(source, n_positions)
    length = choose_context_length(None, default, n_positions, name)
    tokenizer = ClipBpeTokenizer(source)
    return tokenizer, clip_bpe.special_tokens(source, length, tokenizer.inversions)


def _wrap_bert(source: Any, n_positions: int, name: str) -> tuple[WrappedTokenizer, SpecialTokens]:
    length = choose_context_length(None, TRAINED_LENGTH, n_positions, name)
    return WordPieceTokenizer(source), word_piece.special_tokens(source, length)


_CLIP = _Kind(
    "clip", ("text_config",), TRANSFORMERS, ("text_model.",), "embeddings.token_embedding.weight",
    _clip_in, _wrap_clip,
)  # fmt: skip
_CHINESE_CLIP = _Kind(
    "chinese_clip", ("text_config",), BERT, ("text_model.", "bert."),
    "embeddings.word_embeddings.weight", _bert_in, _wrap_bert, True,
)  # fmt: skip
_KINDS = {
    "clip_text_model": _CLIP,
    "clip": _CLIP,
    "chinese_clip": _CHINESE_CLIP,
    "chinese_clip_text_model": _CHINESE_CLIP,
    "bert": replace(_CHINESE_CLIP, whole=""),
}
# Tokenizers of names that give other ids than the one in their folder, as in opening.py.
OWN_TOKENIZERS = {"embedded-zh": _chinese}
