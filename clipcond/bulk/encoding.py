"""Encode captions shard by shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from clipcond.bulk.captions import Caption, read_captions
from clipcond.bulk.embedding_folder import EmbeddingLayout, EmbeddingRecord
from clipcond.bulk.encoder import CaptionEncoder
from clipcond.bulk.forms import Stored
from clipcond.bulk.shards import write_shard
from clipcond.bulk.work import Run, Work


@dataclass(frozen=True)
class Encoding(Work[EmbeddingRecord, Caption]):
    """What is done with captions.

    Args:
        batch_size: how many captions are given to the encoder at once.
    """

    layout: EmbeddingLayout
    encoder: CaptionEncoder
    batch_size: int

    def load(self) -> None:
        """Load the encoder's model."""
        self.encoder.load()

    def read(self, run: Run, n_rows: int) -> Iterator[Caption]:
        """Read the captions of a run."""
        return read_captions(self.layout.sources, run.place, n_rows)

    def make(self, number: int, rows: Iterator[Caption]) -> Iterator[EmbeddingRecord | int]:
        """Encode a shard."""
        kept: list[tuple[Caption, Stored]] = []
        rejected: list[tuple[int, int, str]] = []
        issues_before = Counter(self.encoder.issues)
        while batch := [*islice(rows, self.batch_size)]:
            good = [each for each in batch if not each.error]
            results = zip(good, self.encoder.encode([each.text for each in good]), strict=True)
            by_place = {(caption.file, caption.line): result for caption, result in results}
            for caption in batch:
                result = by_place.get((caption.file, caption.line), caption.error)
                if isinstance(result, Stored):
                    kept.append((caption, result))
                else:
                    rejected.append((caption.file, caption.line, result))
        path = self.layout.shard(number)
        digest = write_shard(path, [caption for caption, _ in kept], [each for _, each in kept])
        yield EmbeddingRecord(
            number=number,
            sha256=digest,
            n_captions=len(kept),
            n_rows=sum(len(each.embeds) for _, each in kept),
            n_bytes=path.stat().st_size,
            rejected=tuple(rejected),
            issues=dict(self.encoder.issues - issues_before),
            error=max((each.error for _, each in kept), default=0.0),
        )
