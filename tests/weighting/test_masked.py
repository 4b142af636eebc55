"""Laws of compel's rules, on made-up hidden states: no tower, milliseconds."""

import math
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given

from clipcond.chunking import Token, chunk, empty_chunk, hard
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.weighting import find_rule
from clipcond.weighting.interpolation import lerp
from clipcond.weighting.masking import masked, removed, removing
from clipcond.weighting.shared_eos import with_first_eos, with_mean_eos
from tests.weighting.test_adv_clip_emb import words

L, D = 6, 4
SPECIAL = SpecialTokens(bos=1, eos=2, pad=3, context_length=L)
RULES = {"masked": masked, "removed": removed}

each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


class Encode:
    """Hidden states from ids and mask alone; remembers what it was asked for."""

    special = SPECIAL

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def __call__(self, chunks):
        self.asked += [(each.input_ids, each.attention_mask) for each in chunks]
        hidden = torch.stack([self.row(each.input_ids, each.attention_mask) for each in chunks])
        return TowerOutput(hidden, hidden[:, 0])

    def row(self, *key):
        random = torch.Generator().manual_seed(hash(key) % 2**31)
        return torch.randn(L, D, generator=random)


def chunks_of(fragments):
    """Fragments of (weight, number of tokens), cut where a chunk of four is full."""
    tokens = [
        Token(10 + word, weight, word, 0, 0)
        for word, (weight, n) in enumerate(fragments)
        for _ in range(n)
    ]
    return chunk(tokens, SPECIAL, hard)


def share(weight):
    return math.tan((1 - max(weight, 1e-5)) * math.pi / 2)


def masks_of(chunks):
    """The masks of what `masked` encodes beside the chunks and the empty one."""
    needed = masked.needs(chunks, SPECIAL)
    return ["".join(map(str, c.attention_mask)) for c in needed if not all(c.attention_mask)]


@each_rule
@given(fragments=words)
def test_what_is_asked_for_was_announced_and_what_is_announced_is_asked_for(rule, fragments):
    chunks, encode = chunks_of(fragments), Encode()

    rule(chunks, encode)

    announced = [(c.input_ids, c.attention_mask) for c in (*chunks, *rule.needs(chunks, SPECIAL))]
    assert set(encode.asked) == set(announced)


@each_rule
@given(fragments=words)
def test_results_are_finite_and_pooled_is_untouched(rule, fragments):
    chunks, encode = chunks_of(fragments), Encode()

    output = rule(chunks, encode)

    assert output.hidden.shape == (len(chunks), L, D)
    assert torch.isfinite(output.hidden).all()
    assert torch.equal(output.pooled, encode(chunks).pooled)


@each_rule
@given(fragments=words)
def test_without_a_weight_below_1_they_are_lerp(rule, fragments):
    chunks, encode = chunks_of([(max(weight, 1.0), n) for weight, n in fragments]), Encode()

    assert torch.equal(rule(chunks, encode).hidden, lerp(chunks, encode).hidden)


@given(fragments=words)
def test_masked_is_the_weighted_mean_with_all_prompts_that_lack_a_fragment(fragments):
    chunks, encode = chunks_of(fragments), Encode()
    states, shares = [lerp(chunks, encode).hidden.double()], [1.0]
    for segment, (weight, _) in enumerate(fragments):
        if weight < 1:
            variant = [hidden(c, {segment}) for c in chunks]
            states.append(lerp(variant, encode).hidden.double())
            shares.append(share(weight))

    total = sum(s * state for s, state in zip(shares, states, strict=True))
    expected = (total / sum(shares)).float()

    torch.testing.assert_close(masked(chunks, encode).hidden, expected)


def hidden(c, segments):
    """The chunk with fragments hidden; between the parts of one, eos and padding are hidden too."""
    mask = [int(segment not in segments) for segment in c.segments]
    assert not c.goes_on or c.content == SPECIAL.room  # `hard` leaves no padding between
    return replace(c, attention_mask=tuple(mask))


@pytest.mark.parametrize("weight", [0.0, -1.0, 1e-6])
def test_at_0_only_the_prompt_without_the_fragment_is_left(weight):
    (c,) = chunks = chunks_of([(1.0, 1), (weight, 2)])
    encode = Encode()

    lacking = lerp([hidden(c, {1})], encode).hidden

    torch.testing.assert_close(masked(chunks, encode).hidden, lacking, rtol=0, atol=2e-4)


def test_a_chunk_is_encoded_again_for_its_own_fragments_only():
    chunks = chunks_of([(0.5, 1), (1.0, 3)] * 50)

    assert len(chunks) == 50
    assert len(masked.needs(chunks, SPECIAL)) == 50 + 1  # and the empty chunk


def cut_early(tokens, special):
    """A splitter that leaves room behind the first piece."""
    return [list(tokens[:3]), list(tokens[3:])]


def test_between_the_parts_of_a_fragment_nothing_is_seen_but_the_last_position():
    tokens = [Token(9, w, s, 0, 0) for s, w in enumerate([1.0, 0.5, 0.5, 1.0])]
    same = [Token(9, w, s, 0, 0) for w, s in [(1.0, 0), (0.5, 1), (0.5, 1), (0.5, 1), (1.0, 2)]]

    assert masks_of(chunk(same, SPECIAL, cut_early)) == ["110001", "101111"]
    # two fragments, not one that was cut: eos and padding are seen
    assert masks_of(chunk(tokens, SPECIAL, cut_early)) == ["110111", "111011"]


def test_of_a_fragment_whose_rest_is_dropped_eos_is_hidden_too():
    cut = chunks_of([(1.0, 1), (0.5, 5)])
    alone = chunks_of([(0.5, 5)])

    assert masks_of(cut) == ["110001", "100111"]
    assert masks_of(cut[:1]) == ["110000"]
    assert masks_of(alone[:1]) == ["100001"]


def test_removed_moves_up_what_follows_and_fills_with_the_empty_chunk():
    chunks, encode = chunks_of([(0.5, 3), (1.0, 2)]), Encode()
    (rest,) = chunks_of([(1.0, 0), (1.0, 2)])

    after = removing(hard)(chunks, encode).hidden

    lacking = encode([rest, empty_chunk(SPECIAL)]).hidden
    torch.testing.assert_close(after, (lerp(chunks, encode).hidden + lacking) / 2)


def test_removed_keeps_ids_and_weights_of_all_other_fragments():
    chunks = chunks_of([(1.2, 1), (0.5, 1), (1.0, 1), (0.7, 1)])

    _, without_second, without_last = removing(hard).needs(chunks, SPECIAL)

    assert without_second.input_ids == (1, 10, 12, 13, 2, 3)
    assert without_second.weights == (1.0, 1.2, 1.0, 0.7, 1.0, 1.0)
    assert without_last.input_ids == (1, 10, 11, 12, 2, 3)
    assert without_last.weights == (1.0, 1.2, 0.5, 1.0, 1.0, 1.0)


def test_removed_has_never_more_chunks_than_the_whole():
    tokens = [Token(9, w, s, 0, 0) for s, w in enumerate([1.0, 0.5, 1.0, 1.0, 1.0, 1.0])]

    def by_first(tokens, special):  # a single token in a chunk, unless the second word is there
        is_whole = any(token.segment == 1 for token in tokens)
        return [[*tokens[:4]], [*tokens[4:]]] if is_whole else [[token] for token in tokens]

    chunks = chunk(tokens, SPECIAL, by_first)
    encode = Encode()

    after = removing(by_first)(chunks, encode).hidden

    lacking = encode(chunk([tokens[0], *tokens[2:]], SPECIAL, by_first)[:2]).hidden
    torch.testing.assert_close(after, (lerp(chunks, encode).hidden + lacking) / 2)


@given(fragments=words)
def test_the_first_eos_of_all_chunks_can_be_shared(fragments):
    chunks, encode = chunks_of(fragments), Encode()
    plain = masked(chunks, encode).hidden

    first = with_first_eos(masked)(chunks, encode).hidden
    mean = with_mean_eos(masked)(chunks, encode).hidden

    ends = [c.content + 1 for c in chunks]
    states = torch.stack([plain[i, end] for i, end in enumerate(ends)])
    for i, end in enumerate(ends):
        assert torch.equal(first[i, end], states[0])
        torch.testing.assert_close(mean[i, end], states.mean(dim=0))
        others = [row for row in range(L) if row != end]
        assert torch.equal(first[i, others], plain[i, others])
        assert torch.equal(mean[i, others], plain[i, others])


def test_rules_pickle():
    chunks = chunks_of([(0.5, 3), (1.3, 3)])
    for rule in (masked, removed, with_first_eos(masked), with_mean_eos(removed)):
        again = pickle.loads(pickle.dumps(rule))
        assert torch.equal(again(chunks, Encode()).hidden, rule(chunks, Encode()).hidden)


def test_they_have_names():
    assert (find_rule("masked"), find_rule("removed")) == (masked, removed)
