"""Towers under accelerate's offload hooks and under torch.compile."""

import copy
from itertools import product

import accelerate
import pytest
import torch

from clipcond import Conditioner, HiddenLayer
from clipcond.towers import OpenAIClipTower
from tests.parity.models import model_g, model_l, tokenizer, tower_g, tower_l
from tests.towers.test_openai_clip import rows

LAYERS = [HiddenLayer(1, True), HiddenLayer(2, True), HiddenLayer(3, False)]


def model_offload(model):
    """As enable_model_cpu_offload: the whole model comes at its forward, and goes later."""
    accelerate.cpu_offload_with_hook(model, execution_device="cpu")


def sequential_offload(model):
    """As enable_sequential_cpu_offload: every weight is on meta between two forwards."""
    stored = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, module in model.named_modules():
        if list(module.parameters(recurse=False)):
            accelerate.hooks.add_hook_to_module(
                module,
                accelerate.hooks.AlignDevicesHook(
                    execution_device="cpu",
                    offload=True,
                    weights_map=accelerate.utils.PrefixedDataset(stored, f"{name}."),
                ),
            )


@pytest.mark.parametrize("offload", [model_offload, sequential_offload])
@pytest.mark.parametrize("which", ["L", "G"])
def test_offload_changes_nothing(offload, which):
    whole = tower_l() if which == "L" else tower_g()
    model = copy.deepcopy(model_l() if which == "L" else model_g())
    offload(model)
    tower = OpenAIClipTower(model, tokenizer("!" if which == "G" else "<|endoftext|>"))
    failures = []
    for layer, pooled in product(LAYERS, (True, False)):
        expected = whole.encode(rows(), None, layer, pooled=pooled)

        for _ in range(2):  # an early stop must not leave the hooks in disorder
            ours = tower.encode(rows(), None, layer, pooled=pooled)
            is_pooled_equal = not pooled or torch.equal(ours.pooled, expected.pooled)
            if not is_pooled_equal or not torch.equal(ours.hidden, expected.hidden):
                failures.append((layer, pooled))

    assert not failures
    assert tower.device == torch.device("cpu")
    assert tower.dtype == torch.float32
    if offload is sequential_offload:
        assert all(p.is_meta for p in model.parameters())


@pytest.mark.parametrize("offload", [model_offload, sequential_offload])
def test_a_conditioner_remembers_across_offloading(offload):
    model = copy.deepcopy(model_l())
    offload(model)
    conditioner = Conditioner(OpenAIClipTower(model, tokenizer()), clip_skip=2)
    runs = []
    model.register_forward_pre_hook(lambda *_: runs.append(1))

    first = conditioner("a (red:1.3) cat").embeds
    second = conditioner("a (red:1.3) cat").embeds

    assert len(runs) == 1
    assert torch.equal(first, second)
    assert torch.equal(first, Conditioner(tower_l(), clip_skip=2)("a (red:1.3) cat").embeds)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_compiled_model_is_read_like_its_original(layer):
    compiled = torch.compile(copy.deepcopy(model_l()), backend="eager")
    tower = OpenAIClipTower(compiled, tokenizer())

    ours = tower.encode(rows(), None, layer)

    assert torch.equal(ours.hidden, tower_l().encode(rows(), None, layer).hidden)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_model_compiled_in_place(layer):
    model = copy.deepcopy(model_l())
    model.compile(backend="eager")
    tower = OpenAIClipTower(model, tokenizer())

    ours = tower.encode(rows(), None, layer)

    assert torch.equal(ours.hidden, tower_l().encode(rows(), None, layer).hidden)
