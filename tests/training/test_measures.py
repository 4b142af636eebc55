"""Losses are in units of what embeddings that are the same for every prompt lose."""

import torch

from clipcond.training.measures import Baseline, mean_and_spread
from clipcond.training.pair_encoding import Batch


def baseline(pooled_mean, pooled_spread):
    return Baseline([], torch.zeros(1, 2, 3), pooled_mean, pooled_spread, 1.0, [], [])


def batch(pooled):
    return Batch(torch.zeros(2, 2, 3), pooled, torch.zeros(2, 2, 3), None, (0, 1), 1)


def test_the_mean_of_all_pooled_vectors_loses_one():
    pooled = torch.tensor([[1.0, 5.0], [5.0, 1.0]])
    mean, spread = mean_and_spread(pooled)
    assert (mean.tolist(), spread) == ([3, 3], 4)
    ours = baseline(mean, spread)

    for factor in (0.0, 0.5, 1.0, 2.0):  # of the way from the teacher's vectors to their mean
        found = ours.compare_pooled(pooled + factor * (mean - pooled), batch(pooled))
        assert found.keys() == {"pooled"}
        torch.testing.assert_close(found["pooled"], torch.tensor(factor**2))


def test_where_there_is_no_pooled_vector_there_is_no_loss():
    pooled = torch.ones(2, 2)

    assert baseline(None, 1.0).compare_pooled(pooled, batch(pooled)) == {}
    assert baseline(torch.zeros(2), 1.0).compare_pooled(None, batch(pooled)) == {}
    assert baseline(torch.zeros(2), 1.0).compare_pooled(pooled, batch(None)) == {}
