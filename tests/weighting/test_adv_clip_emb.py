"""Laws of the rules that encode more than the prompt, on made-up hidden states: no tower."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipcond.chunking import TokenChunk, empty_chunk
from clipcond.errors import WeightingError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.weighting import find_rule

L, D = 6, 4
STAND_IN = 9
SPECIAL = SpecialTokens(bos=1, eos=2, pad=2, context_length=L, stand_in=STAND_IN)
RULES = ["lerp", "comfy++", "down_weight", "adv_compel"]

each_rule = pytest.mark.parametrize("rule", RULES)
one_weight = st.sampled_from([-1.0, 0.0, 0.3, 0.7, 1.0, 1.2, 2.5])
words = st.lists(st.tuples(one_weight, st.integers(1, 3)), max_size=5)


class Encode:
    """Hidden states from the ids alone; remembers what it was asked for."""

    def __init__(self, special: SpecialTokens = SPECIAL) -> None:
        self.special = special
        self.asked: set[tuple[int, ...]] = set()

    def __call__(self, chunks):
        self.asked |= {chunk.input_ids for chunk in chunks}
        rows = [self.row(chunk.input_ids) for chunk in chunks]
        hidden = torch.stack(rows)
        return TowerOutput(hidden, hidden[:, 0])

    def row(self, ids):
        random = torch.Generator().manual_seed(hash(ids) % 2**31)
        return torch.randn(L, D, generator=random)


def chunks_of(words):
    """Words of (weight, number of tokens), in as many chunks as they need."""
    tokens = [(weight, word) for word, (weight, n) in enumerate(words) for _ in range(n)]
    pieces = [tokens[i : i + L - 2] for i in range(0, len(tokens), L - 2)] or [[]]
    return [framed(piece, 100 * index) for index, piece in enumerate(pieces)]


def framed(piece, first):
    n_after = L - 1 - len(piece)
    return TokenChunk(
        (1, *range(10 + first, 10 + first + len(piece)), *(2,) * n_after),
        (1.0, *(weight for weight, _ in piece), *(1.0,) * n_after),
        (1,) * L,
        (-1, *(word for _, word in piece), *(-1,) * n_after),
    )


def without(chunk, word):
    pairs = zip(chunk.input_ids, chunk.segments, strict=True)
    ids = [STAND_IN if segment == word else i for i, segment in pairs]
    return replace(chunk, input_ids=tuple(ids))


@each_rule
@given(words=words)
def test_what_is_asked_for_was_announced_and_what_is_announced_is_asked_for(rule, words):
    rule, chunks, encode = find_rule(rule), chunks_of(words), Encode()

    rule(chunks, encode)

    announced = {chunk.input_ids for chunk in [*chunks, *rule.needs(chunks, SPECIAL)]}
    assert encode.asked == announced


@each_rule
@given(words=words)
def test_results_are_finite_and_pooled_is_untouched(rule, words):
    chunks, encode = chunks_of(words), Encode()

    output = find_rule(rule)(chunks, encode)

    assert output.hidden.shape == (len(chunks), L, D)
    assert torch.isfinite(output.hidden).all()
    assert torch.equal(output.pooled, encode(chunks).pooled)


@each_rule
@given(words=words)
def test_weights_of_1_change_no_bit_and_need_no_more(rule, words):
    chunks, encode = chunks_of([(1.0, n) for _, n in words]), Encode()

    assert torch.equal(find_rule(rule)(chunks, encode).hidden, encode(chunks).hidden)
    assert encode.asked == {chunk.input_ids for chunk in chunks}


@given(words=words)
def test_lerp_leaves_rows_of_weight_1_alone_and_moves_the_others(words):
    chunks, encode = chunks_of(words), Encode()
    before, empty = encode(chunks).hidden, encode([empty_chunk(SPECIAL)]).hidden[0]

    after = find_rule("lerp")(chunks, encode).hidden

    for i, chunk in enumerate(chunks):
        for row, weight in enumerate(chunk.weights):
            if weight == 1.0:
                assert torch.equal(after[i, row], before[i, row])
            expected = empty[row] + weight * (before[i, row] - empty[row])
            torch.testing.assert_close(after[i, row], expected)


def test_comfy_plus_plus_adds_what_a_word_brings_at_its_own_rows():
    (chunk,) = chunks = chunks_of([(1.0, 1), (1.5, 2), (1.0, 1)])
    encode = Encode()
    before, lacking = (encode([c]).hidden[0] for c in (chunk, without(chunk, 1)))

    after = find_rule("comfy++")(chunks, encode).hidden[0]

    torch.testing.assert_close(after[2:4], before[2:4] + 0.5 * (before - lacking)[2:4])
    for row in (0, 1, 4, 5):
        assert torch.equal(after[row], before[row])


@pytest.mark.parametrize("rule", ["comfy++", "down_weight", "adv_compel"])
def test_words_below_1_are_left_out_by_degrees(rule):
    (chunk,) = chunks = chunks_of([(0.3, 1), (1.0, 1), (0.7, 1)])
    encode = Encode()
    first = without(chunk, 0)
    states = [encode([c]).hidden[0] for c in (chunk, first, without(first, 2))]

    after = find_rule(rule)(chunks, encode).hidden[0]

    # 0.3 of the whole, to 0.7 without the first word, the rest without both
    expected = 0.3 * states[0] + 0.4 * states[1] + 0.3 * states[2]
    torch.testing.assert_close(after, expected)


@given(words=words)
def test_to_down_weight_only_ratios_to_the_largest_count(words):
    raised = [(weight + 4, n) for weight, n in words]
    double = [(2 * weight, n) for weight, n in raised]
    rule, encode = find_rule("down_weight"), Encode()

    once, twice = (rule(chunks_of(some), encode).hidden for some in (raised, double))

    torch.testing.assert_close(once, twice)


@given(words=words)
def test_adv_compel_raises_as_lerp_and_lowers_as_down_weight(words):
    raised = chunks_of([(max(weight, 1.0), n) for weight, n in words])
    lowered = chunks_of([(min(weight, 1.0), n) for weight, n in words])
    rule, encode = find_rule("adv_compel"), Encode()

    for chunks, other in ((raised, "lerp"), (lowered, "down_weight")):
        ours, theirs = (r(chunks, encode).hidden for r in (rule, find_rule(other)))
        assert torch.equal(ours, theirs)


def test_a_tower_without_a_token_to_stand_in_is_told():
    chunks = chunks_of([(0.5, 1)])

    with pytest.raises(WeightingError) as error:
        find_rule("down_weight")(chunks, Encode(replace(SPECIAL, stand_in=None)))
    assert str(error.value) == (
        "this tower has no token that can stand in for a word that is left out\n"
        "Use weighting='lerp', which leaves no words out."
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@each_rule
def test_half_precision_gives_the_same_within_its_own_and_stays(rule, dtype):
    class Half(Encode):
        def row(self, ids):
            return super().row(ids).to(dtype)

    class Exact(Encode):
        def row(self, ids):
            return super().row(ids).to(dtype).float()

    chunks = chunks_of([(0.5, 1), (1.0, 1), (0.3, 2), (1.4, 1)])
    ours, exact = (find_rule(rule)(chunks, encode()).hidden for encode in (Half, Exact))

    assert (ours.dtype, exact.dtype) == (dtype, torch.float32)
    close = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(ours.float(), exact, rtol=close, atol=close)
