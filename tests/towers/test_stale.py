"""Changes that no version counter counts, and changes of modules rather than weights."""

import copy
import threading
import types
import warnings

import numpy
import pytest
import torch
from torch import nn
from transformers import CLIPTextModel

from clipcond import Conditioner
from clipcond.towers import OpenAIClipTower, fingerprint
from clipcond.towers.base import fingerprint_of
from tests.parity.models import fill, model_l, tokenizer


def made():
    return fill(CLIPTextModel(copy.deepcopy(model_l().config)), 20240)


def layers(model):
    return getattr(model, "text_model", model).encoder.layers


def norm(model):
    return layers(model)[1].layer_norm1


def fused_step(model):
    weights = [norm(model).weight.requires_grad_(True), layers(model)[0].mlp.fc1.weight]
    for weight in weights:
        weight.requires_grad_(True).grad = torch.ones_like(weight)
    torch.optim.AdamW(weights, lr=0.1, fused=True).step()
    model.requires_grad_(False)


def biases_from_a_vector(model):
    biases = [layer.mlp.fc1.bias for layer in layers(model)]
    vector = nn.utils.parameters_to_vector(biases)
    nn.utils.vector_to_parameters(vector + 0.1, biases)


def made_in_inference_mode(model):
    with torch.inference_mode():
        norm(model).weight = nn.Parameter(torch.randn(32), requires_grad=False)


def changed_in_inference_mode(model):
    made_in_inference_mode(model)
    first = fingerprint_of(model)
    with torch.inference_mode():
        norm(model).weight.mul_(2)
    assert fingerprint_of(model) != first


def other_class(model):
    mlp = layers(model)[0].mlp
    mlp.__class__ = type("Doubled", (type(mlp),), {"forward": lambda s, x: x * 2})


def other_forward_of_the_class(model):
    mlp = layers(model)[0].mlp
    mlp.__class__ = type("Own", (type(mlp),), {"forward": type(mlp).forward})
    first = fingerprint_of(model)
    type(mlp).forward = lambda self, x: x * 2
    assert fingerprint_of(model) != first


def swapped(model):
    attention = layers(model)[0].self_attn
    attention.q_proj, attention.k_proj = attention.k_proj, attention.q_proj


def tensor_in_a_list(model):
    model.shifts = [torch.zeros(3)]
    first = fingerprint_of(model)
    model.shifts[0].data[1] = 1.0
    assert fingerprint_of(model) != first


def one_block_twice(model):
    layers(model)[1] = layers(model)[2]
    first = fingerprint_of(model)
    layers(model)[1] = layers(model)[0]
    assert fingerprint_of(model) != first


def set_at(*path):
    *parents, name, value = path

    def change(model):
        target = layers(model)[0]
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, name, value)

    return change


CHANGES = {
    "norm.weight.data": lambda m: norm(m).weight.data.mul_(1.5),
    "norm.weight.data, one value": lambda m: norm(m).weight.data[7:8].add_(1e-6),
    "norm.bias through numpy": lambda m: norm(m).bias.detach().numpy().__setitem__(3, 5.0),
    "fc1.bias.data replaced": lambda m: setattr(
        layers(m)[3].mlp.fc1.bias, "data", torch.ones_like(layers(m)[3].mlp.fc1.bias)
    ),
    "two values of a bias exchanged": lambda m: norm(m).bias.data.copy_(norm(m).bias.flip(0)),
    "position embeddings through data": lambda m: (
        getattr(m, "text_model", m).embeddings.position_embedding.weight.data[5, 3:4].add_(1.0)
    ),
    "a position id": lambda m: getattr(m, "text_model", m).embeddings.position_ids.data[0].sub_(1),
    "fused optimizer": fused_step,
    "vector_to_parameters": biases_from_a_vector,
    "made in inference mode": made_in_inference_mode,
    "changed in inference mode": changed_in_inference_mode,
    "eps": set_at("layer_norm1", "eps", 0.5),
    "scale": set_at("self_attn", "scale", 0.9),
    "dropout": set_at("self_attn", "dropout", 0.1),
    "activation module": set_at("mlp", "activation_fn", nn.ReLU()),
    "activation function": set_at("mlp", "act", torch.tanh),
    "private setting": set_at("mlp", "_disable_adapters", True),
    "setting in a namespace": set_at("mlp", "options", types.SimpleNamespace(scale=2)),
    "an array for a number": set_at("self_attn", "scale", numpy.ones(2)),
    "a setting for an attribute of torch's": lambda m: vars(layers(m)[0].mlp).update(
        factor=vars(layers(m)[0].mlp).pop("_is_full_backward_hook")
    ),
    "one module in train mode": lambda m: layers(m)[2].train(),
    "config": lambda m: setattr(m.config, "hidden_act", "gelu"),
    "class": other_class,
    "forward of the class": other_forward_of_the_class,
    "modules exchanged": swapped,
    "a module fewer": lambda m: layers(m).__delitem__(-1),
    "tensor in a list": tensor_in_a_list,
    "one block twice": one_block_twice,
}


def test_every_change_changes_the_key():
    missed = []
    for name, change in CHANGES.items():
        model = made()
        before = fingerprint_of(model)
        change(model)
        if fingerprint_of(model) == before:
            missed.append(name)

    assert not missed


def test_the_key_is_the_same_where_nothing_changed():
    model = made()
    model.shifts = [torch.zeros(3), nn.Linear(2, 2)]
    model.options = types.SimpleNamespace(scale=2, of=model.config)

    assert fingerprint_of(model) == fingerprint_of(model)
    assert fingerprint_of(model) != fingerprint_of(copy.deepcopy(model))


def test_a_setting_inside_an_object_counts():
    model = made()
    model.options = types.SimpleNamespace(scales={"a": [1.0, 2.0]})
    before = fingerprint_of(model)

    model.options.scales["a"][1] = 3.0

    assert fingerprint_of(model) != before


def test_a_hook_on_all_modules_counts():
    model = made()
    before = fingerprint_of(model)
    handle = nn.modules.module.register_module_forward_hook(lambda *call: None)
    try:
        assert fingerprint_of(model) != before
    finally:
        handle.remove()
    assert fingerprint_of(model) == before


def test_tuned_layer_norms_that_are_switched_off_count():
    """A stand-in for peft's LNTuningLayer, which has no scale: its switch alone tells."""
    model = made()
    wrapped = nn.Module()
    wrapped.base_layer = norm(model)
    wrapped.ln_tuning_layers = nn.ModuleDict({"default": copy.deepcopy(norm(model))})
    wrapped._disable_adapters, wrapped._active_adapter = False, ["default"]
    layers(model)[1].layer_norm1 = wrapped
    keys = [fingerprint_of(model)]
    wrapped._disable_adapters = True
    keys.append(fingerprint_of(model))
    wrapped._active_adapter = []
    keys.append(fingerprint_of(model))
    wrapped.ln_tuning_layers["default"].bias.data += 1
    keys.append(fingerprint_of(model))

    assert len(set(keys)) == len(keys)


def test_layer_norms_tuned_by_peft_change_the_key():
    peft = pytest.importorskip("peft")
    layer_class = pytest.importorskip("peft.tuners.ln_tuning.layer").LNTuningLayer
    model = made()
    keys = [fingerprint_of(model)]
    config = peft.LNTuningConfig(target_modules=["layer_norm1", "final_layer_norm"])
    with warnings.catch_warnings():  # peft's own, that it does not know layer norms
        warnings.simplefilter("ignore")
        adapted = peft.get_peft_model(model, config)
    for module in adapted.modules():
        if isinstance(module, layer_class):
            module.ln_tuning_layers["default"].bias.data += 0.5
    keys.append(fingerprint_of(adapted))
    with adapted.disable_adapter():
        keys.append(fingerprint_of(adapted))
    tuned = [m for m in adapted.modules() if isinstance(m, layer_class)]
    tuned[0].ln_tuning_layers["default"].weight.data[0] += 1
    keys.append(fingerprint_of(adapted))
    adapted.merge_adapter()
    keys.append(fingerprint_of(adapted))

    assert len(set(keys)) == len(keys)
    assert len(tuned) > 1


def encoded(model, prompt="a cat"):
    return Conditioner(OpenAIClipTower(model, tokenizer()))(prompt).embeds


def test_a_weight_at_the_address_of_another_is_another():
    model = made()
    conditioner = Conditioner(OpenAIClipTower(model, tokenizer()))
    stale = []
    for i in range(30):
        norm(model).weight = nn.Parameter(torch.randn(32), requires_grad=False)
        layers(model)[0].mlp.fc1.weight = nn.Parameter(torch.zeros(64, 32), requires_grad=False)
        layers(model)[0].mlp.fc1.weight.data[5, 5] = i
        if not torch.equal(conditioner("a cat").embeds, encoded(model)):
            stale.append(i)

    assert not stale


def test_a_matrix_at_the_address_of_another_is_another():
    """Their samples are equal: only which object it is tells."""
    linear, keys = nn.Linear(300, 300, bias=False), set()
    for _ in range(60):
        linear.weight = nn.Parameter(torch.zeros(300, 300))
        linear.weight.data[1, 1] = len(keys)
        keys.add(fingerprint_of(linear))

    assert len(keys) == 60


@pytest.mark.parametrize("word", ["cat", "a"])
def test_a_row_of_the_table_that_a_prompt_uses(word):
    """As textual inversion is trained: through `.data`, one row of a table that is sampled."""
    model = made()
    conditioner = Conditioner(OpenAIClipTower(model, tokenizer()))
    conditioner("a cat"), conditioner("big dogs")
    n_known = len(conditioner.cache)
    token = tokenizer()(word, add_special_tokens=False)["input_ids"][0]

    model.get_input_embeddings().weight.data[token, 3] += 1.0

    assert torch.equal(conditioner("a cat").embeds, encoded(model))
    assert len(conditioner.cache) == n_known + 1
    conditioner("big dogs")
    assert len(conditioner.cache) == n_known + 1  # it uses other rows


def test_a_key_is_made_while_another_thread_adds_hooks(monkeypatch):
    model, stop, passive = made(), threading.Event(), []
    monkeypatch.setattr(fingerprint, "_is_passive", lambda hook: passive.append(1) or True)

    def add_hooks():
        while not stop.is_set():
            handles = [norm(model).register_forward_hook(lambda *call: None) for _ in range(50)]
            [handle.remove() for handle in handles]

    thread = threading.Thread(target=add_hooks)
    thread.start()
    try:
        keys = {fingerprint_of(model) for _ in range(200)}
    finally:
        stop.set()
        thread.join()

    assert len(keys) == 1
    assert passive
