"""Conditioner: the laws that hold for every prompt, layers, dialects, rules."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipcond import Conditioner, Dialect, HiddenLayer
from clipcond.chunking import empty_chunk, hard
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import ArgumentError
from clipcond.towers import OpenAIClipTower
from clipcond.weighting import RuleWithNeeds
from tests.conditioning.conditioners import CLOSE, counted_tower, pair, single
from tests.parity.models import model_l, tokenizer, tower_g, tower_l

ROOM = 75
WORDS = ["a", "cat", "and", "dog", "red", ",", ".", "BREAK", "(big:1.3)", "(x", "[y]", ":0.5)"]
PROMPTS = st.lists(st.sampled_from(WORDS), max_size=100).map(" ".join)
prompt_laws = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
ignore_prompt_warnings = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")


def plain_encode(tower, prompt: str, layer: HiddenLayer, n_chunks: int = 1) -> torch.Tensor:
    """What transformers itself gives: no clipcond on the way."""
    ids = tower.tokenizer.source(
        prompt, padding="max_length", max_length=77, return_tensors="pt"
    ).input_ids
    states = tower.model(ids, output_hidden_states=True).hidden_states[-layer.depth]
    norm = getattr(tower.model, "text_model", tower.model).final_layer_norm
    return norm(states) if layer.final_norm else states


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_clip_skip_counts_as_a1111_does(n):
    expected = plain_encode(tower_l(), "a photo of a cat", HiddenLayer(n, True))

    assert torch.equal(single(clip_skip=n)("a photo of a cat").embeds, expected)
    assert torch.equal(single()("a photo of a cat", clip_skip=n).embeds, expected)


@pytest.mark.parametrize(("n", "depth"), [(1, 2), (2, 2), (3, 3), (4, 4)])
def test_a_pair_uses_the_penultimate_layers_without_norm(n, depth):
    layer = HiddenLayer(depth, False)
    expected = [plain_encode(tower, "a cat", layer) for tower in (tower_l(), tower_g())]

    ours = pair(clip_skip=n)("a cat")

    assert torch.equal(ours.embeds, torch.cat(expected, dim=-1))
    ids = tokenizer("!")("a cat", padding="max_length", max_length=77, return_tensors="pt")
    assert torch.equal(ours.pooled, tower_g().model(ids.input_ids).text_embeds)


def test_layer_says_anything_else():
    layer = HiddenLayer(3, False)
    expected = plain_encode(tower_l(), "a cat", layer)

    conditioner = single(layer=layer)

    assert torch.equal(conditioner("a cat").embeds, expected)
    assert conditioner.layers() == (layer,)
    assert conditioner.layers(clip_skip=2) == (HiddenLayer(2, True),)
    mixed = pair(layer=(HiddenLayer(1, True), HiddenLayer(4, False)))
    assert mixed.layers() == (HiddenLayer(1, True), HiddenLayer(4, False))


def test_clip_skip_and_layer_exclude_each_other():
    message = "clip_skip and layer both choose a layer: give one of them"
    for make in (single, pair):
        for clip_skip in (1, 2):
            with pytest.raises(ArgumentError) as caught:
                make(layer=HiddenLayer(1, True), clip_skip=clip_skip)
            assert str(caught.value) == message


@ignore_prompt_warnings
@prompt_laws
@given(PROMPTS, PROMPTS)
def test_positive_and_negative_are_equally_long(prompt, negative):
    guided = single().guided(prompt, negative)

    assert guided.positive.embeds.shape == guided.negative.embeds.shape
    assert guided.positive.embeds.shape[1] % 77 == 0


@ignore_prompt_warnings
@prompt_laws
@given(PROMPTS, PROMPTS, st.sampled_from([1, 2, 4]))
def test_swapping_positive_and_negative_swaps_the_results(prompt, negative, clip_skip):
    conditioner = pair(dialect="plain", clip_skip=clip_skip)

    there = conditioner.guided(prompt, negative)
    back = conditioner.guided(negative, prompt)

    for a, b in ((there.positive, back.negative), (there.negative, back.positive)):
        assert torch.equal(a.embeds, b.embeds)
        assert torch.equal(a.pooled, b.pooled)


@ignore_prompt_warnings
@prompt_laws
@given(st.lists(PROMPTS, min_size=2, max_size=4))
def test_a_prompt_does_not_depend_on_its_neighbours(prompts):
    together = single()(prompts).embeds

    for row, prompt in zip(together, prompts, strict=True):
        alone = single()(prompt).embeds[0]
        torch.testing.assert_close(row[: len(alone)], alone, **CLOSE)


def test_pooled_knows_no_syntax_and_no_weights():
    conditioner = pair()
    plain = conditioner("a cat").pooled

    for prompt in ("a (cat:1.0)", "a (cat:1.5)", "(a) [cat]"):
        assert torch.equal(conditioner(prompt).pooled, plain)


def test_pooled_of_a_long_prompt_is_that_of_its_first_chunk():
    conditioner = pair()

    long = conditioner("a cat BREAK a dog").pooled

    assert torch.equal(long, conditioner("a cat").pooled)


@ignore_prompt_warnings
@pytest.mark.parametrize(
    ("prompt", "n_chunks"),
    [
        ("", 1),
        (" ", 1),
        ("\n\t ", 1),
        ("x", 1),
        ("x " * ROOM, 1),
        ("x " * (ROOM + 1), 2),
        ("BREAK", 1),
        ("x BREAK", 1),
        ("BREAK x", 2),
        ("x BREAK BREAK y", 3),
        ("()", 1),
    ],
)
def test_edges_of_length_are_defined(prompt, n_chunks):
    ours = single()(prompt)

    assert ours.embeds.shape == (1, 77 * n_chunks, 32)
    assert torch.isfinite(ours.embeds).all()
    assert ours.pooled is None
    assert ours.attention_mask is None


def test_spaces_are_the_empty_prompt():
    conditioner = single()

    assert torch.equal(conditioner("").embeds, conditioner("  \n").embeds)


def test_shorter_prompts_are_filled_with_the_encoded_empty_prompt():
    conditioner = single()
    long, short = conditioner(["x " * 80, "(y:1.5)"]).embeds

    assert torch.equal(short[77:], conditioner("").embeds[0])
    assert torch.equal(short[:77], conditioner("(y:1.5)").embeds[0])
    assert len(long) == 154


def test_one_negative_serves_all_prompts():
    conditioner = single()

    guided = conditioner.guided(["a cat", "a dog"], "blurry")

    assert guided.negative.embeds.shape == guided.positive.embeds.shape
    assert torch.equal(guided.negative.embeds[0], guided.negative.embeds[1])
    each = conditioner.guided(["a cat", "a dog"], ["blurry", "red"]).negative.embeds
    assert not torch.equal(each[0], each[1])


def test_no_negative_is_the_empty_prompt():
    conditioner = single()

    assert torch.equal(
        conditioner.guided("a cat").negative.embeds, conditioner.guided("a", "").negative.embeds
    )


ZEROS = {"a1111": (None, ""), "novelai": (None, ""), "diffusers": (None,)}  # of others none


@pytest.mark.parametrize("dialect", DIALECTS)
def test_which_negatives_of_a_pair_are_zeros(dialect):
    for negative in (None, "", " ", "x"):
        ours = pair(dialect=dialect).guided("a cat", negative).negative
        is_zero = negative in ZEROS.get(dialect, ())

        assert (not ours.embeds.any().item()) is is_zero
        assert (not ours.pooled.any().item()) is is_zero
        assert single(dialect=dialect).guided("a cat", negative).negative.embeds.any()


def test_a_pair_may_read_two_prompts():
    both = pair()("a cat", prompts_2="a dog")
    cat, dog = pair()("a cat"), pair()("a dog")

    assert torch.equal(both.embeds[..., :32], cat.embeds[..., :32])
    assert torch.equal(both.embeds[..., 32:], dog.embeds[..., 32:])
    assert torch.equal(both.pooled, dog.pooled)
    negative = pair().guided("x", "a cat", negatives_2="a dog").negative
    torch.testing.assert_close(negative.embeds, both.embeds, **CLOSE)


def test_pooled_of_a_single_tower_when_asked_for():
    ours = single(clip_skip=2, pooled=True)("a cat")

    ids = tokenizer()("a cat", padding="max_length", max_length=77, return_tensors="pt").input_ids
    assert torch.equal(ours.pooled, model_l()(ids).pooler_output)
    assert pair(pooled=False)("a cat").pooled is None


def test_nothing_of_the_caller_is_changed():
    prompts, negatives = ["a (cat:1.3)", "x " * 90], ["", "y"]
    before = copy.deepcopy((prompts, negatives))
    weights = {name: tensor.clone() for name, tensor in model_l().state_dict().items()}

    single(clip_skip=2).guided(prompts, negatives)

    assert (prompts, negatives) == before
    for name, tensor in model_l().state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_half_precision_weights_act_in_float32():
    tower = OpenAIClipTower(copy.deepcopy(model_l()).half(), tokenizer())
    conditioner = Conditioner(tower, weighting="scale")
    z = Conditioner(tower, weighting="none")("a (red:1.3) cat").embeds

    ours = conditioner("a (red:1.3) cat").embeds

    assert ours.dtype == torch.float16
    assert torch.equal(ours[0, 2], (z[0, 2].float() * 1.3).half())


def test_a_dialect_is_a_row_anyone_can_make():
    shouting = Dialect("shouting", syntax="plain", splitter=hard, weighting="none", max_chunks=2)

    assert single(dialect=shouting)("x " * 100).embeds.shape == (1, 154, 32)
    assert single(dialect=shouting).explain("x").dialect == "shouting"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_unweighted_short_prompts_are_the_same_in_every_dialect(dialect):
    expected = plain_encode(tower_l(), "a cat", HiddenLayer(2, True))

    ours = single(dialect=dialect, clip_skip=2)("a cat").embeds
    # sd_embed leaves the padding out
    assert ours.shape[1] == (4 if dialect == "sd_embed" else 77)
    assert torch.equal(ours, expected[:, : ours.shape[1]])


def test_weighting_goes_before_the_dialects_own():
    ours = single(weighting="scale")("a (red:1.5) cat").embeds
    plain = single(weighting="none")("a (red:1.5) cat").embeds

    assert torch.equal(ours[0, 2], plain[0, 2] * 1.5)
    assert torch.equal(ours[0, 3], plain[0, 3])


def test_what_a_rule_says_it_needs_is_encoded_in_the_same_call():
    def from_empty(chunks, encode):
        output = encode(chunks)
        empty = encode([empty_chunk(encode.special)]).hidden
        return type(output)(output.hidden - empty, output.pooled)

    rule = RuleWithNeeds(from_empty, lambda chunks, special: [empty_chunk(special)])
    with_calls = {}
    for name, candidate in (("announced", rule), ("plain", from_empty)):
        tower, calls = counted_tower()
        Conditioner(tower, weighting=candidate)("a cat")
        with_calls[name] = calls

    assert with_calls == {"announced": [2], "plain": [1, 1]}


def test_a_normalisation_changes_weights_before_the_rule():
    def halved(chunks):
        from dataclasses import replace

        return [replace(c, weights=tuple(1 + (w - 1) / 2 for w in c.weights)) for c in chunks]

    ours = single(weighting="scale", normalize=halved)

    assert torch.equal(
        ours("a (red:1.5) cat").embeds, single(weighting="scale")("a (red:1.25) cat").embeds
    )
    assert ours.chunks("(red:1.5)")[0].weights[1] == 1.25
