"""Forms keep what they say: rows, dtypes, scales."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond.bulk.forms import DTYPES, Form, padded, restore_rows, store
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

    rows = {"full": [0, 1, 2, 3, 4], "trimmed": [0, 2], "pooled": []}[keep]
    assert stored.rows.tolist() == rows
    assert stored.own.tolist() == [row in (0, 2) for row in rows]
    assert stored.length == 5
    assert stored.embeds.dtype == DTYPES[dtype]
    restored = restore_rows(stored.embeds, stored.scales)
    pooled = restore_rows(stored.pooled, stored.pooled_scale)
    errors = [
        (mine - right).norm() / right.norm()
        for mine, right in zip([*restored, pooled], [*values[0, rows], values[0, 0]], strict=True)
    ]
    assert max(errors) == pytest.approx(stored.error, abs=1e-7)
    assert stored.error <= {"float32": 0, "float16": 5e-4, "bfloat16": 4e-3, "int8": 8e-3}[dtype]
    assert (stored.scales is None) == (dtype != "int8")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=20))
def test_int8_is_within_half_a_step_of_each_row(numbers):
    values = torch.tensor(numbers).reshape(1, 1, -1)
    (stored,) = store([made(values, (0,), pooled=False)], Form("full", "int8"))

    restored = restore_rows(stored.embeds, stored.scales)
    step = values.abs().amax() / 127
    assert ((restored - values[0]).abs() <= step * 0.5001 + 1e-37).all()


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


def test_rows_go_back_to_their_places():
    rows, filler = torch.tensor([0, 1, 4]), torch.tensor([[7.0], [8.0], [9.0]])
    kept = torch.tensor([[1.0], [2.0], [3.0]])

    assert padded(kept, rows, 5, filler)[:, 0].tolist() == [1, 2, 9, 7, 3]
    assert padded(kept, rows, 5, None)[:, 0].tolist() == [1, 2, 0, 0, 3]
    assert padded(kept, torch.arange(3), 3, None) is kept
