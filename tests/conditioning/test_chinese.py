"""A Conditioner over ChineseCLIP: the laws of every tower, where padding is masked."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipcond import Conditioner, HiddenLayer
from clipcond.chunking import Token, comma_backtrack
from clipcond.conditioning.dialects import DIALECTS
from clipcond.towers import ChineseClipTower
from clipcond.weighting import WEIGHTINGS
from tests.conditioning.conditioners import CLOSE, warnings_of
from tests.towers.chinese import tokenizer, tower_zh, whole_model

L, ROOM = 52, 50
WORDS = "一只 猫 红色的 ， , 。 cat (大:1.3) [小] :0.5) (x".split()
PROMPTS = st.lists(st.sampled_from([*WORDS, " BREAK "]), max_size=60).map("".join)
LONG = "红色的猫和蓝色的狗，" * 20  # 200 tokens
prompt_laws = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
ignore_prompt_warnings = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")


def conditioner(**choices) -> Conditioner:
    return Conditioner(tower_zh(), **choices)


def theirs(text: str, depth: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers itself gives, tokenizer included: hidden [1 L D], mask [1 L]."""
    rows = tokenizer()(text, padding="max_length", max_length=L, return_tensors="pt")
    states = whole_model().text_model(
        input_ids=rows.input_ids, attention_mask=rows.attention_mask, output_hidden_states=True
    )
    return states.hidden_states[-depth], rows.attention_mask


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_clip_skip_is_the_nth_hidden_state_from_the_end(n):
    hidden, mask = theirs("一只红色的猫，a cat", n)

    prompt = "一只红色的猫，a cat"
    for ours in (conditioner(clip_skip=n)(prompt), conditioner()(prompt, n)):
        assert torch.equal(ours.embeds, hidden)
        assert torch.equal(ours.attention_mask, mask)
        assert ours.pooled is None


def test_the_empty_prompt_is_cls_and_sep():
    ours = conditioner()("")

    assert ours.attention_mask.tolist() == [[1, 1] + [0] * 50]
    assert conditioner().chunks("")[0].input_ids == (101, 102, *[0] * 50)
    assert torch.equal(ours.embeds, theirs("", 1)[0])


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_a_prompt_of_200_tokens_is_that_of_transformers_chunk_by_chunk(clip_skip):
    ours = conditioner(clip_skip=clip_skip)(LONG)

    chunks = conditioner().chunks(LONG)
    assert [c.content for c in chunks] == [50, 50, 50, 50]
    ids = torch.tensor([c.input_ids for c in chunks])
    states = whole_model().text_model(
        input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
    )
    assert ours.embeds.shape == (1, 4 * L, 32)
    assert ours.attention_mask.all()
    expected = states.hidden_states[-clip_skip].flatten(0, 1)
    torch.testing.assert_close(ours.embeds[0], expected, rtol=0, atol=1e-5)


def test_break_starts_a_chunk_and_its_padding_is_masked():
    ours = conditioner()("一只猫 BREAK 一只狗在跑")

    assert ours.embeds.shape == (1, 2 * L, 32)
    assert ours.attention_mask[0].tolist() == [1] * 5 + [0] * 47 + [1] * 7 + [0] * 45
    assert torch.equal(ours.embeds[:, :L], conditioner()("一只猫").embeds)


@pytest.mark.parametrize(
    ("prompt", "n_chunks"),
    [
        ("", 1),
        (" \n\t", 1),
        ("猫", 1),
        ("猫" * ROOM, 1),
        ("猫" * (ROOM + 1), 2),
        ("BREAK", 1),
        ("猫 BREAK", 1),
        ("BREAK 猫", 2),
        ("猫 BREAK BREAK 狗", 3),
    ],
)
def test_edges_of_length_are_defined(prompt, n_chunks):
    ours = conditioner()(prompt)

    assert ours.embeds.shape == (1, L * n_chunks, 32)
    assert ours.attention_mask.shape == (1, L * n_chunks)
    assert torch.isfinite(ours.embeds).all()


@pytest.mark.parametrize("comma", "，,、﹐﹑")
def test_a_long_text_is_cut_behind_any_comma(comma):
    text = "猫" * 40 + comma + "狗" * 20

    first, second = conditioner().chunks(text)

    assert (first.content, second.content) == (41, 20)
    assert first.attention_mask == (1,) * 43 + (0,) * 9


def test_the_last_of_mixed_commas_counts():
    special = tower_zh().special
    ascii_comma, full_width = tower_zh().tokenizer.encode(",，")
    ids = [5000] * 30 + [full_width] + [5000] * 5 + [ascii_comma] + [5000] * 30

    pieces = comma_backtrack()([Token(i, 1.0, 0, 0, 1) for i in ids], special)

    assert [len(piece) for piece in pieces] == [37, 30]


def test_weights_act_on_their_own_rows():
    plain = conditioner(weighting="none")("一只(红色的:1.3)猫").embeds
    ours = conditioner(weighting="scale")("一只(红色的:1.3)猫").embeds

    assert torch.equal(ours[0, 3:6], (plain[0, 3:6] * 1.3))
    others = [i for i in range(L) if i not in (3, 4, 5)]
    assert torch.equal(ours[0, others], plain[0, others])


@ignore_prompt_warnings
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("clip_skip", [1, 2])
def test_weights_of_one_change_nothing_in_any_rule(weighting, clip_skip):
    prompt = "一只红色的猫，" * 12
    expected = conditioner(weighting="none", clip_skip=clip_skip)(prompt)

    ours = conditioner(weighting=weighting, clip_skip=clip_skip)(prompt)

    assert torch.equal(ours.embeds, expected.embeds)
    weighted = conditioner(weighting=weighting)("一只(红色的:1.3)[猫]" * 12).embeds
    assert torch.isfinite(weighted).all()


@ignore_prompt_warnings
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_conditions_and_masks(dialect):
    guided = conditioner(dialect=dialect, clip_skip=2).guided(LONG, "模糊")

    for side in (guided.positive, guided.negative):
        assert side.attention_mask.shape == side.embeds.shape[:2]
        assert torch.isfinite(side.embeds).all()
    assert guided.positive.embeds.shape == guided.negative.embeds.shape


@ignore_prompt_warnings
@prompt_laws
@given(PROMPTS, PROMPTS, st.sampled_from([1, 2]))
def test_positive_and_negative_are_equally_long_and_can_be_swapped(prompt, negative, clip_skip):
    there = conditioner(clip_skip=clip_skip).guided(prompt, negative)
    back = conditioner(clip_skip=clip_skip).guided(negative, prompt)

    assert there.positive.embeds.shape == there.negative.embeds.shape
    assert there.positive.attention_mask.shape == there.positive.embeds.shape[:2]
    for a, b in ((there.positive, back.negative), (there.negative, back.positive)):
        torch.testing.assert_close(a.embeds, b.embeds, **CLOSE)
        assert torch.equal(a.attention_mask, b.attention_mask)


@ignore_prompt_warnings
@prompt_laws
@given(st.lists(PROMPTS, min_size=2, max_size=4))
def test_a_prompt_does_not_depend_on_its_neighbours(prompts):
    together = conditioner()(prompts)

    for i, prompt in enumerate(prompts):
        alone = conditioner()(prompt)
        n = alone.embeds.shape[1]
        torch.testing.assert_close(together.embeds[i, :n], alone.embeds[0], **CLOSE)
        assert torch.equal(together.attention_mask[i, :n], alone.attention_mask[0])


def test_a_shorter_prompt_is_filled_with_empty_chunks_whose_padding_is_masked():
    long, short = conditioner()([LONG, "猫"]).attention_mask

    assert long.all()
    assert short.tolist() == [1] * 3 + [0] * 49 + ([1, 1] + [0] * 50) * 3


def test_pooled_is_that_of_the_first_chunk_without_weights():
    tower = conditioner(pooled=True, dialect="comfyui", clip_skip=2)
    ids = tokenizer()("一只红色的猫", padding="max_length", max_length=L, return_tensors="pt")
    features = whole_model().get_text_features(**ids)

    ours = tower("一只(红色的:1.3)猫").pooled

    torch.testing.assert_close(ours, getattr(features, "pooler_output", features), **CLOSE)


def test_layers_above_clip_skip_do_not_run():
    tower = ChineseClipTower(copy.deepcopy(whole_model()), tokenizer())
    runs = []
    for i, block in enumerate(tower._blocks()):
        block.register_forward_hook(lambda *_, i=i: runs.append(i))

    Conditioner(tower, clip_skip=2).guided(LONG, "模糊")

    assert runs == [0, 1, 2]


def test_context_length_is_the_users_to_choose():
    ours = Conditioner(tower_zh(context_length=512))("猫" * 300)

    assert ours.embeds.shape == (1, 512, 32)
    assert int(ours.attention_mask.sum()) == 302


def test_what_cannot_be_read_is_said():
    assert warnings_of(lambda: conditioner()("一只猫😀")) == [
        "'zh' reads 3 of the 4 characters here; it cannot read '😀'"
    ]
    assert warnings_of(lambda: conditioner()("一只猫")) == []


def test_what_is_shown_of_a_prompt():
    report = conditioner().explain("一只(playing:1.3)猫")

    (chunk,) = report.json()["chunks"]
    assert chunk["tokens"][:7] == ["[CLS]", "一", "只", "play", "ing", "猫", "[SEP]"]
    assert chunk["weights"][3:5] == [1.3, 1.3]


def test_any_layer_can_be_said():
    layer = HiddenLayer(3, final_norm=False)

    assert torch.equal(conditioner(layer=layer)("猫").embeds, theirs("猫", 3)[0])
    assert conditioner(layer=replace(layer, final_norm=True)).layers() == (HiddenLayer(3),)
