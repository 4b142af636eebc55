"""Each loss is in units of its baseline and has its own weight; blocks count as their mean."""

import random
from types import SimpleNamespace

import pytest
import torch

from clipcond.towers import TowerOutput
from clipcond.training import objectives
from clipcond.training.contrastive import contrastive_loss
from clipcond.training.cross_attention import (
    N_LAYERS_COMPARED,
    N_QUERIES_COMPARED,
    compare_attention,
)
from clipcond.training.measures import Baseline
from clipcond.training.objectives import SCALE, TextObjective, UnetObjective
from clipcond.training.pair_encoding import Batch
from clipcond.training.settings import AlignSettings

BATCH = Batch(torch.zeros(2, 3, 4), torch.zeros(2, 4), torch.zeros(2, 3, 4), None, (0, 1), 1)
BASELINE = Baseline([], torch.zeros(1, 3, 4), torch.zeros(4), 5.0, 2.0, [0.25, 4.0, 1.0], [])
OURS, THEIRS = torch.eye(2), torch.tensor([[1.0, 1.0], [0.0, 2.0]])


class Linear:
    """A teacher whose prediction and blocks are multiples of the embeds."""

    def schedule(self):
        return None

    def predict_with_blocks(self, noisy, steps, embeds, pooled):
        return [factor * embeds for factor in (3.0, 1.0, 2.0, 4.0)]


def adapter(hidden, mask):
    return TowerOutput(hidden + 0.5, torch.full((2, 4), 3.0))


@pytest.fixture(autouse=True)
def attention(monkeypatch):
    outputs = (torch.tensor(0.75), OURS, THEIRS)
    monkeypatch.setattr(objectives, "compare_attention", lambda *_: outputs)


def compared(**settings):
    pairs = SimpleNamespace(groups=[], batch=lambda *_: BATCH)
    ours = UnetObjective(Linear(), pairs, BASELINE, AlignSettings(**settings), ({}, None))
    losses, wanted = ours._compare(adapter, None, [], torch.zeros(1), torch.zeros(1), None)
    assert not wanted.any()  # the teacher's, not the adapter's
    return {name: float(loss) for name, loss in losses.items()}


def test_the_unets_losses():
    # mean squares: 0.25 times 9, 1, 4, 16
    assert compared(features=0.0, reads=0.0) == {"noise": 2.25 / 2}
    both = {"noise": 2.25 / 2, "features": 0.5 * (0.25 / 0.25 + 1 / 4 + 4 / 1) / 3}
    assert compared(features=0.5, reads=0.0) == pytest.approx(both)
    every = both | {"read": 0.125 * 0.75, "pooled": 0.125 * 9 / 5}
    assert compared(features=0.5, reads=0.125) == pytest.approx(every)


class Layer:
    """Stands for a layer of a UNet: its difference and its outputs are its number."""

    queries = torch.zeros(500, 2)

    def __init__(self, number):
        self.number, self.asked = float(number), []

    def attend(self, embeds, which):
        self.asked.append(which.tolist())
        return embeds

    def difference(self, student, teacher):
        assert (float(student), float(teacher)) == (1, 2)
        return torch.tensor(self.number)

    def summarize(self, outputs, which):
        return torch.full((1, 1), self.number * float(outputs))


@pytest.mark.parametrize("n", [1, 3, 4, 9])
def test_some_layers_are_compared_in_their_order(n):
    layers, generator = [Layer(i) for i in range(n)], torch.Generator().manual_seed(0)
    ones = torch.ones(1)
    loss, ours, theirs = compare_attention(layers, ones, 2 * ones, generator)

    drawn = [layer.number for layer in layers if layer.asked]
    assert len(drawn) == min(n, N_LAYERS_COMPARED)
    assert (ours.tolist(), theirs.tolist()) == ([drawn], [[2 * i for i in drawn]])
    assert loss == sum(drawn) / len(drawn)
    asked = [layer.asked for layer in layers if layer.asked]
    assert all(first == second for first, second in asked)  # both by the same queries
    assert {len(first) for first, _ in asked} == {N_QUERIES_COMPARED}
    assert len({tuple(first) for first, _ in asked}) == len(asked)  # of each layer others


def test_the_text_stages_losses():
    pairs = SimpleNamespace(draw_batch=lambda *_: BATCH)

    def losses(**settings):
        ours = TextObjective(pairs, BASELINE, AlignSettings(**settings))
        return {k: float(v) for k, v in ours.losses(adapter, random.Random(0)).items()}

    assert losses(contrast=0.0) == pytest.approx({"read": 0.75, "pooled": 9 / 5})
    contrast = 0.25 * float(contrastive_loss(OURS, THEIRS, (0, 1), scale=SCALE))
    assert losses(contrast=0.25)["contrast"] == pytest.approx(contrast)
