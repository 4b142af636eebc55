"""The comparison with golden data: whatever is not equal fails, NaN too."""

from math import inf, nan

import pytest
import torch

from tests.parity.golden import TOLERANCE, difference, failures

ONES = torch.ones(2, 3)


def holed(value: float) -> torch.Tensor:
    tensor = ONES.clone()
    tensor[1, 2] = value
    return tensor


def test_a_nan_anywhere_is_infinitely_far():
    for ours, reference in ((holed(nan), ONES), (ONES, holed(nan)), (holed(nan), holed(nan))):
        assert difference(ours, reference) == inf
    assert max([0.0, difference(holed(nan), ONES)]) > TOLERANCE  # max([0.0, nan]) is not
    assert difference(holed(inf), holed(inf)) == inf


def test_differences_are_shares_of_the_largest_value():
    assert difference(ONES, ONES) == 0.0
    assert difference(holed(1.5), ONES) == 0.5
    assert difference(holed(5.0), holed(4.0)) == 0.25
    assert difference(ONES / 8 + 1 / 8, ONES / 8) == 1 / 8


def test_another_shape_is_no_match():
    with pytest.raises(AssertionError):
        difference(ONES, torch.ones(3, 3))


def test_every_case_that_fails_is_listed():
    def check(number: int) -> None:
        assert number != 2
        if number == 3:
            raise KeyError("gone")

    first, second = failures([1, 2, 3, 4], check, int)
    assert first.startswith("2: AssertionError")
    assert second == "3: KeyError: 'gone'"
    with pytest.raises(AssertionError, match="no cases"):
        failures([], check)
