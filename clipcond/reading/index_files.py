"""Read and write a saved index of pictures: vectors as safetensors, their files as a table.

A folder holds index.json, which names its parts. Each part is a pair of files that are called by a
hash of what they hold, by which damage is found. A new part never replaces another: until
index.json is replaced, in one piece, the former index stays whole.

The table is Parquet where pyarrow is installed, else JSON, a line a picture; both can be opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from clipcond.errors import CheckpointError, counted, excerpt, first_line
from clipcond.files import new_folder, opened, read_json, write_whole
from clipcond.reading.index_contents import Files, IndexedFile

MANIFEST = "index.json"
FORMAT = 1
_KIND = "clipcond image index"
_VECTORS = "vectors"
_PARQUET, _LINES = ".parquet", ".jsonl"
# What a folder may hold of an index, and of writes that were killed.
_OWN = (
    *("vectors-*.safetensors", f"pictures-*{_PARQUET}", f"pictures-*{_LINES}"),
    *(".vectors-*.part", ".pictures-*.part", f".{MANIFEST}.*.part"),
)
_BLOCK = 2**16  # vectors that are checked or written at once
_UNIT = 1e-3  # how far a length may be from 1
_AGAIN = "Index the pictures again, into a new folder."


Part = Mapping[str, str]  # "vectors" and "pictures": what its files are called


@dataclass(frozen=True, slots=True)
class Saved:
    """What index.json says.

    Attributes:
        encoder: the name of the encoder that made the vectors.
        fingerprint: of its vision half, see `DualEncoder.image_fingerprint`.
        width: P, of the vectors.
        parts: what each part's files are called, and how much they hold.
    """

    encoder: str
    fingerprint: str
    width: int
    parts: tuple[Part, ...] = ()


def holds_index(folder: Path) -> bool:
    """Whether an index is saved in a folder."""
    return (folder / MANIFEST).is_file()


def read_saved(folder: Path) -> Saved:
    """Read index.json.

    Raises:
        CheckpointError: there is none, or it is no index of this version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise CheckpointError(f"no index is saved in {str(folder)!r}: there is no {MANIFEST}", path)
    values = read_json(path)
    if values.get("kind") != _KIND or values.get("format") != FORMAT:
        kind, number = excerpt(repr(values.get("kind"))), excerpt(repr(values.get("format")))
        raise CheckpointError(
            f"{str(path)!r} is no index that this version can open: kind {kind}, format {number}",
            path,
            _AGAIN,
        )
    try:
        parts = tuple(
            {"vectors": str(each["vectors"]), "pictures": str(each["pictures"])}
            for each in values["parts"]
        )
        width = int(values["width"])
        return Saved(str(values["encoder"]), str(values["fingerprint"]), width, parts)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} is damaged: {error!r}", path, _AGAIN) from error


def write_saved(folder: Path, saved: Saved) -> None:
    """Replace index.json, then remove what it no longer names, and what killed writes left.

    Raises:
        CheckpointError: it cannot be written; then the former index stays.
    """
    values = {
        "kind": _KIND,
        "format": FORMAT,
        "encoder": saved.encoder,
        "fingerprint": saved.fingerprint,
        "width": saved.width,
        "parts": list(saved.parts),
    }
    content = (json.dumps(values, indent=1) + "\n").encode()
    write_whole(folder / MANIFEST, lambda file: file.write(content))
    named = {name for part in saved.parts for name in part.values()}
    for pattern in _OWN:
        for old in folder.glob(pattern):
            if old.name not in named:
                with suppress(OSError):
                    old.unlink()


def write_part(folder: Path, files: Files, vectors: Tensor) -> Part:
    """Write a part's two files; return how index.json names them.

    Args:
        files: in the order of their vectors; those with an error have none.
        vectors: [n P], float32.
    Raises:
        CheckpointError: a file cannot be written.
    """
    rows = _rows(files)
    write_table, ending = _table_writer(rows)
    name = _hash_of(rows, vectors)
    part = {"vectors": f"vectors-{name}.safetensors", "pictures": f"pictures-{name}{ending}"}
    with new_folder(folder):
        write_whole(folder / part["vectors"], lambda file: _write_vectors(file, vectors))
        write_whole(folder / part["pictures"], write_table)
    return part


def read_part(folder: Path, part: Part, width: int) -> tuple[dict[str, IndexedFile], Tensor]:
    """Read a part: its files, and their vectors [n P].

    Raises:
        CheckpointError: one is missing or damaged, or needs pyarrow.
    """
    vectors = _read_vectors(folder / part["vectors"], width)
    path = folder / part["pictures"]
    try:
        rows = _read_parquet(path) if path.suffix == _PARQUET else _read_lines(path)
        files = {
            str(each["path"]): IndexedFile(
                Path(each["path"]), int(each["size"]), int(each["modified"]), each["error"]
            )
            for each in rows
        }
    except CheckpointError:
        raise
    except Exception as error:  # pyarrow fails with a dozen kinds
        raise CheckpointError(
            f"{str(path)!r} is damaged: {first_line(error)}", path, _AGAIN
        ) from error
    n_good = sum(each.error is None for each in files.values())
    if n_good != len(vectors):
        raise CheckpointError(
            f"{str(path)!r} lists {counted(n_good, 'picture')}, but there are "
            f"{counted(len(vectors), 'vector')}",
            path,
            _AGAIN,
        )
    if path.stem != f"pictures-{_hash_of(_rows(files), vectors)}":
        raise CheckpointError(
            f"{str(path)!r} or {part['vectors']!r} is damaged: they hold other than was saved",
            path,
            _AGAIN,
        )
    return files, vectors


def _rows(files: Files) -> list[dict[str, Any]]:
    return [
        {"path": key, "size": each.size, "modified": each.modified, "error": each.error}
        for key, each in files.items()
    ]


def _hash_of(rows: Sequence[Mapping[str, Any]], vectors: Tensor) -> str:
    """Hash what a part holds, in whatever format: what its files are called by."""
    digest = hashlib.sha256()
    for block in _blocks(vectors):
        digest.update(block)
    digest.update(json.dumps(rows).encode())
    return digest.hexdigest()[:16]


def _blocks(vectors: Tensor) -> Iterable[bytes]:
    return (block.numpy().tobytes() for block in torch.split(vectors, _BLOCK))


def _write_vectors(file: BinaryIO, vectors: Tensor) -> None:
    """Write one tensor as safetensors lays it out, without a copy of all of it in memory."""
    n_bytes = vectors.numel() * vectors.element_size()
    entry = {"dtype": "F32", "shape": list(vectors.shape), "data_offsets": [0, n_bytes]}
    header = json.dumps({_VECTORS: entry}).encode()
    header += b" " * (-len(header) % 8)
    file.write(len(header).to_bytes(8, "little") + header)
    for block in _blocks(vectors):
        file.write(block)


def _read_vectors(path: Path, width: int) -> Tensor:
    """Read vectors [n P] and check them.

    Raises:
        CheckpointError: the file is missing or cut short, or holds others than unit vectors.
    """
    try:
        with opened(path):
            vectors = load_file(path)[_VECTORS]
    except (SafetensorError, KeyError) as error:
        reason = first_line(error)
        raise CheckpointError(f"{str(path)!r} is damaged: {reason}", path, _AGAIN) from error
    if vectors.dtype != torch.float32 or vectors.dim() != 2 or vectors.shape[1] != width:
        shape = f"{str(vectors.dtype).removeprefix('torch.')} {list(vectors.shape)}"
        message = f"{str(path)!r} holds {shape}, not vectors of {width} numbers"
        raise CheckpointError(message, path, _AGAIN)
    for block in torch.split(vectors, _BLOCK):
        if not bool(((block.norm(dim=-1) - 1).abs() < _UNIT).all()):  # NaN is not
            message = f"{str(path)!r} is damaged: a vector is NaN or not of length 1"
            raise CheckpointError(message, path, _AGAIN)
    return vectors


def _table_writer(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[Callable[[BinaryIO], object], str]:
    """Choose how a table is written, and the ending of its file."""
    kinds = {"path": "string", "size": "int64", "modified": "int64", "error": "string"}
    try:
        import pyarrow
        from pyarrow import parquet

        schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in kinds.items()])
        table = pyarrow.Table.from_pylist(rows, schema)
    except (ImportError, UnicodeEncodeError):  # file names of Linux may be no text
        lines = ((json.dumps(row) + "\n").encode() for row in rows)
        return lambda file: file.writelines(lines), _LINES
    return lambda file: parquet.write_table(table, file), _PARQUET


def _read_lines(path: Path) -> list[dict[str, Any]]:
    with opened(path):
        return [json.loads(line) for line in path.read_bytes().splitlines()]


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise CheckpointError(
            f"{str(path)!r}: reading Parquet needs pyarrow, which is not installed",
            path,
            "Install it with: pip install pyarrow.",
        ) from error
    with opened(path):
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows
