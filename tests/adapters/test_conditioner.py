"""The laws of conditioning hold with an adapter behind the tower."""

import copy
import pickle
from itertools import product

import pytest
import torch
from transformers import ChineseCLIPTextConfig, ChineseCLIPTextModel

from clipcond import Conditioner
from clipcond.chunking import empty_chunk
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import ClipcondWarning, PromptWarning, TowerError, WeightingError
from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers import ChineseClipTower, HiddenLayer
from tests.adapters.made import LENGTH, adapter, record
from tests.parity.models import tower_g, tower_l
from tests.towers.chinese import TEXT, tower_zh, with_weights

# batches of another size are summed in another order
CLOSE = {"rtol": 0, "atol": 5e-6}
CAT = "蓝色背景上的一只猫"
LONG = "，".join([CAT] * 14)  # three chunks of 50 tokens
KINDS = pytest.mark.parametrize("kind", ["linear", "resampler"])


def made(kind: str = "resampler", *, sizes: dict | None = None, **choices) -> Conditioner:
    length = 52 if kind == "linear" else LENGTH
    sizes = {"width": 24, "length": length, **(sizes or {})}
    return Conditioner(tower_zh(), adapter=adapter(kind, **sizes), **choices)


def by_hand(conditioner: Conditioner, prompt: str, layer: HiddenLayer | None = None):
    """The tower itself, then the adapter itself, on the prompt's chunks."""
    chunks = conditioner.chunks(prompt)
    mask = torch.tensor([chunk.attention_mask for chunk in chunks])
    ids = torch.tensor([chunk.input_ids for chunk in chunks])
    tower = conditioner.towers[0]
    hidden = tower.encode(ids, mask, layer or HiddenLayer(1)).hidden
    return conditioner.adapter(hidden, mask)


def test_an_adapter_may_write_into_what_it_gets():
    conditioner = made()

    def double(_, args):
        args[0].mul_(2)

    conditioner.adapter.register_forward_pre_hook(double)
    first = conditioner([CAT, CAT]).embeds  # encoded once

    assert torch.equal(conditioner([CAT, CAT]).embeds, first)
    assert torch.equal(conditioner(CAT).embeds, first[:1])


@KINDS
@pytest.mark.parametrize("prompt", ["", CAT, f"({CAT}:1.0)", LONG, "a red cat", f"{CAT} BREAK 狗"])
def test_weights_of_one_are_the_plain_encoding_through_the_adapter(kind, prompt):
    conditioner = made(kind)
    found = conditioner(prompt)
    rows = by_hand(conditioner, prompt).hidden

    assert torch.equal(found.embeds, rows.flatten(0, 1)[None])
    assert found.attention_mask is None
    assert found.pooled is None


@pytest.mark.filterwarnings("ignore:the prompt needs 3 chunks")  # some dialects take one
def test_in_every_dialect():
    failures = []
    for dialect, prompt in product(sorted(DIALECTS), (CAT, LONG)):
        conditioner = made(dialect=dialect)
        found = conditioner(prompt).embeds

        rows = by_hand(conditioner, prompt).hidden
        assert rows.shape == (len(conditioner.chunks(prompt)), LENGTH, 24)
        if not torch.equal(found, rows.flatten(0, 1)[None]):
            failures.append((dialect, prompt))

    assert not failures


@KINDS
def test_a_weight_changes_the_result(kind):
    failures = []
    for weighting, weight in product(["scale", "scale_mean", "lerp", "masked"], [0.5, 1.3]):
        conditioner = made(kind, weighting=weighting)
        plain = conditioner(CAT).embeds
        weighted = conditioner(f"蓝色背景上的一只(猫:{weight})").embeds
        if plain.shape != weighted.shape or not (plain - weighted).abs().max() > 1e-3:
            failures.append((weighting, weight))

    assert not failures


def test_clip_skip_picks_the_towers_layer():
    conditioner = made(clip_skip=2)

    assert torch.equal(
        conditioner(CAT).embeds[0], by_hand(conditioner, CAT, HiddenLayer(2)).hidden[0]
    )
    assert torch.equal(conditioner(CAT, clip_skip=1).embeds, made()(CAT).embeds)
    assert not torch.equal(conditioner(CAT).embeds, made()(CAT).embeds)


@KINDS
@pytest.mark.parametrize("texts", [(CAT, "狗"), (LONG, ""), ("", LONG), (CAT, f"(狗:1.3) {LONG}")])
def test_swapping_positive_and_negative_swaps_the_results(kind, texts):
    conditioner = made(kind, clip_skip=2)
    one, other = conditioner.guided(*texts), conditioner.guided(*texts[::-1])

    assert one.positive.embeds.shape == one.negative.embeds.shape
    assert torch.allclose(one.positive.embeds, other.negative.embeds, **CLOSE)
    assert torch.allclose(one.negative.embeds, other.positive.embeds, **CLOSE)


def test_the_shorter_of_two_gets_empty_chunks_through_the_adapter():
    conditioner = made()
    guided = conditioner.guided(LONG, CAT)
    empty = by_hand(conditioner, "").hidden[0]

    assert len(conditioner.chunks(LONG)) == 3
    assert guided.positive.embeds.shape == (1, 3 * LENGTH, 24)
    assert torch.allclose(guided.negative.embeds[0, LENGTH : 2 * LENGTH], empty, **CLOSE)
    assert torch.allclose(guided.negative.embeds[0, 2 * LENGTH :], empty, **CLOSE)
    assert torch.allclose(guided.positive.embeds, conditioner(LONG).embeds, **CLOSE)


@KINDS
def test_neighbours_in_the_batch_change_nothing(kind):
    conditioner = made(kind)
    texts = [CAT, f"(狗:1.4){CAT}", "", "a cat 猫"]
    together = conditioner(texts)
    for i, text in enumerate(texts):
        assert torch.allclose(conditioner(text).embeds[0], together.embeds[i], **CLOSE)


def test_the_empty_prompt_goes_the_same_way():
    conditioner = made(sizes={"pooled_width": 10})
    for guided in (conditioner.guided(CAT), conditioner.guided(CAT, "")):
        assert torch.allclose(guided.negative.embeds, conditioner("").embeds, **CLOSE)
        assert torch.allclose(guided.negative.pooled, conditioner("").pooled, **CLOSE)
        assert guided.negative.pooled.abs().max() > 0.01
    chunk = conditioner.chunks("")[0]
    assert chunk == empty_chunk(tower_zh().special)


def test_pooled_vectors_come_from_the_adapter():
    conditioner = made(sizes={"pooled_width": 10})
    found = conditioner(["一只(猫:1.0)", "一只猫", "一只(猫:1.4)"])

    assert conditioner.pooled
    assert found.pooled.shape == (3, 10)
    assert torch.allclose(found.pooled[:1], by_hand(conditioner, "一只猫").pooled, **CLOSE)
    assert torch.allclose(found.pooled[0], found.pooled[1], **CLOSE)
    assert torch.allclose(found.pooled[0], found.pooled[2], **CLOSE)  # pooled is unweighted
    assert made(sizes={"pooled_width": 10}, pooled=False)(CAT).pooled is None


@pytest.mark.parametrize("tower", [tower_l, tower_g])
def test_towers_that_do_not_mask(tower):
    tower = tower()
    conditioner = Conditioner(tower, adapter=adapter(tower_width=tower.width))
    chunks = conditioner.chunks("a cat, " * 60)
    ids = torch.tensor([chunk.input_ids for chunk in chunks])
    hidden = tower.encode(ids, None, HiddenLayer(1)).hidden

    assert len(chunks) == 3
    expected = conditioner.adapter(hidden, None).hidden.flatten(0, 1)
    assert torch.equal(conditioner("a cat, " * 60).embeds[0], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_adapter_follows_the_tower_and_stays_as_it_is(dtype):
    own = adapter(width=24)
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    tower = tower_zh()
    exact = Conditioner(tower, adapter=own)(CAT).embeds
    tower = copy.deepcopy(tower)
    tower.model.to(dtype)
    conditioner = Conditioner(tower, adapter=own)
    half = conditioner(CAT).embeds

    assert half.dtype == dtype
    assert (half.float() - exact).abs().max() < 0.1 * exact.abs().max()
    assert conditioner.adapter is own
    assert all(torch.equal(own.state_dict()[name], tensor) for name, tensor in before.items())
    assert own.dtype == torch.float32
    # a change of the weights is seen, where they are cast too
    with torch.no_grad():
        own.row_bias.add_(1.0)
    assert torch.allclose(conditioner(CAT).embeds.float(), half.float() + 1, rtol=0, atol=0.05)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_copy_is_independent(copied):
    # not `tower_zh`: transformers leaves a hook that cannot be pickled on a model which another
    # test has asked for all hidden states
    model = with_weights(ChineseCLIPTextModel(ChineseCLIPTextConfig(**TEXT)), 11)
    tower = ChineseClipTower(model, chinese_tokenizer())
    conditioner = Conditioner(tower, adapter=adapter("resampler", width=24, length=LENGTH))
    before = conditioner(CAT).embeds
    other = copied(conditioner)
    with torch.no_grad():
        conditioner.adapter.row_bias.add_(1.0)

    assert torch.equal(other(CAT).embeds, before)
    assert not torch.equal(conditioner(CAT).embeds, before)


def test_a_layer_that_was_not_aligned_is_told_once():
    own = adapter(width=24)
    own.record = record(width=24, tower_clip_skips=(2, 3))
    conditioner = Conditioner(tower_zh(), adapter=own, clip_skip=2)
    conditioner(CAT)
    with pytest.warns(ClipcondWarning) as caught:
        conditioner(CAT, clip_skip=1)
    conditioner("狗", clip_skip=1)

    assert [str(w.message) for w in caught] == [
        "the adapter was aligned to 'zh' at clip skip 2, 3, not 1: what it makes of that layer "
        "was never trained"
    ]
    assert caught[0].filename == __file__


def test_weights_beyond_what_the_adapter_can_hold():
    tower = copy.deepcopy(tower_zh())
    tower.model.half()
    conditioner = Conditioner(tower, adapter=adapter(), weighting="scale")
    with pytest.raises(WeightingError) as caught, pytest.warns(PromptWarning, match="30000"):
        conditioner("一只(猫:30000)")

    assert str(caught.value).startswith("the weight 30000 leads to NaN or infinite values")


def test_an_adapter_that_gives_nan_is_named():
    own = adapter()
    own.row_bias[0, 0] = torch.nan
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_zh(), adapter=own)(CAT)

    assert str(caught.value) == (
        "the adapter of 'zh' itself gives NaN or infinite values for the prompt "
        f"{CAT!r}\nIts weights are broken: load it again, from another file if that does not help."
    )


def test_what_cannot_be_put_together():
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_l(), tower_g(), adapter=adapter())
    assert str(caught.value) == (
        "an adapter reads one tower, and replaces a whole pair: two were given\nLeave out tower_2."
    )
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_g(), adapter=adapter())
    assert str(caught.value) == (
        "the adapter reads a tower 32 wide; 'G' is 40 wide\nUse the tower that it was aligned to."
    )
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_zh(), adapter=adapter(), pooled=True)
    assert str(caught.value) == (
        "pooled vectors are wanted, and the adapter has none\n"
        "Leave out pooled=, or take an adapter that was aligned to SDXL."
    )
    with pytest.raises(TowerError, match="but chunks of 'zh' have 52"):
        Conditioner(tower_zh(), adapter=adapter("linear"))
