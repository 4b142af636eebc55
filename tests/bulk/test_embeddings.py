"""A folder of embeddings is read back as it was encoded, by any number of workers."""

import json
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import clipcond.bulk as bulk
from clipcond.bulk import CaptionEncoder
from clipcond.errors import ArgumentError, BulkError
from tests.bulk.jobs import CAPTIONS, encode, write_captions
from tests.conditioning.conditioners import CLOSE, pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("bulk")
    encode(write_captions(root), root / "out", CaptionEncoder(pair, dtype="float32"))
    return root / "out"


def test_every_item_is_what_a_conditioner_gives(folder):
    embeddings, conditioner = bulk.open(folder), pair()
    embeddings.verify()

    assert len(embeddings) == len(CAPTIONS)
    for i, caption in enumerate(CAPTIONS):
        item, alone = embeddings[i], conditioner(caption)
        assert (item["caption"], item["file"], item["line"]) == (caption, "captions.txt", i + 1)
        assert item["embeds"].shape == alone.embeds.shape[1:]
        own = item["attention_mask"]
        assert own.sum() == len(conditioner.each(caption)[0].rows)
        torch.testing.assert_close(item["embeds"][own], alone.embeds[0, own], **CLOSE)
        mean = alone.embeds[0, ~own].mean(0)
        torch.testing.assert_close(item["embeds"][~own], mean.expand(sum(~own), -1), **CLOSE)
        torch.testing.assert_close(item["pooled"], alone.pooled[0], **CLOSE)
    assert bulk.open(folder, dtype=torch.float16)[0]["embeds"].dtype == torch.float16
    assert torch.equal(embeddings[-1]["embeds"], embeddings[len(CAPTIONS) - 1]["embeds"])
    for index in (len(CAPTIONS), -len(CAPTIONS) - 1):
        with pytest.raises(IndexError):
            embeddings[index]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on few CPUs
@pytest.mark.parametrize("n_workers", [0, 1, 3])
@pytest.mark.parametrize("seed", [None, 0])
def test_a_stream_gives_each_caption_once_to_some_worker(folder, n_workers, seed):
    embeddings = bulk.open(folder)
    loader = DataLoader(embeddings.stream(seed), batch_size=None, num_workers=n_workers)
    found = [item["caption"] for item in loader]

    assert sorted(found) == sorted(CAPTIONS)
    assert len(embeddings.stream()) == len(CAPTIONS)
    if n_workers == 0:
        assert (found == CAPTIONS) == (seed is None)
        again = [item["caption"] for item in embeddings.stream(seed)]
        assert again == found


def test_shuffles_differ_by_their_seed_and_mix_shards(folder):
    embeddings = bulk.open(folder)
    orders = [tuple(item["line"] for item in embeddings.stream(seed)) for seed in range(3)]

    assert len(set(orders)) == 3
    neighbours = [abs(a - b) == 1 for a, b in zip(orders[0], orders[0][1:], strict=False)]
    assert sum(neighbours) < len(neighbours) / 2


def test_ranks_share_the_captions(folder, monkeypatch):
    stream = bulk.open(folder).stream(5)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    found = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        own = [item["line"] for item in stream]
        assert own
        found += own
    assert sorted(found) == [*range(1, len(CAPTIONS) + 1)]


def test_a_batch_is_as_long_as_its_longest(folder):
    embeddings, empty = bulk.open(folder), pair().empty_chunk().embeds[0]
    loader = DataLoader(embeddings, batch_size=5, collate_fn=embeddings.collate, num_workers=2)
    batches = list(loader)

    assert [len(batch["caption"]) for batch in batches] == [5, 5, 5, 5, 3]
    lengths = [batch["embeds"].shape[1] for batch in batches]
    assert set(lengths) == {77, 154}
    for b, batch in enumerate(batches):
        assert batch["embeds"].shape[:2] == batch["attention_mask"].shape
        assert batch["pooled"].shape[0] == len(batch["embeds"])
        for i in range(len(batch["caption"])):
            item = embeddings[5 * b + i]
            own = item["attention_mask"]
            assert torch.equal(batch["attention_mask"][i, : len(own)], own)
            assert not batch["attention_mask"][i, len(own) :].any()
            assert torch.equal(batch["embeds"][i, : len(own)], item["embeds"])
            rest = batch["embeds"][i, len(own) :]
            torch.testing.assert_close(rest, empty[: len(rest)], **CLOSE)


def test_opened_shards_stay_out_of_pickles(folder):
    embeddings = bulk.open(folder)
    size = len(pickle.dumps(embeddings))
    embeddings[0]
    assert len(pickle.dumps(embeddings)) == size
    assert pickle.loads(pickle.dumps(embeddings))[3]["caption"] == CAPTIONS[3]
    assert "23 captions, trimmed, float32" in repr(embeddings)


@pytest.mark.parametrize("number", [slice(0, 2), "0", 1.0, None])
def test_a_number_that_is_none_is_refused(folder, number):
    embeddings = bulk.open(folder)
    with pytest.raises(ArgumentError, match="the number of a caption is a whole number, not"):
        embeddings[number]
    assert embeddings[np.int64(3)]["caption"] == CAPTIONS[3]


def test_what_cannot_be_read_is_refused(folder, tmp_path):
    with pytest.raises(BulkError, match="holds no embeddings"):
        bulk.open(tmp_path)
    for each in folder.iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    shard = tmp_path / "part-0000001.safetensors"
    content = shard.read_bytes()
    flipped = bytearray(content)
    flipped[-1] ^= 1
    for damaged in (content[:-9], b"", b"\xff" * 100, bytes(flipped)):
        shard.write_bytes(damaged)
        with pytest.raises(BulkError, match="part-0000001"):
            bulk.open(tmp_path).verify()
        if damaged != bytes(flipped):
            with pytest.raises(BulkError, match="part-0000001"):
                bulk.open(tmp_path)[5]
    (tmp_path / "index.json").unlink()
    with pytest.raises(BulkError, match="is not finished"):
        bulk.open(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(BulkError, match="format 99"):
        bulk.open(tmp_path)
