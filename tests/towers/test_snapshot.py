"""A snapshot holds while its model is unchanged, and sees what only its short cuts could miss."""

import pytest
import torch
from torch import nn

from clipcond.towers.snapshot import Snapshot
from clipcond.towers.weight_keys import keys_of_weights, row_checksums


def transpose(model):  # of equal shape, in the same memory
    model[0].weight.data = model[0].weight.data.t()


def change_dtype(model):  # to one that holds the same values
    model[1].weight.data = model[1].weight.data.half()


def change_shape(model):
    model[1].weight.data = model[1].weight.data.view(4, 32)


def lose_a_bit(model):
    model[1].bias.data.view(torch.int32)[3] ^= 1


def write_a_sample(model):  # the last value of a large matrix
    model[0].weight.data.view(-1)[31 * ((128 * 128 - 1) // 31 // 2 * 2 - 1)] += 1


def replace_a_module(model):
    model[1] = nn.LayerNorm(128)


def replace_a_weight(model):
    model[1].weight = nn.Parameter(torch.ones(128))


def rename_a_setting(model):
    model[1].other_eps = model[1].__dict__.pop("eps")


def change_a_setting(model):
    model[1].eps = 0.5


def change_a_list(model):
    model.factors.append(2)


def change_a_dict(model):
    model.choices["scale"] = 2


CHANGES = (
    *(transpose, change_dtype, change_shape, lose_a_bit, write_a_sample, replace_a_module),
    *(replace_a_weight, rename_a_setting, change_a_setting, change_a_list, change_a_dict),
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_snapshot_sees(change):
    model = nn.Sequential(nn.Linear(128, 128), nn.LayerNorm(128)).eval()
    model.factors, model.choices = [1], {"scale": 1}
    snapshot = Snapshot.of(model)
    assert snapshot.holds()

    change(model)

    assert not snapshot.holds()


def test_a_snapshot_holds_for_values_that_are_no_numbers():
    model = nn.LayerNorm(4)
    model.weight.data[0] = torch.nan

    assert Snapshot.of(model).holds()


CHANGES = {
    "sign": lambda x: -x,
    "double": lambda x: x * 2,
    "half": lambda x: x / 2,
    "quadruple": lambda x: x * 4,
    "zero": lambda x: x * 0,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_changes_of_two_values_do_not_cancel(dtype, change):
    """In the keys of vectors and of rows of a table, at every pair of 16 places."""
    pairs = torch.combinations(torch.arange(16))
    row = torch.randn(16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    table = row.to(dtype).repeat(len(pairs) + 1, 1)
    for i, pair in enumerate(pairs):
        table[i, pair] = CHANGES[change](table[i, pair])

    sums = row_checksums(table, range(len(table)))

    assert len(sums) == len(pairs) + 1
    assert sums[-1] not in sums[:-1]
    assert len(set(sums)) == len(sums)
    vector, keys = nn.Parameter(table[-1].clone()), set()
    for values in table:
        vector.data.copy_(values)  # which no version counts
        keys.add(tuple(keys_of_weights([vector])))
    assert len(keys) == len(table)
