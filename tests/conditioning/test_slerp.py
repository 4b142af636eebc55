"""Between two vectors slerp keeps to the great circle and turns evenly."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from clipcond import slerp
from clipcond.errors import ArgumentError


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.5, 1.0])
def test_slerp_goes_along_the_circle(amount):
    start, end = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    angle = torch.tensor(amount * torch.pi / 2)
    length = 1 + 2 * amount

    expected = length * torch.stack([angle.cos(), angle.sin()])
    torch.testing.assert_close(slerp(start, end, amount), expected)


def test_slerp_of_parallel_opposite_and_empty_vectors_is_straight():
    one, none = torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2)

    torch.testing.assert_close(slerp(one, 3 * one, 0.5), 2 * one)
    torch.testing.assert_close(slerp(one, -one, 0.25), 0.5 * one)
    torch.testing.assert_close(slerp(none, one, 0.5), 0.5 * one)
    assert torch.equal(slerp(one, one, 0.3), one)


def test_slerp_keeps_length_and_dtype():
    rows = normalize(torch.randn(2, 5, 16), dim=-1)
    between = slerp(rows[0], rows[1], 0.3)
    torch.testing.assert_close(between.norm(dim=-1), torch.ones(5))
    torch.testing.assert_close(  # a third of the way is a third of the angle
        (between * rows[0]).sum(-1).arccos(), 0.3 * (rows[0] * rows[1]).sum(-1).arccos()
    )
    assert slerp(rows[0].half(), rows[1].half(), 0.3).dtype == torch.float16


@given(
    st.integers(0, 2**32), st.integers(1, 9), st.floats(0, 1), st.floats(0, 50), st.floats(0, 50)
)
def test_slerp_turns_evenly_in_the_plane_of_both(seed, width, amount, first, last):
    drawn = torch.randn(2, width, generator=torch.Generator().manual_seed(seed))
    start, end = (normalize(drawn, dim=-1) * torch.tensor([[first], [last]])).double()
    found, back = slerp(start, end, amount), slerp(end, start, 1 - amount)

    torch.testing.assert_close(found, back, atol=1e-4, rtol=1e-4)  # 1 - amount is rounded
    torch.testing.assert_close(slerp(start, end, 0.0), start)
    torch.testing.assert_close(slerp(start, end, 1.0), end)
    cosine = torch.cosine_similarity(start, end, dim=0)
    if min(first, last) > 1e-3 and cosine.abs() < 0.999:
        angle = cosine.arccos()
        length = first + amount * (last - first)
        torch.testing.assert_close(found.norm().item(), length, atol=1e-4, rtol=1e-4)
        reached = torch.cosine_similarity(start, found, dim=0).clamp(-1, 1).arccos()
        torch.testing.assert_close(reached, amount * angle, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan"), True, "0.5"])
def test_slerp_refuses_other_amounts(amount):
    with pytest.raises(ArgumentError, match="amount is a number from 0 to 1, not"):
        slerp(torch.ones(2), torch.ones(2), amount)


def test_slerp_refuses_other_shapes():
    with pytest.raises(ArgumentError) as caught:
        slerp(torch.ones(1, 77, 4), torch.ones(1, 154, 4), 0.5)
    assert str(caught.value) == (
        "slerp needs two tensors of one shape, not [1, 77, 4] and [1, 154, 4]\n"
        "Of prompts, encode both in one call: they are equally long then."
    )
