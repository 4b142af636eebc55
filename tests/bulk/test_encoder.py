"""The callable that Ray Data, Daft and webdataset use gives what a Conditioner gives."""

import pickle

import numpy as np
import pytest
import torch

from clipcond import Conditioner
from clipcond.bulk import CaptionEncoder
from clipcond.bulk.forms import DTYPES, restore_rows
from clipcond.errors import ArgumentError, BulkError, UnknownNameError
from clipcond.towers import OpenAIClipTower
from tests.conditioning.conditioners import counted_tower, pair, single
from tests.towers.chinese import tower_zh

CAPTIONS = ["a (red:1.3) cat", "x " * 90, "a dog", "a dog", "BREAK a cat"]


def chinese():
    return Conditioner(tower_zh(), pooled=True)


def batch_of(captions):
    return {"caption": np.array([*captions], object), "id": np.arange(len(captions))}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("keep", ["full", "trimmed", "pooled"])
@pytest.mark.parametrize("make", [pair, chinese])
def test_a_batch_comes_out_as_each_caption_alone(make, keep, dtype):
    made = CaptionEncoder(make, keep=keep, dtype=dtype)(batch_of(CAPTIONS))
    tolerance = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 1e-2, "int8": 2e-2}[dtype]

    assert made["id"].tolist() == [*range(len(CAPTIONS))]
    for i, caption in enumerate(CAPTIONS):
        alone = make()(caption)
        embeds, rows = torch.from_numpy(made["embeds"][i]), made["rows"][i]
        pooled = torch.from_numpy(made["pooled"][i])
        if dtype == "bfloat16":
            embeds, pooled = embeds.view(torch.bfloat16), pooled.view(torch.bfloat16)
        if dtype == "int8":
            embeds = restore_rows(embeds, torch.from_numpy(made["scales"][i]))
            pooled = pooled * made["pooled_scale"][i]
        is_own = rows >= 0
        right, embeds = alone.embeds[0, rows[is_own]], embeds[is_own]
        assert made["length"][i] == alone.embeds.shape[1]
        assert (len(rows) == alone.embeds.shape[1]) == (keep == "full")
        torch.testing.assert_close(embeds.float(), right, atol=tolerance * 4, rtol=tolerance)
        torch.testing.assert_close(
            pooled.float(), alone.pooled[0], atol=tolerance * 4, rtol=tolerance
        )
    assert set(made["error"]) == {""}


def test_what_is_no_caption_is_named_and_the_others_are_encoded():
    encoder = CaptionEncoder(single, keep="full")
    made = encoder(batch_of(["a cat", None, 3, "a (cat:1.2.3)", "\ud800", "a dog"]))

    errors = made["error"].tolist()
    assert errors[0] == errors[5] == ""
    assert errors[1] == "it is null, not a string"
    assert errors[2] == "it is int, not a string"
    assert "1.2.3" in errors[3]
    assert errors[4]
    assert [len(each) for each in made["embeds"]] == [77, 0, 0, 0, 0, 77]
    with pytest.raises(BulkError, match="no column 'caption'; it has text"):
        encoder({"text": np.array(["a cat"])})


def test_equal_captions_are_encoded_once_and_the_model_is_loaded_once():
    tower, calls = counted_tower()
    loads = []

    def make():
        loads.append(1)
        return Conditioner(tower, cache_bytes=0)

    encoder = CaptionEncoder(make)
    encoder(batch_of(["a cat"] * 5 + ["a dog"]))
    encoder(batch_of(["a cat"]))

    assert calls == [2, 1]
    assert loads == [1]
    assert encoder.seconds_in_tower > 0


def test_an_encoder_is_pickled_without_its_model():
    encoder = CaptionEncoder(dialect="compel", keep="pooled", pooled=True, column="text")
    size = len(pickle.dumps(encoder))
    encoder.load()
    copied = pickle.loads(pickle.dumps(encoder))

    assert size == len(pickle.dumps(encoder)) < 2000
    assert copied.identity() == encoder.identity()
    captions = {"text": np.array(["(a cat)1.2"], object)}
    assert (copied(captions)["pooled"][0] == encoder(captions)["pooled"][0]).all()


def test_the_identity_tells_what_decides_the_numbers():
    same = CaptionEncoder(single).identity()
    others = [
        CaptionEncoder(single, keep="full"),
        CaptionEncoder(single, dtype="int8"),
        CaptionEncoder(lambda: single(clip_skip=2)),
        CaptionEncoder(lambda: single(dialect="compel")),
        CaptionEncoder(lambda: single(weighting="scale")),
        CaptionEncoder(lambda: single(normalize="mean")),
        CaptionEncoder(lambda: single(max_chunks=2)),
        CaptionEncoder(pair),
    ]
    assert CaptionEncoder(single).identity() == same
    assert len({str(each.identity()) for each in others} | {str(same)}) == len(others) + 1
    model = counted_tower()[0].model
    with torch.no_grad():
        next(model.parameters()).mul_(1.01)
    changed = CaptionEncoder(
        lambda: Conditioner(OpenAIClipTower(model, single().towers[0].tokenizer))
    )
    assert changed.identity()["towers"] != same["towers"]


def test_wrong_choices_are_refused_before_a_model_is_loaded():
    with pytest.raises(ArgumentError, match="makes its Conditioner itself"):
        CaptionEncoder(single, dialect="compel")
    with pytest.raises(UnknownNameError, match="no form 'whole'"):
        CaptionEncoder(keep="whole")


def test_a_tower_that_fails_on_one_caption_loses_that_one_only():
    tower, _ = counted_tower()
    encode = tower.encode
    bad = tower.tokenizer.encode("fox")[0]

    def failing(input_ids, *args, **kwargs):
        if (input_ids == bad).any():
            raise RuntimeError("the tower cannot do foxes")
        return encode(input_ids, *args, **kwargs)

    tower.encode = failing
    made = CaptionEncoder(lambda: Conditioner(tower, cache_bytes=0))(
        batch_of(["a cat", "a fox", "a dog"])
    )
    assert made["error"].tolist() == ["", "the tower cannot do foxes", ""]


@pytest.mark.parametrize("size", [1, 3, 12])
def test_issues_are_counted_for_every_caption_whatever_the_batches(size):
    captions = ["a (cat", "a cat", "a (cat", "a dog)", "a (cat", "(("] * 2
    encoder = CaptionEncoder(single)
    for at in range(0, len(captions), size):
        encoder(batch_of(captions[at : at + size]))

    assert encoder.issues["bracket"] == 10


@pytest.mark.parametrize(
    "one", ["a cat", b"a cat", np.str_("a cat"), np.array("a cat"), 5, None, {"a": 1}]
)
def test_one_caption_is_no_batch(one):
    encoder = CaptionEncoder(single, keep="full")
    with pytest.raises(BulkError, match="the captions of a batch are a list or an array; this is"):
        encoder({"caption": one})
    with pytest.raises(BulkError, match="a list or an array"):
        encoder.encode(one)


def test_a_batch_may_be_anything_with_items_but_no_table():
    encoder = CaptionEncoder(single, keep="full")
    some = torch.utils.data.Subset(["a dog", "a cat", "a fox"], [1, 2])
    assert [len(each) for each in encoder({"caption": some})["embeds"]] == [77, 77]
    table = type("Table", (), {"columns": ["a"], "__iter__": lambda self: iter(["a"])})()
    with pytest.raises(BulkError, match="a list or an array"):
        encoder.encode(table)
