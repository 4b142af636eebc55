"""Encode a run of shards: what a worker of any engine does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from clipcond.bulk.captions import Caption, Place, read_captions
from clipcond.bulk.encoder import CaptionEncoder
from clipcond.bulk.folder import Layout, Record
from clipcond.bulk.forms import Stored
from clipcond.bulk.shards import write_shard


@dataclass(frozen=True, slots=True)
class Run:
    """Shards that are encoded one after the other.

    Args:
        place: where the captions of the first begin.
        first, stop: the numbers of the shards.
        todo: those of them that are not done yet.
    """

    place: Place
    first: int
    stop: int
    todo: frozenset[int]


def encode_run(
    layout: Layout, run: Run, encoder: CaptionEncoder, batch_size: int
) -> Iterator[Record]:
    """Encode the shards of a run that are not done; yield the record of each, once it is written.

    Args:
        batch_size: how many captions are given to the encoder at once.
    Raises:
        BulkError: the captions have changed.
        CheckpointError: the disk is full.
    """
    n_captions = sum(layout.n_in(number) for number in range(run.first, run.stop))
    captions = read_captions(layout.sources, run.place, n_captions)
    for number in range(run.first, run.stop):
        own = islice(captions, layout.n_in(number))
        if number not in run.todo:
            for _ in own:
                pass
            continue
        record = _encode_shard(layout, number, own, encoder, batch_size)
        layout.finish(record)
        yield record


def _encode_shard(
    layout: Layout,
    number: int,
    captions: Iterator[Caption],
    encoder: CaptionEncoder,
    batch_size: int,
) -> Record:
    kept: list[tuple[Caption, Stored]] = []
    rejected: list[tuple[int, int, str]] = []
    issues_before = Counter(encoder.issues)
    while batch := [*islice(captions, batch_size)]:
        good = [each for each in batch if not each.error]
        results = zip(good, encoder.encode([each.text for each in good]), strict=True)
        by_place = {(caption.file, caption.line): result for caption, result in results}
        for caption in batch:
            result = by_place.get((caption.file, caption.line), caption.error)
            if isinstance(result, Stored):
                kept.append((caption, result))
            else:
                rejected.append((caption.file, caption.line, result))
    path = layout.shard(number)
    digest = write_shard(path, [caption for caption, _ in kept], [each for _, each in kept])
    return Record(
        number,
        digest,
        len(kept),
        sum(len(each.embeds) for _, each in kept),
        path.stat().st_size,
        tuple(rejected),
        dict(encoder.issues - issues_before),
        max((each.error for _, each in kept), default=0.0),
    )
