"""The folder of embeddings: what its shards and their records are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clipcond.bulk.captions import column_of
from clipcond.bulk.folder import Layout, Record, size_of
from clipcond.bulk.shards import PARQUET, SAFETENSORS

EMPTY = "empty.safetensors"  # the rows of the empty prompt
SUFFIXES = {"safetensors": SAFETENSORS, "parquet": PARQUET}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRecord(Record):
    """What is known of a shard of embeddings.

    Args:
        sha256: of its file.
        n_captions, n_rows: what it holds.
        error: the largest relative error of a kept row.
    """

    sha256: str
    n_captions: int
    n_rows: int
    error: float = 0.0

    @property
    def n_made(self) -> int:
        """How many captions it holds."""
        return self.n_captions


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingLayout(Layout[EmbeddingRecord]):
    """How captions are spread over the shards of a folder.

    Args:
        suffix: of the shards' files.
    """

    suffix: str

    kind: ClassVar[str] = "embeddings"
    record: ClassVar[type[Record]] = EmbeddingRecord
    noun: ClassVar[str] = "caption"
    made: ClassVar[str] = "encoded"
    unit: ClassVar[str] = "captions"

    def shard(self, number: int) -> Path:
        """The file of a shard."""
        return self.folder / f"part-{number:07d}{self.suffix}"

    def whole(self, records: Sequence[EmbeddingRecord]) -> list[EmbeddingRecord]:
        """List those shards whose files have the sizes that were written."""
        return [each for each in records if size_of(self.shard(each.number)) == each.n_bytes]

    def described(self) -> dict[str, object]:
        """Describe sources and files for the manifest."""
        sources = [
            {"name": s.name, "column": column_of(s), "n_captions": s.n_lines, "sha256": s.digest}
            for s in self.sources
        ]
        files = next(name for name, each in SUFFIXES.items() if each == self.suffix)
        return {"sources": sources, "files": files}

    def totals(self, ordered: Sequence[EmbeddingRecord]) -> dict[str, object]:
        """Sum up what the index says of the whole folder."""
        largest = max((each.error for each in ordered), default=0.0)
        return {**Layout.totals(self, ordered), "largest_error": largest}
