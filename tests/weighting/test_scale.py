"""Laws of the multiplying rules, on made-up hidden states: no tower, milliseconds."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clipcond.chunking import TokenChunk
from clipcond.errors import ClipcondWarning, UnknownNameError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.weighting import NORMALIZATIONS, WEIGHTINGS, RuleWithNeeds, find_normalize, find_rule
from clipcond.weighting.scaling import scale, scale_mean, scale_mean_joined, scale_mean_prompt

L, D = 6, 4
SPECIAL = SpecialTokens(bos=1, eos=2, pad=2, context_length=L)
RULES = {name: WEIGHTINGS[name] for name in ("none", "scale", "scale_mean")}
WEIGHTS = st.floats(-3, 3, width=32)
ROWS = st.lists(st.lists(WEIGHTS, min_size=L, max_size=L), min_size=1, max_size=3)


class Encode:
    """Hidden states from the ids alone, offset so that means are far from zero."""

    special = SPECIAL

    def __init__(self, offset: float = 0.3, dtype: torch.dtype = torch.float32) -> None:
        self.offset, self.dtype = offset, dtype

    def __call__(self, chunks):
        rows = []
        for chunk in chunks:
            random = torch.Generator().manual_seed(hash(chunk.input_ids) % 2**31)
            rows.append(torch.randn(L, D, generator=random) + self.offset)
        hidden = torch.stack(rows).to(self.dtype)
        return TowerOutput(hidden, hidden[:, 0])


def chunk(weights, seed: int = 0) -> TokenChunk:
    return TokenChunk(tuple(range(seed, seed + L)), tuple(weights), (1,) * L, (-1,) * L)


@pytest.mark.parametrize("rule", WEIGHTINGS.values(), ids=WEIGHTINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_all_weights_1_change_no_bit(rule, dtype):
    chunks = [chunk([1.0] * L, seed) for seed in range(3)]
    encode = Encode(dtype=dtype)

    assert torch.equal(rule(chunks, encode).hidden, encode(chunks).hidden)


@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@settings(deadline=None)
@given(rows=ROWS)
@example(rows=[[0.0, 0.0, 0.0, 0.0, 0.0, 4.533200532090783e-42]])
def test_a_chunk_does_not_depend_on_the_others(rule, rows):
    chunks = [chunk(row, seed) for seed, row in enumerate(rows)]
    encode = Encode()

    together = rule(chunks, encode).hidden
    alone = torch.cat([rule([c], encode).hidden for c in chunks])

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@settings(deadline=None)
@given(row=st.lists(WEIGHTS, min_size=L, max_size=L))
@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
def test_results_are_finite_and_pooled_is_untouched(rule, row):
    chunks, encode = [chunk(row)], Encode()

    output = rule(chunks, encode)

    assert torch.isfinite(output.hidden).all()
    assert torch.equal(output.pooled, encode(chunks).pooled)
    assert output.hidden.shape == (1, L, D)


def test_scale_multiplies_rows():
    encode = Encode()
    weights = [1.0, 1.5, 0.0, -1.0, 1.0, 1.0]

    ours = scale([chunk(weights)], encode).hidden

    assert torch.equal(ours, encode([chunk(weights)]).hidden * torch.tensor(weights)[:, None])


def test_scale_mean_keeps_the_mean():
    encode, chunks = Encode(), [chunk([1.0, 1.5, 0.2, 1.0, 1.0, 1.0]), chunk([1.0] * L, 1)]
    before = encode(chunks).hidden

    after = scale_mean(chunks, encode).hidden

    assert not torch.equal(after[0], before[0])
    assert after[0].mean().item() == pytest.approx(before[0].mean().item(), rel=1e-5)
    assert torch.equal(after[1], before[1])


def test_scale_mean_prompt_keeps_the_mean_of_all_chunks_together():
    encode, chunks = Encode(), [chunk([1.0, 1.5, 0.2, 1.0, 1.0, 1.0]), chunk([1.0] * L, 1)]
    before, scaled = (rule(chunks, encode).hidden for rule in (encode_alone, scale))

    after = scale_mean_prompt(chunks, encode).hidden

    torch.testing.assert_close(after, scaled * before.mean() / scaled.mean())
    assert not torch.equal(after[1], before[1])  # a chunk without weights is restored too


def test_scale_mean_joined_leaves_out_the_eos_and_bos_between_chunks():
    encode, chunks = Encode(), [chunk([1.0, 1.5, 0.2, 1.0, 1.0, 1.0]), chunk([1.0] * L, 1)]
    before, scaled = (rule(chunks, encode).hidden for rule in (encode_alone, scale))
    means = [torch.cat([states[0, :-1], states[1, 1:]]).mean() for states in (before, scaled)]

    after = scale_mean_joined(chunks, encode).hidden

    torch.testing.assert_close(after, scaled * means[0] / means[1])


def encode_alone(chunks, encode):
    return encode(chunks)


def test_weights_act_in_float32_and_come_back_in_the_towers_dtype():
    weights = [1.0, 1.3, 0.7, 1.0, 1.0, 1.0]
    exact = Encode()([chunk(weights)]).hidden.half().float()
    expected = (exact * torch.tensor(weights)[:, None]).half()

    ours = scale([chunk(weights)], Encode(dtype=torch.float16)).hidden

    assert torch.equal(ours, expected)


def centred(chunks):
    """Hidden states whose mean is zero up to rounding, as after a layer norm without bias."""
    hidden = Encode()(chunks).hidden
    return TowerOutput(hidden - hidden.mean(dim=(-2, -1), keepdim=True))


def test_a_mean_of_nothing_is_left_alone():
    chunks = [chunk([1.0, 1.5, 1.0, 1.0, 1.0, 1.0])]

    with pytest.warns(ClipcondWarning) as caught:
        ours = scale_mean(chunks, centred).hidden

    assert torch.equal(ours, scale(chunks, centred).hidden)
    assert str(caught[0].message) == (
        "the mean of a weighted chunk is too near zero to be restored: it was left alone\n"
        "Milder weights, or weighting='scale', which restores nothing, give what was meant."
    )
    assert caught[0].filename == __file__


def test_all_weights_zero_give_zeros_not_nan():
    chunks = [chunk([0.0] * L)]

    with pytest.warns(ClipcondWarning, match="too near zero"):
        assert torch.equal(scale_mean(chunks, Encode()).hidden, torch.zeros(1, L, D))


def test_a_mean_that_turns_is_restored_and_told():
    chunks, encode = [chunk([-1.0] * L)], Encode(offset=1.0)

    with pytest.warns(ClipcondWarning, match="turned its embedding round"):
        ours = scale_mean(chunks, encode).hidden

    torch.testing.assert_close(ours, encode(chunks).hidden)  # -h * mean(h) / mean(-h) = h


def test_rules_are_found_by_name_or_given_themselves():
    assert find_rule("scale") is scale
    assert find_rule(centred) is centred
    assert find_normalize("mean") is NORMALIZATIONS["mean"]
    assert find_normalize(centred) is centred
    with pytest.raises(UnknownNameError) as caught:
        find_rule("scael")
    assert str(caught.value) == (
        "no weighting rule 'scael'. Did you mean 'scale'? Known: "
        + ", ".join(sorted(WEIGHTINGS))
        + "."
    )
    with pytest.raises(UnknownNameError, match="no normalization 3"):
        find_normalize(3)


def test_a_rule_with_needs_is_a_rule():
    rule = RuleWithNeeds(scale, lambda chunks, special: [])
    chunks, encode = [chunk([1.0, 2.0, 1.0, 1.0, 1.0, 1.0])], Encode()

    assert torch.equal(rule(chunks, encode).hidden, scale(chunks, encode).hidden)


def test_no_normalization_is_nothing_to_do():
    assert find_normalize("none") is None
