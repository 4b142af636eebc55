"""A snapshot holds while its model is unchanged, and sees what only its short cuts could miss."""

import pytest
import torch
from torch import nn

from clipcond.towers.snapshot import Snapshot


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
