"""A Conditioner over AltCLIP: clip skip, weights, long prompts, full-width punctuation."""

import copy

import pytest
import torch

from clipcond import Conditioner
from clipcond.conditioning.dialects import DIALECTS
from clipcond.towers import AltClipTower
from clipcond.weighting import WEIGHTINGS
from tests.conditioning.conditioners import CLOSE, warnings_of
from tests.towers.alt import tokenizer, tower_alt, whole_model

L = 77
LONG = "红色的猫和蓝色的狗，" * 33 + "在猫"  # 200 tokens
ignore_prompt_warnings = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")


def conditioner(**choices) -> Conditioner:
    return Conditioner(tower_alt(), **choices)


def theirs(ids: torch.Tensor, mask: torch.Tensor, depth: int) -> torch.Tensor:
    """What transformers itself makes of chunks [n L]."""
    text = whole_model().text_model
    states = text(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    return text.transformation(text.pre_LN(states[-depth]))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_clip_skip_is_the_nth_hidden_state_from_the_end(n):
    prompt = "一只红色的猫，a cat"
    rows = tokenizer()(prompt, padding="max_length", max_length=L, return_tensors="pt")

    ours = conditioner(clip_skip=n)(prompt)

    assert torch.equal(ours.embeds, theirs(rows.input_ids, rows.attention_mask, n))
    assert torch.equal(ours.attention_mask, rows.attention_mask)


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_a_prompt_of_200_tokens_is_that_of_transformers_chunk_by_chunk(clip_skip):
    chunks = conditioner().chunks(LONG)
    ids = torch.tensor([c.input_ids for c in chunks])
    mask = torch.tensor([c.attention_mask for c in chunks])
    assert sum(c.content for c in chunks) == len(tower_alt().tokenizer.encode(LONG)) == 200
    assert len(chunks) == 3
    comma = tower_alt().tokenizer.encode("猫，")[-1]
    assert all(c.input_ids[c.content] == comma for c in chunks[:2])  # cut behind commas

    ours = conditioner(clip_skip=clip_skip)(LONG)

    assert ours.embeds.shape == (1, 3 * L, 24)
    expected = theirs(ids, mask, clip_skip).flatten(0, 1)
    torch.testing.assert_close(ours.embeds[0], expected, rtol=0, atol=1e-5)


def test_weights_act_on_their_own_rows():
    plain = conditioner(weighting="none")("a (red:1.3) cat").embeds
    ours = conditioner(weighting="scale")("a (red:1.3) cat").embeds

    assert torch.equal(ours[0, 2], plain[0, 2] * 1.3)
    others = [i for i in range(L) if i != 2]
    assert torch.equal(ours[0, others], plain[0, others])


@ignore_prompt_warnings
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("clip_skip", [1, 2])
def test_weights_of_one_change_nothing_in_any_rule(weighting, clip_skip):
    prompt = "一只红色的猫，" * 12
    expected = conditioner(weighting="none", clip_skip=clip_skip)(prompt)

    ours = conditioner(weighting=weighting, clip_skip=clip_skip)(prompt)

    assert torch.equal(ours.embeds, expected.embeds)


@ignore_prompt_warnings
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_conditions_and_masks(dialect):
    guided = conditioner(dialect=dialect, clip_skip=2).guided(LONG, "模糊")

    assert guided.positive.embeds.shape == guided.negative.embeds.shape
    for side in (guided.positive, guided.negative):
        assert side.attention_mask.shape == side.embeds.shape[:2]
        assert torch.isfinite(side.embeds).all()


def test_full_width_punctuation_is_syntax():
    ours, plain = conditioner()("（猫：1.3），狗"), conditioner()("(猫:1.3)，狗")

    assert torch.equal(ours.embeds, plain.embeds)
    assert not torch.equal(ours.embeds, conditioner()("猫，狗").embeds)


def test_every_weighted_piece_begins_a_word():
    pieces = conditioner().explain("一只(红色的:1.3)猫").json()["chunks"][0]["tokens"]
    ids = conditioner().chunks("一只(红色的:1.3)猫")[0].input_ids

    assert pieces[:5] == ["<s>", "一只", "红色的", "猫", "</s>"]
    assert [*tokenizer().convert_ids_to_tokens(list(ids[1:4]))] == ["▁一只", "▁红色的", "▁猫"]


def test_pooled_is_that_of_the_first_chunk():
    rows = tokenizer()("一只猫", padding="max_length", max_length=L, return_tensors="pt")
    features = whole_model().get_text_features(**rows)

    ours = conditioner(pooled=True, dialect="comfyui", clip_skip=2)("一只猫").pooled

    torch.testing.assert_close(ours, getattr(features, "pooler_output", features), **CLOSE)


def test_layers_above_clip_skip_do_not_run_and_nothing_runs_twice():
    tower = AltClipTower(copy.deepcopy(whole_model()), tokenizer())
    runs = []
    for i, block in enumerate(tower._blocks()):
        block.register_forward_hook(lambda *_, i=i: runs.append(i))
    ours = Conditioner(tower, clip_skip=2)

    ours.guided(LONG, "模糊")
    assert runs == [0, 1, 2]
    ours.guided(LONG, "(模糊:1.4)")
    assert runs == [0, 1, 2]


def test_what_cannot_be_read_is_said():
    assert warnings_of(lambda: conditioner()("一只猫😀")) == [
        "'alt' reads 3 of the 4 characters here; it cannot read '😀'"
    ]
