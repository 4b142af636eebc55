"""A1111's brackets, thousands deep or in a row."""

import sys

import pytest

from clipcond.prompt import Issue, parse
from tests.prompt import naive
from tests.prompt.test_a1111 import EXACT_DEPTH, pairs


class TestDeepNesting:
    """10,000 brackets and more: no recursion, no refusal, and no quadratic arithmetic."""

    def test_equal_brackets_are_exact_at_any_depth(self):
        depth = 3_000
        prompt = "".join(f"({i} " for i in range(depth)) + ")" * depth

        weight = 1.0
        for text, got in pairs(prompt):
            weight *= 1.1
            assert got == weight, text

    def test_mixed_brackets_are_exact_up_to_a_depth_and_close_beyond(self):
        depth = 6 * EXACT_DEPTH
        prompt = "".join(f"({i} [{i} " for i in range(depth // 2)) + "".join(
            f":1.{1 + i % 7})]" for i in range(depth // 2)
        )

        ours, reference = pairs(prompt), naive.read(prompt)
        assert len(ours) == len(reference)
        for (text, weight), (text_there, weight_there) in zip(ours, reference, strict=True):
            assert text == text_there
            assert weight == pytest.approx(weight_there, rel=1e-13)
        assert ours[: EXACT_DEPTH // 2] == reference[: EXACT_DEPTH // 2]

    def test_factors_that_cancel_do_not_overflow(self):
        n = 10_000
        (segment,) = parse("([" * n + "a" + ")]" * n).parts

        assert segment.weight == pytest.approx(1.0, abs=1e-9)

    def test_zero_outside_of_many_brackets(self):
        n = 1_000
        (segment,) = parse("(" + "([" * n + "a" + "])" * n + ":0)").parts

        assert segment.weight == 0.0

    def test_a_weight_beyond_all_numbers_is_an_issue(self):
        parsed = parse("(" * 10_000 + "a" + ")" * 10_000)

        assert parsed.segments[0].weight == sys.float_info.max
        assert parsed.issues == (
            Issue(
                "the brackets around this multiply to more than a number can hold",
                10_000,
                "Nest fewer brackets.",
            ),
        )

    def test_divided_away(self):
        (segment,) = parse("[" * 10_000 + "a" + "]" * 10_000).parts

        # dividing by 1.1 ends at the smallest number there is, which rounds to itself
        assert 0.0 <= segment.weight < 1e-300

    def test_many_unclosed_brackets_are_few_issues(self):
        issues = parse("(a " * 10_000).issues

        assert len(issues) == 102
        assert issues[99].position == 297
        assert [issue.message for issue in issues[100:]] == [
            "9900 more brackets that do not match",
            "the brackets around this multiply to more than a number can hold",
        ]


def test_a_megabyte_of_text():
    parsed = parse("a (red:1.3) cat on a mat, " * 40_000)

    assert len(parsed.parts) == 80_001
    assert parsed.issues == ()


def test_the_hundredth_bracket_is_an_issue_of_its_own():
    assert len(parse("a)" * 100).issues) == 100
    assert [issue.message for issue in parse("a)" * 101).issues[99:]] == [
        "')' closes nothing",
        "1 more brackets that do not match",
    ]
    assert len(parse("(BREAK) a" * 101).issues) == 100


def test_a_negative_weight_beyond_all_numbers():
    parsed = parse("(" * 10_001 + "a:-2" + ")" * 10_001)

    assert parsed.segments[0].weight == -sys.float_info.max
    assert [issue.position for issue in parsed.issues] == [10_001]
