"""The text side against AUTOMATIC1111's webui 1.10.1: equal, to the last bit of every weight."""

from importlib.util import find_spec

import pytest

from clipcond.chunking import Splitter, chunk, comma_backtrack, hard, tokenize
from clipcond.errors import PromptSyntaxError
from clipcond.prompt import Break, compose, parse, schedule
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.open_clip import with_open_clip_cleaning
from tests.failures import failures_of
from tests.parity.golden import cases_of

CASES = cases_of("a1111")["cases"]
READABLE = [case for case in CASES if "error" not in case["parsed"]]
SPECIAL = SpecialTokens(bos=49406, eos=49407, pad=49407, context_length=77, commas=frozenset({267}))


def failures(check, cases):
    return failures_of(check, cases, name=lambda case: case["id"])


def chunks_of(case, tokenizer, splitter: Splitter, syntax: str = "a1111"):
    tokens = tokenize(parse(case["prompt"], syntax), tokenizer)
    return [
        {"ids": list(c.input_ids), "weights": list(c.weights)}
        for c in chunk(tokens, SPECIAL, splitter)
    ]


def test_the_golden_data_is_all_there():
    assert len(CASES) == 186
    assert len(READABLE) == 185


def test_parse():
    def check(case):
        parts = parse(case["prompt"]).parts
        pairs = [
            ["BREAK", -1] if isinstance(part, Break) else [part.text, part.weight] for part in parts
        ]
        assert pairs == case["parsed"]

    assert not failures(check, READABLE)


def test_where_the_reference_dies_there_is_an_error_with_a_caret():
    (case,) = (case for case in CASES if case not in READABLE)
    assert case["parsed"]["error"] == "ValueError"

    with pytest.raises(PromptSyntaxError) as error:
        parse(case["prompt"])
    assert str(error.value) == (
        "'1.2.3' is not a number\n  (cat:1.2.3)\n       ^\nWrite a decimal number such as 1.2."
    )


def test_chunks(clip_bpe):
    def check(case):
        assert chunks_of(case, clip_bpe, comma_backtrack()) == case["chunks"]

    assert not failures(check, READABLE)


@pytest.mark.parametrize("distance", [0, 74])
def test_chunks_at_another_distance(clip_bpe, distance):
    def check(case):
        # The data holds these chunks only where they differ.
        expected = case.get(f"chunks_backtrack{distance}", case["chunks"])
        assert chunks_of(case, clip_bpe, comma_backtrack(distance)) == expected

    assert not failures(check, READABLE)


def test_hard_chunks_are_those_of_no_backtracking(clip_bpe):
    def check(case):
        expected = case.get("chunks_backtrack0", case["chunks"])
        assert chunks_of(case, clip_bpe, hard) == expected

    assert not failures(check, READABLE)


@pytest.mark.skipif(find_spec("ftfy") is None, reason="ftfy is not installed (extra: test)")
def test_chunks_of_a_tower_that_comes_from_open_clip(clip_bpe):
    """Its tokenizer is open_clip's; padding is still eos in this data."""
    tokenizer = with_open_clip_cleaning(clip_bpe)

    def check(case):
        expected = case.get("openclip_tokenizer_chunks", case["chunks"])
        assert chunks_of(case, tokenizer, comma_backtrack()) == expected

    assert not failures(check, READABLE)


def test_plain_chunks_are_those_of_no_emphasis(clip_bpe):
    def check(case):
        expected = case.get("chunks_emphasis_none", case.get("chunks"))
        assert chunks_of(case, clip_bpe, comma_backtrack(), "plain") == expected

    assert not failures(check, CASES)


def test_count(clip_bpe):
    """webui's counter: a closed chunk counts in full, the one being filled by its tokens."""

    def check(case):
        tokens = tokenize(parse(case["prompt"]), clip_bpe)
        chunks = chunk(tokens, SPECIAL, comma_backtrack())
        all_closed = tokens and isinstance(tokens[-1], Break)
        n_in_last = SPECIAL.room if all_closed else chunks[-1].content
        assert SPECIAL.room * (len(chunks) - 1) + n_in_last == case["token_count"]

    assert not failures(check, READABLE)


@pytest.mark.parametrize("steps", [10, 20])
def test_schedule(steps):
    def check(case):
        expected = case["schedule"][str(steps)]
        assert [list(entry) for entry in schedule(case["prompt"], steps)] == expected

    assert not failures(check, CASES)


def test_schedule_of_old():
    def check(case):
        expected = case.get("schedule_old_10", case["schedule"]["10"])
        got = schedule(case["prompt"], 10, old_timelines=True)
        assert [list(entry) for entry in got] == expected

    assert not failures(check, CASES)


def test_schedule_of_a_second_pass():
    def check(case):
        got = schedule(case["prompt"], 8, base_steps=10)
        if "schedule_hires_base10_hires8" in case:
            assert [list(entry) for entry in got] == case["schedule_hires_base10_hires8"]
        else:
            assert got == schedule(case["prompt"], 8)

    assert not failures(check, CASES)


def test_compose():
    def check(case):
        parts = compose(case["prompt"])
        # The reference encodes equal texts once, and refers to them by index.
        texts = list(dict.fromkeys(text for text, _ in parts))
        indexes = [[texts.index(text), weight] for text, weight in parts]
        assert {"flat": texts, "indexes": indexes} == case["multicond"]

    assert not failures(check, CASES)
