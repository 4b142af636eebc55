"""How much work a call makes: tower calls and chunks, counted by a hook on the forward."""

import copy
from dataclasses import replace

import pytest
import torch

from clipcond import Conditioner
from clipcond.conditioning.dialects import DIALECTS
from clipcond.towers import OpenAIClipTower
from tests.conditioning.conditioners import CLOSE, counted_tower

PROMPT_120 = "(" + "x " * 60 + ":1.2) [" + "y " * 60 + "]"
NEGATIVE_40 = "z " * 40


def test_a_weighted_pair_is_one_call_of_three_chunks():
    tower, calls = counted_tower()
    conditioner = Conditioner(tower, clip_skip=2)
    conditioner("")  # the empty chunk that fills the negative is encoded once in a model's life
    calls.clear()

    guided = conditioner.guided(PROMPT_120, NEGATIVE_40)

    assert calls == [3]
    assert guided.negative.embeds.shape == (1, 154, 32)


def test_even_the_very_first_pair_is_one_call():
    tower, calls = counted_tower()

    Conditioner(tower).guided(PROMPT_120, NEGATIVE_40)

    assert calls == [4]  # the empty chunk among them


def test_an_empty_chunk_is_encoded_once_for_all_conditioners_of_a_tower():
    tower, calls = counted_tower()
    Conditioner(tower)("", clip_skip=1), Conditioner(tower, dialect="compel")("(a)1.2")
    calls.clear()

    Conditioner(tower).guided(PROMPT_120, NEGATIVE_40)
    Conditioner(tower).guided(" ".join("abcdefghijklmnopqrstuvw" * 26), NEGATIVE_40)
    assert calls == [3, 9]
    Conditioner(tower, clip_skip=2).guided(PROMPT_120, NEGATIVE_40)
    assert calls == [3, 9, 4]
    tower.model.get_input_embeddings().weight.mul_(1.1)
    Conditioner(tower).guided(PROMPT_120, NEGATIVE_40)
    assert calls == [3, 9, 4, 4]


def test_conditioners_that_keep_nothing_share_nothing():
    tower, calls = counted_tower()
    for _ in range(2):
        Conditioner(tower, cache_bytes=0).guided(PROMPT_120, NEGATIVE_40)

    assert calls == [4, 4]


def test_64_short_prompts_three_variants_and_low_fragments_are_one_call_each():
    tower, calls = counted_tower()
    Conditioner(tower)("")
    calls.clear()
    prompts = [f"a cat number {i}" for i in range(64)]
    Conditioner(tower).guided(prompts, "blurry")
    Conditioner(tower)(["a red cat", "a blue cat", "a green cat"])

    assert calls == [65, 3]


def test_the_same_again_or_with_other_weights_needs_no_tower():
    tower, calls = counted_tower()
    conditioner = Conditioner(tower)
    first = conditioner.guided(PROMPT_120, NEGATIVE_40)
    calls.clear()

    second = conditioner.guided(PROMPT_120, NEGATIVE_40)
    conditioner.guided(PROMPT_120.replace("1.2", "1.4"), NEGATIVE_40)

    assert calls == []
    assert torch.equal(first.positive.embeds, second.positive.embeds)
    assert torch.equal(first.negative.embeds, second.negative.embeds)


def test_fragments_below_1_are_masked_in_the_same_call():
    tower, calls = counted_tower()
    prompt = " ".join(f"({word})0.{i} tree" for i, word in enumerate("abcdef", 4))
    ours = Conditioner(tower, dialect="compel").guided(prompt, "")

    assert calls == [8]  # the prompt, six without a fragment, the empty one
    calls.clear()
    again = Conditioner(tower, dialect="compel", cache_bytes=0).guided(prompt.upper(), "")
    assert calls == [8]
    assert torch.equal(ours.positive.embeds, again.positive.embeds)


# dialect, its tower's layer, prompt and negative -> (chunks, positions) of each call
SHAPES = [
    ("sd_embed", 1, "x " * 10, "", [(2, 16)]),
    ("sd_embed", 2, "x " * 15, "(y:1.2)", [(2, 32)]),
    ("sd_embed", 1, PROMPT_120, NEGATIVE_40, [(2, 77), (2, 48)]),
    ("sd_embed", 1, "x " * 72, "y", [(2, 77)]),
    ("a1111", 1, "x " * 10, "y", [(2, 77)]),
    (replace(DIALECTS["sd_embed"], rows=None), 1, "x " * 10, "y", [(2, 77)]),
    (replace(DIALECTS["sd_embed"], weighting="scale_mean"), 1, "x " * 10, "y", [(2, 77)]),
    (replace(DIALECTS["sd_embed"], weighting="lerp"), 1, "x " * 10, "y", [(2, 77)]),
]


def test_positions_whose_rows_are_not_handed_on_are_not_run():
    for dialect, layer, prompt, negative, expected in SHAPES:
        tower, _ = counted_tower()
        shapes = []
        tower.model.register_forward_pre_hook(
            lambda _, args, kwargs, seen=shapes: seen.append(tuple(kwargs["input_ids"].shape)),
            with_kwargs=True,
        )
        ours = Conditioner(tower, dialect=dialect, clip_skip=layer)
        short = ours.guided(prompt, negative)
        assert shapes == expected, (dialect, prompt)
        model = copy.deepcopy(tower.model)  # of which nothing is kept; its positions are all run
        whole = type("Whole", (OpenAIClipTower,), {"causal": False})(model, tower.tokenizer)
        whole = Conditioner(whole, dialect=dialect, clip_skip=layer).guided(prompt, negative)
        assert torch.equal(short.positive.embeds, whole.positive.embeds)
        assert torch.equal(short.negative.embeds, whole.negative.embeds)


def test_results_are_the_callers_to_write_into():
    tower, _ = counted_tower()
    for dialect in ("a1111", "sd_embed", "compel", "diffusers"):
        for prompts in ("a cat", ["a cat", "a dog (b)"], ["a cat", "a cat"]):
            ours = Conditioner(tower, dialect=dialect)
            for _ in range(2):  # of cached rows, too
                first = ours.guided(prompts, "a").positive.embeds
                kept = first.clone()
                first.zero_()
                assert torch.equal(ours.guided(prompts, "a").positive.embeds, kept)


def test_many_prompts_with_a_shared_negative():
    tower, calls = counted_tower()
    prompts = [f"picture number {i} " + "x " * 90 for i in range(64)]

    Conditioner(tower).guided(prompts, "blurry")

    # two chunks each, the second ones partly alike, the negative, the empty chunk
    n_distinct = len({c for p in prompts for c in Conditioner(tower).chunks(p)})
    assert calls == [n_distinct + 2]
    assert n_distinct <= 128


@pytest.mark.parametrize("change", ["weights", "dtype", "layer"])
def test_a_changed_tower_is_encoded_anew(change):
    tower, calls = counted_tower()
    conditioner = Conditioner(tower)
    before = conditioner("a cat").embeds

    if change == "weights":
        tower.model.get_input_embeddings().weight.data *= 2
    elif change == "dtype":
        tower.model.bfloat16()
    after = conditioner("a cat", clip_skip=2 if change == "layer" else None).embeds

    assert calls == [1, 1]
    assert not torch.equal(before, after.float())


def test_a_very_long_prompt_is_encoded_in_bounded_batches():
    tower, calls = counted_tower()
    words = [f"{i:05d}" for i in range(10_000)]  # five tokens each

    ours = Conditioner(tower)(" ".join(words)).embeds

    assert ours.shape == (1, 77 * 667, 32)
    assert sum(calls) == 667
    torch.testing.assert_close(
        ours[0, :77], Conditioner(tower)(" ".join(words[:15])).embeds[0], **CLOSE
    )
