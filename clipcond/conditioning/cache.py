"""Encode chunks: gather them, drop copies, remember results, call the tower once."""

from __future__ import annotations

import atexit
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from mmap import mmap
from typing import NamedTuple, TypeAlias
from weakref import finalize

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, empty_chunk
from clipcond.locks import fork_safe_lock
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import HiddenLayer, TextTower, TowerOutput
from clipcond.towers.weight_keys import serial_of

Key: TypeAlias = tuple[Hashable, ...]
ChunkKey: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]  # input_ids, attention_mask

MIB = 2**20
CACHE_BYTES = 256 * MIB  # about a thousand chunks of CLIP-L in float32
BATCH_BYTES = 256 * MIB  # activations of one tower call; bounds prompts of thousands of chunks
# Peak activations of one chunk, in units of its hidden states [L D]; measured on CLIP-L: 4.4 MB of
# 0.24 MB each, most of it the fourfold inner layer and attention's copies.
ACTIVATIONS = 20
PAGES_FROM = 64 * 2**10  # bytes of a chunk
N_FINGERPRINTS = 16
EMPTY_BYTES = 8 * MIB  # a few dozens of empty chunks: each layer, length and padding has one


class ChunkCache:
    """A bounded store of encoded chunks; the least recently used is dropped first.

    Threads may share it. Copies and pickles start empty: the chunks can be encoded again.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._rows: OrderedDict[Key, TowerOutput] = OrderedDict()
        self._fingerprints: OrderedDict[int, Hashable] = OrderedDict()
        self._numbers = count()
        self._lock = fork_safe_lock(repair=self._forget)

    def __len__(self) -> int:
        return len(self._rows)

    def __reduce__(self) -> tuple[type[ChunkCache], tuple[int]]:
        return ChunkCache, (self.max_bytes,)

    def get(self, key: Key) -> TowerOutput | None:
        """Look up a key: hidden [L D] and pooled [P] or None; None if nothing is kept there."""
        with self._lock:
            row = self._rows.get(key)
            if row is not None:
                self._rows.move_to_end(key)
            return row

    def put(self, key: Key, row: TowerOutput) -> None:
        """Keep one chunk's output, and forget the oldest beyond `max_bytes`."""
        with self._lock:
            if key in self._rows:
                self.n_bytes -= _n_bytes(self._rows.pop(key))
            self._rows[key] = row
            self.n_bytes += _n_bytes(row)
            while self.n_bytes > self.max_bytes:
                _, oldest = self._rows.popitem(last=False)
                self.n_bytes -= _n_bytes(oldest)

    def clear(self) -> None:
        """Forget everything, and the empty chunks that all caches share."""
        for cache in (self, *_EMPTY.values()):
            cache._forget()

    def _forget(self) -> None:
        with self._lock:
            self._rows.clear()
            self._fingerprints.clear()
            self.n_bytes = 0

    def number(self, fingerprint: Hashable) -> int:
        """Give a tower's fingerprint, perhaps a tuple of thousands of entries, a short number."""
        with self._lock:
            for number, known in self._fingerprints.items():
                if known == fingerprint:
                    self._fingerprints[number] = fingerprint  # compared faster next time
                    self._fingerprints.move_to_end(number)
                    return number
            number = next(self._numbers)
            self._fingerprints[number] = fingerprint
            if len(self._fingerprints) > N_FINGERPRINTS:
                self._fingerprints.popitem(last=False)
            return number


_EMPTY: dict[int, ChunkCache] = {}
atexit.register(_EMPTY.clear)  # their locks go before the modules that locks need


def empty_chunks_of(tower: TextTower) -> ChunkCache:
    """Find the store of a tower's encoded empty chunks, which all conditioners of it share."""
    serial = serial_of(tower)
    known = _EMPTY.get(serial)
    if known is None:
        known = _EMPTY.setdefault(serial, ChunkCache(EMPTY_BYTES))
        with suppress(TypeError):  # of an object without weak references there is one for good
            finalize(tower, _EMPTY.pop, serial, None).atexit = False
    return known


class _Missing(NamedTuple):
    """A chunk to be encoded: where it is kept, how many positions are wanted, whether masked."""

    chunk: ChunkKey
    stores: list[tuple[ChunkCache, Key]]
    length: int
    masked: bool


class ChunkEncoder:
    """The `Encode` of one call: bound to a tower with its weights of now, and to a layer.

    `prefetch` encodes what it is given in one tower call, copies once; a call encodes only what is
    still missing then. Results of that tower call are held apart from the cache too, because its
    bound may be smaller. Empty chunks, which fill up the shorter of two prompts, are also kept for
    other caches of the same tower.

    Args:
        lengths: of chunks that are not wanted whole, how many positions are, by `key_of`; the rows
            behind them are zeros. Only of towers whose positions see none behind them.
        gives_copies: see there; otherwise the result of a single chunk may be what is kept of it.
    Attributes:
        n_at_once: how many chunks one tower call takes.
        gives_copies: results belong to the caller, who may write into them.
    """

    def __init__(
        self,
        tower: TextTower,
        special: SpecialTokens,
        layer: HiddenLayer,
        cache: ChunkCache,
        *,
        pooled: bool,
        lengths: Mapping[ChunkKey, int] | None = None,
        gives_copies: bool = True,
    ) -> None:
        self.special, self.gives_copies = special, gives_copies
        self._lengths = lengths or {}
        self._tower = tower
        self._layer = layer
        self._pooled = pooled
        self._cache = cache
        fingerprint = tower.fingerprint() if cache.max_bytes else None
        number = cache.number(fingerprint) if cache.max_bytes else 0
        self._prefix: Key = (serial_of(tower), number, layer)
        self._empty = empty_chunks_of(tower) if cache.max_bytes else None
        number = 0 if self._empty is None else self._empty.number(fingerprint)
        self._empty_prefix = (serial_of(tower), number, layer)
        self._empty_key = key_of(empty_chunk(special))
        n_values = special.context_length * tower.width * ACTIVATIONS
        self.n_at_once = max(1, BATCH_BYTES // (n_values * tower.dtype.itemsize))
        self._sums: dict[int, int] = {}
        self._rows: dict[Key, TowerOutput] = {}

    def __call__(self, chunks: Sequence[TokenChunk]) -> TowerOutput:
        """Encode chunks: hidden [n L D] and pooled [n P] (or None), in their order."""
        hidden, pooled = torch.empty(0), []
        for start in range(0, len(chunks), self.n_at_once):
            part = chunks[start : start + self.n_at_once]
            self.prefetch(part)
            rows = [self._rows[key_of(chunk)] for chunk in part]
            pooled += [row.pooled for row in rows if row.pooled is not None]
            length = len(part[0].input_ids)
            is_whole = all(len(row.hidden) == length for row in rows)
            if is_whole and len(chunks) == 1 and not self.gives_copies:
                hidden = rows[0].hidden.unsqueeze(0)
                break
            if not start:
                hidden = rows[0].hidden.new_empty((len(chunks), length, rows[0].hidden.shape[-1]))
            own = hidden[start : start + len(part)]
            if is_whole:
                torch.stack([row.hidden for row in rows], out=own)
            else:
                own.zero_()
                for copy, row in zip(own, rows, strict=True):
                    copy[: len(row.hidden)] = row.hidden
        return TowerOutput(hidden, torch.stack(pooled) if self._pooled else None)

    def prefetch(
        self, chunks: Iterable[TokenChunk], later: Iterable[Iterable[TokenChunk]] = ()
    ) -> None:
        """Encode the chunks that are not known yet, in as few tower calls as possible.

        Args:
            later: groups of chunks that are wanted next. If anything is encoded, so are those of
                them that the same tower call takes.
        """
        wanted = dict.fromkeys(map(key_of, chunks))  # in their order
        new = dict.fromkeys(key for key in wanted if key not in self._rows)
        if not new:
            return
        for group in later:
            keys = dict.fromkeys(map(key_of, group))
            more = [key for key in keys if key not in self._rows and key not in new]
            if len(new) + len(more) > self.n_at_once:
                break
            new.update(dict.fromkeys(more))
        if len(self._rows) + len(new) > self.n_at_once:  # memory for one tower call
            self._rows = {key: row for key, row in self._rows.items() if key in wanted}
        if self._cache.max_bytes:
            self._sum_up(new)
        missing: list[_Missing] = []
        for key in new:
            stores = list(self._stores(key))
            length = self._lengths.get(key, len(key[0]))
            row = next(filter(None, (self._kept(*store, length) for store in stores)), None)
            if row is None:
                masked = self.special.mask_padding or not all(key[1])
                missing.append(_Missing(key, stores, length, masked))
            else:
                self._rows[key] = row
        for batch, masked in self._batches(missing):
            self._call_tower(batch, masked)

    def _call_tower(self, batch: Sequence[_Missing], masked: bool) -> None:
        length = batch[0].length
        input_ids = torch.tensor([each.chunk[0][:length] for each in batch])
        mask = torch.tensor([each.chunk[1][:length] for each in batch]) if masked else None
        output = self._tower.encode(input_ids, mask, self._layer, pooled=self._pooled)
        for i, (key, stores, *_) in enumerate(batch):
            # copied: a view would keep the whole batch alive after its neighbours are forgotten
            pooled = None if output.pooled is None else output.pooled[i].clone()
            self._rows[key] = row = TowerOutput(_copied(output.hidden[i]), pooled)
            for store, name in stores:
                store.put(name, row)

    def _kept(self, store: ChunkCache, key: Key, length: int) -> TowerOutput | None:
        """Look up what is kept of a chunk, if it has all that is wanted."""
        row = store.get(key)
        if row is None or len(row.hidden) < length or (self._pooled and row.pooled is None):
            return None
        return row

    def _stores(self, chunk: ChunkKey) -> Iterator[tuple[ChunkCache, Key]]:
        """Yield where a chunk is kept."""
        own = *chunk, hash(tuple(map(self._sums.get, chunk[0])))
        yield self._cache, (*self._prefix, *own)
        if self._empty is not None and chunk == self._empty_key:
            yield self._empty, (*self._empty_prefix, *own)

    def _sum_up(self, chunks: Iterable[ChunkKey]) -> None:
        """Take checksums of the token embeddings that chunks use, if the tower gives any."""
        ids = {i for input_ids, _ in chunks for i in input_ids} - self._sums.keys()
        row_checksums = getattr(self._tower, "row_checksums", None)
        if ids and row_checksums is not None:
            self._sums.update(row_checksums(sorted(ids)))

    def _batches(self, chunks: Iterable[_Missing]) -> Iterator[tuple[list[_Missing], bool]]:
        """Yield chunks of equal length and masking, as many at once as memory allows.

        Masked chunks get batches of their own, unless the tower says that they do no harm: a mask
        takes another path through attention, and must not change unmasked chunks, not even by a
        rounding.
        """
        groups: dict[tuple[int, bool], list[_Missing]] = {}
        for each in chunks:
            groups.setdefault((each.length, each.masked), []).append(each)
        if len(groups) > 1 and getattr(self._tower, "mask_keeps_rows", False):
            for length in {length for length, masked in groups if masked}:
                groups[length, True] = groups.pop((length, False), []) + groups[length, True]
        for (_, masked), group in groups.items():
            for start in range(0, len(group), self.n_at_once):
                yield group[start : start + self.n_at_once], masked


def key_of(chunk: TokenChunk) -> ChunkKey:
    """Make a key of what a tower computes with."""
    return chunk.input_ids, chunk.attention_mask


def _copied(hidden: Tensor) -> Tensor:
    """Copy hidden states [L D]; large ones on a CPU into pages of their own.

    Among the activations that come and go they would leave holes in the heap, which then grows.
    """
    if hidden.device.type != "cpu" or hidden.nbytes < PAGES_FROM:
        return hidden.clone()
    pages = torch.frombuffer(mmap(-1, hidden.nbytes), dtype=hidden.dtype)
    return pages.view(hidden.shape).copy_(hidden)


def _n_bytes(row: TowerOutput) -> int:
    return row.hidden.nbytes + (0 if row.pooled is None else row.pooled.nbytes)
