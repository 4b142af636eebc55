"""OpenAIClipTower leaves a model as it is, runs no more of it than it must, and shares it."""

import threading

import pytest
import torch

from clipcond.errors import TowerError
from clipcond.towers import HiddenLayer, OpenAIClipTower
from tests.parity.models import tokenizer, tower_g, tower_l
from tests.towers.clip import rows


def count_layers(model):
    """How often each layer runs: a list that hooks fill."""
    encoder = getattr(model, "text_model", model).encoder
    runs = [0] * len(encoder.layers)

    def hook(i):
        def count(*_):
            runs[i] += 1

        return count

    handles = [layer.register_forward_hook(hook(i)) for i, layer in enumerate(encoder.layers)]
    return runs, handles


def test_layers_above_the_requested_one_do_not_run():
    tower = tower_l()
    runs, handles = count_layers(tower.model)
    try:
        tower.encode(rows(), None, HiddenLayer(3, True))
    finally:
        [handle.remove() for handle in handles]

    assert runs == [1, 1, 0, 0]


def test_with_the_pooled_output_everything_runs_once():
    tower = tower_g()
    runs, handles = count_layers(tower.model)
    try:
        tower.encode(rows(), None, HiddenLayer(2, False), pooled=True)
    finally:
        [handle.remove() for handle in handles]

    assert runs == [1, 1, 1, 1]


def test_the_model_is_untouched_afterwards(own_model):
    tower = OpenAIClipTower(own_model, tokenizer())
    before = {name: vars(m).copy() for name, m in tower.model.named_modules()}

    tower.encode(rows(), None, HiddenLayer(2, True))
    with pytest.raises(TowerError):
        tower.encode(torch.full((1, 77), 49408), None, HiddenLayer(2, True))

    for name, module in tower.model.named_modules():
        assert vars(module) == before[name]
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_hooks_are_gone_after_an_exception_inside_the_model(own_model):
    tower = OpenAIClipTower(own_model, tokenizer())

    def fails(*_):
        raise RuntimeError("out of memory")

    handle = own_model.get_input_embeddings().register_forward_pre_hook(fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        tower.encode(rows(), None, HiddenLayer(2, True))
    handle.remove()

    assert not any(m._forward_hooks or m._forward_pre_hooks for m in own_model.modules())


def test_another_thread_may_use_the_model_meanwhile(own_model):
    tower = OpenAIClipTower(own_model, tokenizer())
    layers = getattr(own_model, "text_model", own_model).encoder.layers
    ids, results = rows(), {}
    expected = own_model(ids).last_hidden_state

    def whole_model():
        results["elsewhere"] = own_model(ids).last_hidden_state

    def while_we_encode(*_):
        if threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=whole_model)
            other.start()
            other.join()

    handle = layers[0].register_forward_pre_hook(while_we_encode)
    early = tower.encode(ids, None, HiddenLayer(2, True)).hidden
    handle.remove()

    assert torch.equal(results["elsewhere"], expected)
    assert torch.equal(early, tower.encode(ids, None, HiddenLayer(2, True)).hidden)


def test_config_flags_that_change_hidden_states_do_not_reach_us(own_model):
    expected = OpenAIClipTower(own_model, tokenizer()).encode(rows(), None, HiddenLayer(1, False))
    own_model.config.tie_last_hidden_states = True  # hidden_states[-1] then comes normed
    own_model.config.output_hidden_states = True
    own_model.config.return_dict = False

    ours = OpenAIClipTower(own_model, tokenizer()).encode(rows(), None, HiddenLayer(1, False))

    assert torch.equal(ours.hidden, expected.hidden)


def test_no_graph_is_kept_though_weights_want_gradients(own_model):
    own_model.requires_grad_(True)
    output = OpenAIClipTower(own_model, tokenizer()).encode(
        rows(), None, HiddenLayer(1, True), pooled=True
    )

    assert not output.hidden.requires_grad
    assert not output.pooled.requires_grad
    assert torch.is_grad_enabled()
