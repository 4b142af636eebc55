"""Encode captions by the million into a folder, on one machine or many; killed runs go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike

from safetensors.torch import save

from clipcond.bulk.captions import find_sources
from clipcond.bulk.embedding_folder import EMPTY, SUFFIXES, EmbeddingLayout, EmbeddingRecord
from clipcond.bulk.encoder import CaptionEncoder
from clipcond.bulk.encoding import Encoding
from clipcond.bulk.folder import issues_of, locked
from clipcond.bulk.running import Engine, Job, Outcome, Workers, check_found, check_sizes
from clipcond.errors import UnknownNameError
from clipcond.files import local_path


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run went.

    Args:
        n_captions: how many the folder has now.
        n_new: how many of them this run encoded.
        n_rejected: how many cannot be encoded; `rejected.jsonl` names them.
        n_bytes: the size of all shards.
        seconds: how long the run took, the loading of the model left out.
        tower_share: the part of that time that the text tower took; None = on other machines.
        largest_error: of a kept row: |kept - computed| / |computed|.
        issues: of how many captions there is an issue of each code.
    """

    n_captions: int
    n_new: int
    n_rejected: int
    n_bytes: int
    seconds: float
    tower_share: float | None
    largest_error: float
    issues: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Captions a second, of those that this run encoded."""
        return self.n_new / self.seconds if self.seconds else 0.0


def encode_captions(
    captions: str | PathLike[str],
    folder: str | PathLike[str],
    encoder: CaptionEncoder | None = None,
    *,
    column: str | None = None,
    files: str = "safetensors",
    shard_size: int = 4096,
    batch_size: int = 256,
    max_bad: int | None = None,
    engine: Engine = "local",
    address: str | None = None,
    n_workers: int | None = None,
    progress: bool = False,
) -> Summary:
    """Encode captions into a folder of shards; the same call goes on where a killed one stopped.

    Args:
        captions: a .txt, .tsv, .jsonl or .parquet file, or a folder of them.
        folder: new or empty, or what such a call began.
        encoder: by default the embedded model's, trimmed, float16.
        column: of tables: the one with the captions; None = "caption", "text" or "prompt".
        files: "safetensors" or "parquet".
        shard_size: captions a shard.
        batch_size: captions that are encoded at once; it decides the last bits.
        max_bad: how many captions may be rejected; None = 1 %, or 10 if that is more.
        engine: "local" = this process; "ray" = Ray Data, on this machine or a cluster.
        address: of the cluster; None = Ray is started here.
        n_workers: of Ray; None = one for each GPU, or half as many as there are CPUs.
        progress: show on standard error how many captions are done.
    Raises:
        BulkError: the captions cannot be read, the folder holds something else or is in use, or
            too many captions are rejected; what is done stays.
        CheckpointError: the model cannot be opened, or the disk is full.
        UnknownNameError: no such engine or kind of files.
        LimitError: a size below 1.
    """
    encoder = CaptionEncoder() if encoder is None else encoder
    workers = Workers(engine, address, n_workers)
    check_sizes(shard_size=shard_size, batch_size=batch_size)
    if files not in SUFFIXES:
        raise UnknownNameError("kind of files", files, SUFFIXES)
    sources, others = find_sources(captions, column)
    check_found(captions, sources, others, EmbeddingLayout.noun)
    layout = EmbeddingLayout(
        folder=local_path(folder), sources=tuple(sources), size=shard_size, suffix=SUFFIXES[files]
    )
    with locked(layout.folder):
        empty = encoder.empty()
        own = {} if empty is None else {EMPTY: save({"embeds": empty.contiguous()})}
        layout.begin({"encoder": encoder.identity()}, own)
        before = encoder.seconds_in_tower
        job = Job(layout, Encoding(layout, encoder, batch_size), max_bad)
        outcome = job.run(workers, progress=progress)
        in_tower = encoder.seconds_in_tower - before
        return _summary(outcome, in_tower if workers.are_here else None)


def _summary(outcome: Outcome[EmbeddingRecord], in_tower: float | None) -> Summary:
    return Summary(
        outcome.n_made,
        outcome.n_new,
        outcome.n_rejected,
        outcome.n_bytes,
        outcome.seconds,
        None if in_tower is None else in_tower / max(outcome.seconds, 1e-9),
        max((each.error for each in outcome.records), default=0.0),
        issues_of(outcome.records),
    )
