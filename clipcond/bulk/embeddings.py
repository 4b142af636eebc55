"""Read a folder of kept conditionings back: a torch Dataset, and an IterableDataset of it."""

from __future__ import annotations

import hashlib
import operator
import random
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from clipcond.bulk.embedding_folder import EMPTY, SUFFIXES, EmbeddingLayout, EmbeddingRecord
from clipcond.bulk.folder import FORMAT, INDEX, MANIFEST
from clipcond.bulk.forms import restore_rows, restored
from clipcond.bulk.shards import Shard, read_shard
from clipcond.errors import ArgumentError, BulkError, excerpt
from clipcond.files import local_path, opened, read_json

Item: TypeAlias = dict[str, Any]
_OPEN_SHARDS = 8  # at most, in a process; mapped, so they take little memory
_BLOCK = 2**20  # bytes


class Embeddings(Dataset[Item]):
    """The conditionings of a folder that `clipcond embed` made; see `open`.

    An item is a dict: `embeds` [S D], the caption's conditioning as the UNet reads it;
    `attention_mask` bool [S], which rows are not padding; `pooled` [P] if it was kept; `caption`,
    `file` and `line`. In form "trimmed" padding is the mean of its run, all other rows are exact;
    in form "pooled" there are no embeds and no mask.

    Args:
        dtype: of embeds and pooled.
    """

    def __init__(self, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
        self.folder, self.dtype = folder, dtype
        self.manifest = _read_manifest(folder)
        self._records = [EmbeddingRecord.of(each) for each in _read_index(folder)["shards"]]
        self._stops = [*accumulate(record.n_captions for record in self._records)]
        self._shards: OrderedDict[int, Shard] = OrderedDict()
        self._suffix = SUFFIXES[self.manifest["files"]]
        self._files = [source["name"] for source in self.manifest["sources"]]
        path = folder / EMPTY
        self._empty = load_file(path)["embeds"].to(dtype) if path.is_file() else None

    def __len__(self) -> int:
        return self._stops[-1] if self._stops else 0

    def __repr__(self) -> str:
        encoder = self.manifest["encoder"]
        kept = f"{encoder['keep']}, {encoder['dtype']}"
        return f"{type(self).__name__}({str(self.folder)!r}, {len(self)} captions, {kept})"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the opened shards out: each worker opens its own."""
        return {**vars(self), "_shards": OrderedDict()}

    def __getitem__(self, index: int) -> Item:
        try:
            index = operator.index(index)
        except TypeError as error:
            raise ArgumentError(
                f"the number of a caption is a whole number, not {index!r}",
                "Several are torch.utils.data.Subset(embeddings, range(...)).",
            ) from error
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} captions, no {index}")
        index %= len(self)
        place = bisect_right(self._stops, index)
        return self._item(place, index - (self._stops[place - 1] if place else 0))

    def _item(self, place: int, i: int) -> Item:
        shard = self._shard(place)
        tensors = shard.tensors
        item: Item = {
            "caption": shard.text(i),
            "file": self._files[int(tensors["file"][i])],
            "line": int(tensors["line"][i]),
        }
        if "pooled" in tensors:
            scale = tensors["pooled_scales"][i : i + 1] if "pooled_scales" in tensors else None
            item["pooled"] = restore_rows(tensors["pooled"][i], scale).to(self.dtype)
        if self.manifest["encoder"]["keep"] != "pooled":
            item.update(self._rows(shard, i, int(tensors["length"][i])))
        return item

    def _rows(self, shard: Shard, i: int, length: int) -> Item:
        rows, own = shard.rows("rows", i), shard.rows("own", i)
        kept = restore_rows(shard.rows("embeds", i), shard.scales(i)).to(self.dtype)
        mask = torch.zeros(length, dtype=torch.bool)
        mask[rows[own].long()] = True
        return {"embeds": restored(kept, rows, length), "attention_mask": mask}

    def _shard(self, place: int) -> Shard:
        if place not in self._shards:
            record = self._records[place]
            path = self.folder / f"part-{record.number:07d}{self._suffix}"
            shard = read_shard(path)
            if len(shard) != record.n_captions:
                message = f"{str(path)!r} has {len(shard)} captions, not {record.n_captions}"
                raise BulkError(message, "It is damaged: encode the captions again.")
            self._shards[place] = shard
            while len(self._shards) > _OPEN_SHARDS:
                self._shards.popitem(last=False)
        self._shards.move_to_end(place)
        return self._shards[place]

    def stream(self, seed: int | None = None) -> EmbeddingStream:
        """Make an IterableDataset: shard by shard, each caption once over all workers and ranks.

        Args:
            seed: shuffles the shards, and the captions of some shards among each other; another
                one for each epoch. None = in order.
        """
        return EmbeddingStream(self, seed)

    def collate(self, items: Sequence[Item]) -> Item:
        """Make a batch of items: embeds as long as the longest, by the empty prompt's rows.

        Returns:
            `embeds` [b S D], `attention_mask` [b S], `pooled` [b P]; and lists of the others.
        """
        batch: Item = {name: [item[name] for item in items] for name in items[0]}
        if "embeds" in batch:
            longest = max(map(len, batch["embeds"]))
            batch["embeds"] = torch.stack([self._lengthened(e, longest) for e in batch["embeds"]])
            masks = torch.zeros(len(items), longest, dtype=torch.bool)
            for row, mask in zip(masks, batch["attention_mask"], strict=True):
                row[: len(mask)] = mask
            batch["attention_mask"] = masks
        if "pooled" in batch:
            batch["pooled"] = torch.stack(batch["pooled"])
        return batch

    def _lengthened(self, embeds: Tensor, length: int) -> Tensor:
        n_missing = length - len(embeds)
        if not n_missing or self._empty is None:
            return embeds
        n_times = -(-n_missing // len(self._empty))
        return torch.cat([embeds, self._empty.repeat(n_times, 1)[:n_missing]])

    def verify(self) -> None:
        """Read every shard, and compare its SHA-256 with the index.

        Raises:
            BulkError: one has changed since it was written.
        """
        for record in self._records:
            path, digest = self.folder / f"part-{record.number:07d}{self._suffix}", hashlib.sha256()
            with opened(path) as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
            if digest.hexdigest() != record.sha256:
                raise BulkError(
                    f"{str(path)!r} has changed since it was written",
                    "It is damaged: encode the captions again.",
                )


class EmbeddingStream(IterableDataset[Item]):
    """The items of a folder, in order or shuffled; see `Embeddings.stream`."""

    def __init__(self, embeddings: Embeddings, seed: int | None) -> None:
        self.embeddings, self.seed = embeddings, seed

    def __len__(self) -> int:
        return len(self.embeddings)

    def __iter__(self) -> Iterator[Item]:
        part, n_parts = _part()
        pieces = self._pieces(n_parts)
        chance = None if self.seed is None else random.Random(self.seed)
        if chance is not None:
            chance.shuffle(pieces)
        own = pieces[part::n_parts]
        for start in range(0, len(own), _OPEN_SHARDS):
            some = own[start : start + _OPEN_SHARDS]
            places = [(place, i) for place, span in some for i in span]
            if chance is not None:
                chance.shuffle(places)
            for place, i in places:
                yield self.embeddings._item(place, i)

    def _pieces(self, n_parts: int) -> list[tuple[int, range]]:
        """Cut the shards into enough pieces for all workers."""
        records = self.embeddings._records
        n_each = -(-4 * n_parts // max(len(records), 1)) if n_parts > 1 else 1
        pieces = []
        for place, record in enumerate(records):
            size = max(1, -(-record.n_captions // n_each))
            for start in range(0, record.n_captions, size):
                pieces.append((place, range(start, min(start + size, record.n_captions))))
        return pieces


def open(folder: str | PathLike[str], *, dtype: torch.dtype = torch.float32) -> Embeddings:
    """Open a folder that `encode_captions` or `clipcond embed` has finished.

    Args:
        dtype: see `Embeddings`.
    Raises:
        BulkError: it holds no embeddings, or they are not finished or damaged.
    """
    return Embeddings(local_path(folder, BulkError), dtype=dtype)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise BulkError(f"{str(folder)!r} holds no embeddings: there is no {MANIFEST}")
    manifest = read_json(path)
    if (
        manifest.get("kind") != f"clipcond {EmbeddingLayout.kind}"
        or manifest.get("format") != FORMAT
    ):
        kind, number = (excerpt(repr(manifest.get(name))) for name in ("kind", "format"))
        raise BulkError(f"{str(path)!r} is of kind {kind}, format {number}: it cannot be opened")
    return manifest


def _read_index(folder: Path) -> dict[str, Any]:
    if not (folder / INDEX).is_file():
        raise BulkError(
            f"{str(folder)!r} is not finished: there is no {INDEX}",
            "Run the command that began it once more: it goes on.",
        )
    return read_json(folder / INDEX)


def _part() -> tuple[int, int]:
    """Which part of the work this process has, and of how many: ranks times workers."""
    info = get_worker_info()
    worker, n_workers = (0, 1) if info is None else (info.id, info.num_workers)
    rank, n_ranks = 0, 1
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        rank, n_ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    return rank * n_workers + worker, n_ranks * n_workers
