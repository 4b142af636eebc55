"""Forms keep what they say: rows, dtypes, scales."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond.bulk.forms import DTYPES, Form, restore_rows, restored, store
from clipcond.conditioning.alone import ConditionedAlone
from clipcond.conditioning.results import Conditioning
from clipcond.errors import UnknownNameError


def made(values, rows=(0, 2), pooled=True):
    vector = values[:, 0] if pooled else None
    return ConditionedAlone(Conditioning(values, vector), rows)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("keep", ["full", "trimmed", "pooled"])
def test_what_is_kept_comes_back_within_its_stated_error(keep, dtype):
    values = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    (stored,) = store([made(values)], Form(keep, dtype))

    rows = {"full": [0, 1, 2, 3, 4], "trimmed": [0, 2, -2, -4], "pooled": []}[keep]
    assert stored.rows.tolist() == rows
    assert stored.own.tolist() == [row in (0, 2) for row in rows]
    expected = [values[0, row] for row in rows if row >= 0]
    if keep == "trimmed":
        expected += [values[0, 1], values[0, 3:].mean(0)]
    assert stored.length == 5
    assert stored.embeds.dtype == DTYPES[dtype]
    kept = restore_rows(stored.embeds, stored.scales)
    pooled = restore_rows(stored.pooled, stored.pooled_scale)
    errors = [
        (mine - right).norm() / right.norm()
        for mine, right in zip([*kept, pooled], [*expected, values[0, 0]], strict=True)
    ]
    assert max(errors) == pytest.approx(stored.error, abs=1e-7)
    assert stored.error <= {"float32": 0, "float16": 5e-4, "bfloat16": 4e-3, "int8": 8e-3}[dtype]
    assert (stored.scales is None) == (dtype != "int8")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=20))
def test_int8_is_within_half_a_step_of_each_row(numbers):
    values = torch.tensor(numbers).reshape(1, 1, -1)
    (stored,) = store([made(values, (0,), pooled=False)], Form("full", "int8"))

    kept = restore_rows(stored.embeds, stored.scales)
    step = values.abs().amax() / 127
    assert ((kept - values[0]).abs() <= step * 0.5001 + 1e-37).all()


def test_what_cannot_be_kept_is_said():
    big, small = (made(torch.full((1, 2, 3), x), (0,), pooled=False) for x in (7e4, 1.0))
    too_big, good = store([big, small], Form("full", "float16"))
    assert "beyond what float16 can hold" in too_big
    assert good.embeds.tolist() == [[1.0] * 3] * 2
    assert "beyond what float16" in store([made(torch.full((1, 2, 3), 7e4))], Form("pooled"))[0]
    assert "no pooled vector" in store([small], Form("pooled"))[0]
    assert store([], Form()) == []
    with pytest.raises(UnknownNameError, match="Did you mean 'trimmed'"):
        Form("trimed")
    with pytest.raises(UnknownNameError, match="no dtype 'int4'"):
        Form("full", "int4")


def test_rows_go_back_to_their_places_and_padding_is_its_mean():
    values = torch.randn(1, 9, 4, generator=torch.Generator().manual_seed(0))
    for rows in ((0, 1, 4), (0, 1, 8), (3,), tuple(range(9)), (), (7, 8)):
        (stored,) = store([made(values, rows, pooled=False)], Form("trimmed", "float32"))
        expected, run = values[0].clone(), []
        for row in range(10):
            if row < 9 and row not in rows:
                run.append(row)
                continue
            if run:
                expected[run] = values[0, run].mean(0)
            run = []
        torch.testing.assert_close(restored(stored.embeds, stored.rows, 9), expected)
        assert stored.own.sum() == len(rows)
