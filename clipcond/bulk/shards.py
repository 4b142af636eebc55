"""Write and read shards: the kept conditionings of some thousand captions in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from clipcond.bulk.captions import Caption
from clipcond.bulk.forms import Stored
from clipcond.errors import BulkError, first_line
from clipcond.files import write_whole
from clipcond.tables import parquet_file

SAFETENSORS, PARQUET = ".safetensors", ".parquet"


def write_shard(path: Path, captions: Sequence[Caption], stored: Sequence[Stored]) -> str:
    """Write a shard whole or not at all; the same captions give the same bytes.

    Args:
        path: ends in .safetensors or .parquet.
        captions: n that could be encoded.
        stored: what is kept of each.
    Returns:
        the SHA-256 of the file.
    Raises:
        CheckpointError: the disk is full, or not to be written to.
    """
    tensors = packed(captions, stored)
    content = _as_parquet(tensors) if path.suffix == PARQUET else save(tensors)
    write_whole(path, lambda file: _write(file, content))
    return hashlib.sha256(content).hexdigest()


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)


def packed(captions: Sequence[Caption], stored: Sequence[Stored]) -> dict[str, Tensor]:
    """Lay n captions out in tensors.

    Returns:
        `text` uint8, all captions in UTF-8 one behind the other; `text_ends` int64 [n], where each
        ends; `file` int32 and `line` int64 [n]; `length` int32 [n], the conditionings' S; `embeds`
        [R D], the kept rows of all; `row_ends` int64 [n]; `rows` int32 and `own` bool [R] as
        `Stored` has them; of int8 `scales` float32 [R];
        `pooled` [n P] and of int8 `pooled_scales` float32 [n], if there are pooled vectors.
    """
    texts = [caption.text.encode("utf-8") for caption in captions]
    made = {
        "text": torch.frombuffer(bytearray(b"".join(texts) or b"\0"), dtype=torch.uint8),
        "text_ends": _ends([len(text) for text in texts]),
        "file": torch.tensor([caption.file for caption in captions], dtype=torch.int32),
        "line": torch.tensor([caption.line for caption in captions], dtype=torch.int64),
        "length": torch.tensor([each.length for each in stored], dtype=torch.int32),
        "row_ends": _ends([len(each.embeds) for each in stored]),
    }
    if not stored:
        return made
    made["embeds"] = torch.cat([each.embeds for each in stored])
    made["rows"] = torch.cat([each.rows for each in stored])
    made["own"] = torch.cat([each.own for each in stored])
    scales = [each.scales for each in stored if each.scales is not None]
    if scales:
        made["scales"] = torch.cat(scales)
    vectors = [each.pooled for each in stored if each.pooled is not None]
    if vectors:
        made["pooled"] = torch.stack(vectors)
    pooled_scales = [each.pooled_scale for each in stored if each.pooled_scale is not None]
    if pooled_scales:
        made["pooled_scales"] = torch.cat(pooled_scales)
    return made


def _ends(sizes: Sequence[int]) -> Tensor:
    return torch.tensor(sizes, dtype=torch.int64).cumsum(0)


@dataclass(frozen=True, eq=False)
class Shard:
    """A shard in memory, or mapped: n captions and what is kept of them; see `packed`."""

    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.tensors["length"])

    def text(self, i: int) -> str:
        """The i-th caption."""
        start, stop = self._span("text_ends", i)
        return bytes(self.tensors["text"][start:stop].tolist()).decode("utf-8")

    def rows(self, name: str, i: int) -> Tensor:
        """What is kept of the i-th caption's rows: `embeds`, `rows`, `own` or `scales`."""
        start, stop = self._span("row_ends", i)
        return self.tensors[name][start:stop]

    def scales(self, i: int) -> Tensor | None:
        """The scales of the i-th caption's rows, of int8."""
        return self.rows("scales", i) if "scales" in self.tensors else None

    def _span(self, ends: str, i: int) -> tuple[int, int]:
        return (int(self.tensors[ends][i - 1]) if i else 0), int(self.tensors[ends][i])


def read_shard(path: Path) -> Shard:
    """Open a shard; its rows are read as they are needed, if it is safetensors.

    Raises:
        BulkError: it cannot be read as one.
    """
    try:
        tensors = _from_parquet(path) if path.suffix == PARQUET else load_file(path)
        shard = Shard(tensors)
        n, n_rows = len(shard), len(tensors.get("embeds", ()))
        ends = tensors["row_ends"]
        if len(ends) != n or (n and int(ends[-1]) != n_rows) or len(tensors["text_ends"]) != n:
            raise ValueError("its parts do not fit together")
        return shard
    except BulkError:
        raise
    except Exception as error:  # safetensors, torch and pyarrow fail with a dozen kinds
        raise BulkError(
            f"{str(path)!r} cannot be read as a shard: {first_line(error)}",
            "Encode it again: remove it, and run the command that made the folder once more.",
        ) from error


def _as_parquet(tensors: Mapping[str, Tensor]) -> bytes:
    """Write a shard as a table: a row a caption, numbers of its rows as bytes."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as parquet

    shard = Shard(tensors)
    n = range(len(shard))
    width = tensors["embeds"].shape[1] if "embeds" in tensors else 0
    columns: dict[str, Any] = {
        "caption": [shard.text(i) for i in n],
        "file": tensors["file"].numpy(),
        "line": tensors["line"].numpy(),
        "length": tensors["length"].numpy(),
    }
    dtypes = {}
    for name in ("embeds", "rows", "own", "scales"):
        if name in tensors:
            columns[name] = [_bytes(shard.rows(name, i)) for i in n]
            dtypes[name] = str(tensors[name].dtype)
    for name in ("pooled", "pooled_scales"):
        if name in tensors:
            columns[name] = [_bytes(each.reshape(-1)) for each in tensors[name]]
            dtypes[name] = str(tensors[name].dtype)
    table = pa.table(columns)
    described = {"dtypes": dtypes, "width": width}
    table = table.replace_schema_metadata({b"clipcond": json.dumps(described).encode()})
    stream = io.BytesIO()
    parquet.write_table(table, stream, compression="zstd", write_page_checksum=True)
    return stream.getvalue()


def _from_parquet(path: Path) -> dict[str, Tensor]:
    with parquet_file(path, BulkError, "a folder of safetensors") as file:
        table = file.read()
    described = json.loads(table.schema.metadata[b"clipcond"])
    texts = [text.encode("utf-8") for text in table["caption"].to_pylist()]
    tensors = {
        "text": torch.frombuffer(bytearray(b"".join(texts) or b"\0"), dtype=torch.uint8),
        "text_ends": _ends([len(text) for text in texts]),
        "file": torch.tensor(table["file"].to_pylist(), dtype=torch.int32),
        "line": torch.tensor(table["line"].to_pylist(), dtype=torch.int64),
        "length": torch.tensor(table["length"].to_pylist(), dtype=torch.int32),
        "row_ends": torch.zeros(len(texts), dtype=torch.int64),
    }
    for name, dtype in described["dtypes"].items():
        parts = table[name].to_pylist()
        kind = getattr(torch, dtype.removeprefix("torch."))
        joined = torch.frombuffer(bytearray(b"".join(parts)) or bytearray(1), dtype=torch.uint8)
        whole = joined[: sum(map(len, parts))].view(kind)
        if name == "rows":
            tensors["row_ends"] = _ends([len(part) // 4 for part in parts])
        if name == "pooled":
            whole = whole.reshape(len(parts), -1)
        tensors[name] = whole
    if "embeds" in tensors:
        tensors["embeds"] = tensors["embeds"].reshape(-1, described["width"])
    return tensors


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()
