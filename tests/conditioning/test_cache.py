"""The chunk cache: bounded, and never mistaken."""

import copy
import pickle
import threading
import weakref

import pytest
import torch

from clipcond.chunking import TokenChunk, empty_chunk
from clipcond.conditioning import cache as cache_module
from clipcond.conditioning.cache import ChunkCache, ChunkEncoder, key_of
from clipcond.towers.base import HiddenLayer, TowerOutput
from tests.parity.models import tower_l

LAST = HiddenLayer(1, True)


def row(n_floats: int) -> TowerOutput:
    return TowerOutput(torch.zeros(n_floats, 1))


def chunk(*ids: int, masked: tuple[int, ...] = ()) -> TokenChunk:
    body = (49406, *ids, *[49407] * (76 - len(ids)))
    mask = tuple(int(i not in masked) for i in range(77))
    return TokenChunk(body, (1.0,) * 77, mask, (-1,) * 77)


def encoder(tower, cache: ChunkCache, layer=LAST, *, pooled: bool = False) -> ChunkEncoder:
    return ChunkEncoder(tower, tower.special, layer, cache, pooled=pooled)


class CountingTower:
    """tower_l that counts its calls and the chunks in each."""

    def __init__(self) -> None:
        self.inner = tower_l()
        self.calls: list[int] = []
        self.masks: list[bool] = []
        self.lengths: list[int] = []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def encode(self, input_ids, attention_mask, layer, *, pooled=False):
        self.calls.append(len(input_ids))
        self.masks.append(attention_mask is not None)
        self.lengths.append(input_ids.shape[1])
        return self.inner.encode(input_ids, attention_mask, layer, pooled=pooled)


def test_the_least_recently_used_leaves_first():
    cache = ChunkCache(max_bytes=3 * 40)
    for name in "abc":
        cache.put((name,), row(10))
    assert cache.get(("a",)) is not None
    cache.put(("d",), row(10))

    assert [name for name in "abcd" if cache.get((name,)) is not None] == ["a", "c", "d"]
    assert cache.n_bytes == 120
    assert len(cache) == 3


def test_a_row_beyond_the_bound_is_not_kept():
    cache = ChunkCache(max_bytes=100)
    cache.put(("small",), row(10))
    cache.put(("large",), row(1000))

    assert (len(cache), cache.n_bytes) == (0, 0)


def test_storing_again_counts_once():
    cache = ChunkCache(max_bytes=100)
    cache.put(("a",), row(10))
    cache.put(("a",), TowerOutput(torch.zeros(5, 1), torch.zeros(5)))

    assert cache.n_bytes == 40
    cache.clear()
    assert (len(cache), cache.n_bytes) == (0, 0)


def test_states_get_short_numbers_and_old_ones_are_forgotten():
    cache = ChunkCache()
    first = cache.number(("a", 1))

    assert cache.number(("a", 1)) == first
    others = [cache.number(("b", i)) for i in range(100)]
    assert len({first, *others}) == 101
    assert cache.number(("a", 1)) not in {first, *others}  # never a number used before


def test_copies_start_empty():
    cache = ChunkCache(max_bytes=1000)
    cache.put(("a",), row(10))

    for other in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert len(other) == 0
        assert other.max_bytes == 1000


def test_copies_of_a_chunk_are_encoded_once_and_in_one_call():
    tower, cache = CountingTower(), ChunkCache()
    chunks = [chunk(320), chunk(2368), chunk(320), empty_chunk(tower.special)]

    output = encoder(tower, cache)(chunks)

    assert tower.calls == [3]
    assert torch.equal(output.hidden[0], output.hidden[2])
    ids = torch.tensor([c.input_ids for c in chunks])
    torch.testing.assert_close(output.hidden, tower.inner.encode(ids, None, LAST).hidden)


def test_what_is_known_costs_nothing_and_is_not_handed_out_itself():
    tower, cache = CountingTower(), ChunkCache()
    first = encoder(tower, cache)([chunk(320)]).hidden
    first.zero_()  # a caller may do what he likes with his result

    again = encoder(tower, cache)([chunk(320)]).hidden

    assert tower.calls == [1]
    assert again.abs().sum() > 0


def test_weights_and_segments_of_a_chunk_do_not_matter():
    tower, cache = CountingTower(), ChunkCache()
    weighted = TokenChunk(chunk(320).input_ids, (1.5,) * 77, (1,) * 77, (0,) * 77)

    encoder(tower, cache)([chunk(320), weighted])

    assert tower.calls == [1]


def test_layer_mask_and_pooled_do_matter():
    tower, cache = CountingTower(), ChunkCache()
    for layer in (LAST, HiddenLayer(2, True), HiddenLayer(2, False)):
        encoder(tower, cache, layer)([chunk(320)])
    assert tower.calls == [1, 1, 1]
    masked = encoder(tower, cache)([chunk(320, masked=(1,)), chunk(320)])
    assert tower.calls == [1, 1, 1, 1]
    assert not torch.equal(masked.hidden[0], masked.hidden[1])

    with_pooled = encoder(tower, cache, LAST, pooled=True)([chunk(320)])
    assert tower.calls == [1] * 5
    assert with_pooled.pooled.shape == (1, 32)
    encoder(tower, cache)([chunk(320)])  # what has it serves both
    assert tower.calls == [1] * 5


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_masked_chunks_go_along_only_where_the_others_keep_their_bits(monkeypatch, kernel):
    tower, few = CountingTower(), [chunk(320), chunk(2368), chunk(525)]
    monkeypatch.setattr(tower.model.config, "_attn_implementation", kernel)
    masked = [chunk(2368, masked=(1,)), chunk(525, masked=range(2, 76))]
    monkeypatch.setattr(type(tower.inner), "mask_keeps_rows", False)
    apart = encoder(tower, ChunkCache())([*few, *masked]).hidden
    assert (tower.calls, tower.masks) == ([3, 2], [False, True])
    monkeypatch.undo()

    for n in range(4):
        monkeypatch.setattr(tower.model.config, "_attn_implementation", kernel)
        together = encoder(tower, ChunkCache())([*few[:n], *masked]).hidden
        assert (tower.calls[-1], tower.masks[-1]) == (n + 2, True)
        assert torch.equal(together, apart[[*range(n), 3, 4]])
    assert len(tower.calls) == 6


def test_masked_chunks_go_apart_where_nothing_is_known_of_the_attention(monkeypatch):
    tower = CountingTower()
    monkeypatch.setattr(tower.model.config, "_attn_implementation", "own")
    assert not tower.mask_keeps_rows
    monkeypatch.undo()
    monkeypatch.setattr(type(tower.inner), "device", torch.device("cuda"))
    assert not tower.mask_keeps_rows


def test_what_fits_a_chunk_may_be_less_than_what_is_kept_but_never_more():
    tower, cache = CountingTower(), ChunkCache()
    ends = {key_of(chunk(320)): 16, key_of(chunk(2368)): 48}

    def encoded(lengths):
        encode = ChunkEncoder(tower, tower.special, LAST, cache, pooled=False, lengths=lengths)
        return encode([chunk(320), chunk(2368)]).hidden

    short = encoded(ends)
    assert (tower.calls, tower.lengths) == ([1, 1], [16, 48])
    assert short.shape == (2, 77, 32)
    assert not short[0, 16:].any()
    assert not short[1, 48:].any()
    assert torch.equal(encoded(ends), short)
    assert tower.calls == [1, 1]
    whole = encoded({})
    assert (tower.calls, tower.lengths) == ([1, 1, 2], [16, 48, 77])
    assert torch.equal(whole[0, :16], short[0, :16])
    assert torch.equal(whole[1, :48], short[1, :48])
    again = encoded(ends)
    assert (len(tower.calls), torch.equal(again, whole)) == (3, True)


def test_no_row_keeps_its_whole_batch_alive():
    tower, cache = CountingTower(), ChunkCache()
    encoder(tower, cache)([chunk(i) for i in range(1, 9)])

    assert {row.hidden.untyped_storage().nbytes() for row in cache._rows.values()} == {77 * 32 * 4}


def test_huge_batches_are_split(monkeypatch):
    tower = CountingTower()
    chunk_bytes = 77 * 32 * 4 * cache_module.ACTIVATIONS
    monkeypatch.setattr(cache_module, "BATCH_BYTES", 4 * chunk_bytes)
    chunks = [chunk(i) for i in range(1, 11)]

    output = encoder(tower, ChunkCache())(chunks)

    assert tower.calls == [4, 4, 2]
    assert len(output.hidden) == 10


def test_a_call_larger_than_the_cache_still_works():
    tower, cache = CountingTower(), ChunkCache(max_bytes=1)
    chunks = [chunk(1), chunk(2), chunk(1)]
    encode = encoder(tower, cache)

    encode.prefetch(chunks)
    encode(chunks)

    assert tower.calls == [2]
    assert cache.n_bytes == 0


def test_threads_may_share_a_cache():
    tower, cache, errors = tower_l(), ChunkCache(max_bytes=100_000), []

    def work(seed: int) -> None:
        try:
            for i in range(20):
                ids = (seed * 7 + i) % 15 + 1
                ours = encoder(tower, cache)([chunk(ids)]).hidden
                expected = tower.encode(torch.tensor([chunk(ids).input_ids]), None, LAST).hidden
                torch.testing.assert_close(ours, expected)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert errors == []
    assert cache.n_bytes <= 100_000


def test_a_cleared_cache_keeps_no_fingerprint():
    class Large:
        pass

    cache, fingerprint = ChunkCache(), Large()
    number, kept = cache.number(fingerprint), weakref.ref(fingerprint)
    assert cache.number(fingerprint) == number
    del fingerprint
    cache.clear()

    assert kept() is None
    assert cache.number(Large()) != number


def test_results_made_in_inference_mode_serve_training_later():
    from clipcond import Conditioner

    conditioner = Conditioner(tower_l())
    with torch.inference_mode():
        conditioner("a cat")
    layer = torch.nn.Linear(32, 1)

    layer(conditioner("a cat").embeds).sum().backward()

    assert layer.weight.grad is not None


@pytest.mark.parametrize("change", ["weights", "dtype"])
def test_a_changed_tower_is_a_miss(change):
    tower = CountingTower()
    tower.inner = copy.deepcopy(tower.inner)
    cache = ChunkCache()
    before = encoder(tower, cache)([chunk(320)]).hidden
    if change == "weights":
        tower.inner.model.get_input_embeddings().weight.mul_(1.1)
    else:
        tower.inner.model.half()

    after = encoder(tower, cache)([chunk(320)]).hidden

    assert tower.calls == [1, 1]
    assert not torch.equal(before, after.float())
