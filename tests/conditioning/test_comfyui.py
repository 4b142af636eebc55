"""Laws of the dialect comfyui as a whole, from prompt to conditioning. Numbers are in parity."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond import Conditioner
from clipcond.conditioning.dialects import find_dialect
from clipcond.errors import PromptError, PromptWarning, TowerError, WeightingError
from clipcond.prompt.syntaxes.comfyui import parse_groups
from clipcond.weighting import WEIGHTINGS
from tests.conditioning.conditioners import CLOSE, counted_tower, pair, single, warnings_of

PIECES = ["(", ")", ":1.3)", ":0.5)", ":-1)", ":nan)", "red ", "猫", "\\(", "embedding:x ", "\n"]
prompts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
quiet = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")


@quiet
@settings(max_examples=50)
@given(prompts)
def test_any_string_is_conditioned_on_or_told_where_it_is_wrong(prompt):
    conditioner = single(dialect="comfyui")
    try:
        embeds = conditioner(prompt).embeds
    except PromptError as error:
        embeds = torch.zeros(1, 77, 32)
        places = [error.position]
    else:
        places = []
    assert embeds.shape == (1, 77, 32)
    assert torch.isfinite(embeds).all()
    assert all(0 <= place < len(prompt) for place in places)


@pytest.mark.parametrize("rule", sorted(WEIGHTINGS))
@pytest.mark.parametrize("dialect", ["comfyui", "comfyui_words"])
def test_weights_of_1_change_no_bit(dialect, rule):
    prompt = "a (red:1.0), (big:1e0) (old (fat:1) cat: 1 )"

    ours = pair(dialect=dialect, weighting=rule)(prompt)

    plain = pair(dialect=dialect, weighting="none")(prompt)
    assert torch.equal(ours.embeds, plain.embeds)
    assert torch.equal(ours.pooled, plain.pooled)


@pytest.mark.parametrize("rule", ["lerp", "comfy++", "down_weight", "adv_compel"])
def test_whatever_a_rule_encodes_goes_into_one_batch(rule):
    tower, calls = counted_tower()
    conditioner = Conditioner(tower, dialect="comfyui", weighting=rule)

    conditioner.guided("a (red:1.3) (big:0.7) cat, (dark:0.4)", "(bad:1.2)")

    assert len(calls) == 1
    conditioner("a (red:1.4) (big:0.6) cat, (dark:0.3)")  # other weights: nothing to encode
    assert len(calls) == 1


def test_pooled_is_that_of_the_first_chunk_whatever_the_weights():
    long = "red fox, " * 40

    ours = pair(dialect="comfyui")([f"a (cat:1.5) {long}", "a (cat:1.0)"])

    torch.testing.assert_close(ours.pooled[1], pair(dialect="comfyui")("a cat").pooled[0], **CLOSE)
    assert not torch.equal(ours.pooled[0], ours.pooled[1])


def test_no_negative_is_the_empty_prompt():
    for conditioner in (single(dialect="comfyui"), pair(dialect="comfyui")):
        negative = conditioner.guided("a cat").negative

        torch.testing.assert_close(negative.embeds, conditioner("").embeds, **CLOSE)
        assert negative.embeds.abs().max() > 0


def test_a_missing_embedding_is_warned_of_and_left_out_or_kept_as_text():
    conditioner = single(dialect="comfyui")
    kept = replace(find_dialect("comfyui"), syntax=partial(parse_groups, embeddings=False))

    messages = warnings_of(lambda: conditioner("a cat, embedding:foo"))

    assert messages == [
        "there is no embedding 'foo'; its name is left out\n"
        "  a cat, embedding:foo\n"
        "         ^\n"
        "Load its file: conditioner.load_inversion(file)."
    ]
    with pytest.warns(PromptWarning):
        assert torch.equal(conditioner("a cat, embedding:foo").embeds, conditioner("a cat,").embeds)
    assert single(dialect=kept).chunks("a cat, embedding:foo")[0].content == 7


def test_a_layer_below_the_first_block_is_refused_not_the_last():
    with pytest.raises(TowerError):
        single(dialect="comfyui", clip_skip=5)


@pytest.mark.parametrize("normalize", ["none", "mean", "length", "length+mean"])
def test_weights_too_large_for_the_tower_are_refused(normalize):
    conditioner = single(dialect="comfyui", normalize=normalize)

    heavy = pytest.warns(PromptWarning, match="which is hardly meant")
    with heavy, pytest.raises(WeightingError, match="NaN or infinite"):
        conditioner("(a:1e308) (b c:1.5e308) (d:1e308)")
    with pytest.warns(PromptWarning, match="'a' has the weight 1e\\+30"):
        assert math.isfinite(conditioner("(a:1e30)").embeds.abs().max())


def test_a_report_shows_groups():
    report = single(dialect="comfyui").explain("a (red fox:1.3), cat").json()
    words = single(dialect="comfyui_words").explain("a (red fox:1.3), cat").json()

    assert [part["text"] for part in report["segments"]] == ["a ", "red fox", ", cat"]
    assert [part["text"] for part in words["segments"]] == ["a", "red", "fox", ",", "cat"]
