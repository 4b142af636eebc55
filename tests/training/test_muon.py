"""The optimizer of adapters: orthogonal updates for matrices, AdamW's for all else."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from clipcond.training.muon import Muon, decay_groups, orthogonalize


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Parameter(torch.randn(5, 8))  # a matrix, but of no linear layer
        self.first, self.norm, self.second = nn.Linear(8, 24), nn.LayerNorm(24), nn.Linear(24, 4)

    def forward(self, x):
        return self.second(self.norm(self.first(x + self.table.mean(0))))


def trained(model, optimizer, n_steps, start=0):
    for step in range(start, start + n_steps):
        x = torch.randn(16, 8, generator=torch.Generator().manual_seed(step))
        F.mse_loss(model(x), x[:, :4].sin()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("shape", [(6, 6), (24, 8), (8, 24), (1, 5)])
def test_singular_values_come_to_about_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 1e-3
    found = orthogonalize(matrix)
    left, before, right = torch.linalg.svd(matrix, full_matrices=False)

    assert found.shape == matrix.shape
    after = torch.linalg.svdvals(found)[before > 0.05 * before.max()]
    assert after.min() > 0.6
    assert after.max() < 1.3
    # its singular vectors are those of the matrix
    turned = left.T @ found @ right.T
    assert torch.allclose(turned, torch.diag(turned.diag()), rtol=0, atol=1e-4)


def test_a_matrix_of_zeros_stays_one():
    assert not orthogonalize(torch.zeros(3, 4)).any()


def test_a_matrix_moves_by_an_orthogonal_update_as_large_as_adamw_makes_it():
    model = Net()
    before = model.first.weight.detach().clone()
    trained(model, Muon(model, lr=0.01, weight_decay=0.0), 1)
    moved = before - model.first.weight.detach()

    values = torch.linalg.svdvals(moved) / (0.01 * 0.2 * 24**0.5)
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert 0.1 < moved.square().mean().sqrt() / 0.01 < 0.3


def test_all_else_moves_as_with_adamw():
    """Matrices frozen, both optimizers do the same."""
    ours, theirs = Net(), Net()
    for model in (ours, theirs):
        model.first.weight.requires_grad_(False)
        model.second.weight.requires_grad_(False)
    adamw = torch.optim.AdamW(decay_groups(theirs.parameters(), 0.1), lr=0.01, betas=(0.9, 0.99))
    found, expected = trained(ours, Muon(ours, 0.01, 0.1), 7), trained(theirs, adamw, 7)

    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_weights_decay_and_vectors_do_not():
    model = Net()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = [p.detach().clone() for p in model.parameters()]
    Muon(model, lr=0.1, weight_decay=0.5).step()

    for old, new in zip(before, model.parameters(), strict=True):
        factor = 0.95 if old.ndim > 1 else 1.0
        assert torch.allclose(new, old * factor)


def test_a_state_that_is_loaded_goes_on_to_the_bit():
    whole = Net()
    expected = trained(whole, Muon(whole, 0.01, 0.01), 8)
    halves = Net()
    first = Muon(halves, 0.01, 0.01)
    trained(halves, first, 4)
    second = Muon(halves, 0.01, 0.01)
    second.load_state_dict(first.state_dict())
    found = trained(halves, second, 4, start=4)

    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_badly_conditioned_table_is_learned_faster_than_by_adamw():
    """Rare directions, not along the axes: inputs whose scales span two decades."""
    turn = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(9))).Q
    scales = torch.logspace(0, -2, 16).diag() @ turn

    def loss_after(make):
        torch.manual_seed(0)
        model = nn.Linear(16, 16, bias=False)
        optimizer = make(model)
        target = torch.linalg.qr(torch.randn(16, 16)).Q
        for step in range(300):
            x = torch.randn(64, 16, generator=torch.Generator().manual_seed(step)) @ scales
            F.mse_loss(model(x), x @ target).backward()
            optimizer.step()
            optimizer.zero_grad()
        return float((model.weight - target.T).square().mean().detach())

    assert loss_after(lambda m: Muon(m, 0.02, 0.0)) < 0.5 * loss_after(
        lambda m: torch.optim.AdamW(m.parameters(), lr=0.02)
    )
