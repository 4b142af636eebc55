"""Towers around the text encoder of a dual model: what holds for both kinds of them."""

import copy
from itertools import product

import pytest
import torch

from clipcond.errors import TowerError
from clipcond.towers import AltClipTower, ChineseClipTower, HiddenLayer
from tests.towers import alt, chinese
from tests.towers.test_offload import model_offload, sequential_offload

KINDS = [(AltClipTower, alt), (ChineseClipTower, chinese)]
EACH_KIND = pytest.mark.parametrize(("kind", "made"), KINDS, ids=["alt", "zh"])


@EACH_KIND
def test_the_model_is_untouched_afterwards(kind, made):
    model = copy.deepcopy(made.whole_model())
    tower = kind(model, made.tokenizer())
    # transformers leaves hooks of its own on models whose hidden states were asked for
    before = {n: (vars(m).copy(), dict(m._forward_hooks)) for n, m in model.named_modules()}
    n_entries, length = made.TEXT["vocab_size"], tower.special.context_length

    tower.encode(*made.rows(), HiddenLayer(3))
    with pytest.raises(TowerError):
        tower.encode(torch.full((1, length), n_entries), None, HiddenLayer(3))

    for name, module in model.named_modules():
        assert (vars(module), dict(module._forward_hooks)) == before[name]


@EACH_KIND
def test_no_graph_is_kept_though_weights_want_gradients(kind, made):
    model = copy.deepcopy(made.whole_model()).requires_grad_(True)

    ours = kind(model, made.tokenizer()).encode(*made.rows(), HiddenLayer(), pooled=True)

    assert not ours.hidden.requires_grad
    assert not ours.pooled.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("kind", "made", "near"), [(*KINDS[0], 0.2), (*KINDS[1], 0.1)], ids=["alt", "zh"]
)
def test_half_precision_stays_half(kind, made, near, dtype):
    tower = kind(copy.deepcopy(made.whole_model()).to(dtype), made.tokenizer())

    output = tower.encode(*made.rows(), HiddenLayer(2), pooled=True)

    assert output.hidden.dtype == output.pooled.dtype == tower.dtype == dtype
    assert torch.isfinite(output.hidden).all()
    whole = kind(made.whole_model(), made.tokenizer())
    exact = whole.encode(*made.rows(), HiddenLayer(2), pooled=True)
    torch.testing.assert_close(output.pooled.float(), exact.pooled, rtol=0, atol=near)


@EACH_KIND
def test_offload_changes_nothing(kind, made):
    for model, offload in product(made.MODELS.values(), (model_offload, sequential_offload)):
        whole, own = kind(model(), made.tokenizer()), copy.deepcopy(model())
        offload(own)
        tower = kind(own, made.tokenizer())

        # early stops must not leave the hooks in disorder
        for pooled in (True, False, True, False):
            ours, expected = (
                each.encode(*made.rows(), HiddenLayer(2), pooled=pooled) for each in (tower, whole)
            )
            assert torch.equal(ours.hidden, expected.hidden), (model, offload)
            assert not pooled or torch.equal(ours.pooled, expected.pooled), (model, offload)
        assert tower.device == torch.device("cpu")
