"""The key of a model's state: everything that changes results changes it, nothing else does."""

import copy

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from clipcond.towers import OpenAIClipTower
from clipcond.towers.base import capture, fingerprint_of
from clipcond.towers.fingerprint import execution_device
from tests.calls import n_calls
from tests.parity.models import fill, model_l, tokenizer


@pytest.fixture
def model():
    return fill(CLIPTextModel(copy.deepcopy(model_l().config)), 20240)


def some_linear(model):
    return getattr(model, "text_model", model).encoder.layers[1].mlp.fc1


def in_place(model):
    some_linear(model).weight.mul_(1.01)


def through_data(model):
    # as a LoRA is merged into weights: no version counter sees it
    some_linear(model).weight.data += 0.01


def other_parameter(model):
    old = some_linear(model).weight
    some_linear(model).weight = torch.nn.Parameter(old.clone(), requires_grad=False)


def loaded(model):
    model.load_state_dict(fill(CLIPTextModel(model.config), 7).state_dict())


def optimizer_step(model):
    weight = some_linear(model).weight.requires_grad_(True)
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], lr=0.1).step()


def more_tokens(model):
    model.resize_token_embeddings(49410)


def half(model):
    model.half()


def hooked(model):
    some_linear(model).register_forward_hook(lambda module, args, output: output * 2)


def patched_forward(model):
    some_linear(model).forward = lambda x: x.repeat(1, 1, 2)


def training(model):
    model.train()


CHANGES = [
    in_place, through_data, other_parameter, loaded, optimizer_step, more_tokens, half, hooked,
    patched_forward, training,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_the_key(model, change):
    before = fingerprint_of(model)

    change(model)

    assert fingerprint_of(model) != before


def test_use_does_not_change_the_key(model):
    before = fingerprint_of(model)

    model(torch.tensor([[49406, 320, 49407]]), output_hidden_states=True)
    model.to("cpu")

    assert fingerprint_of(model) == before
    assert isinstance(hash(before), int)


def test_a_tower_that_encodes_does_not_change_the_key(model):
    """Its hooks are on the model meanwhile, those of textual inversions too."""
    tower, keys = OpenAIClipTower(model, tokenizer()), []
    tower.inversions.add("foo", torch.ones(1, tower.width))
    before = fingerprint_of(model)
    ids = torch.tensor([[49406, *tower.inversions.ids("foo"), 49407]])
    with tower._known_ids(ids) as known, capture(tower._blocks()[-1]):
        keys.append(fingerprint_of(model))

    assert known.tolist() == [[49406, 0, 49407]]
    assert keys == [before]


def test_autocast_changes_the_key(model):
    before = fingerprint_of(model)
    with torch.autocast("cpu", torch.bfloat16):
        assert fingerprint_of(model) != before
    assert fingerprint_of(model) == before


def test_lora_layers_show_scale_activity_and_merging(model):
    """Stand-ins with the attributes of peft's layers; peft itself: tests marked so elsewhere."""
    linear = some_linear(model)
    keys = [fingerprint_of(model)]
    linear.scaling = {"style": 1.0}
    linear._active_adapter = ["style"]
    linear.merged_adapters = []
    linear._disable_adapters = False
    keys.append(fingerprint_of(model))
    linear.scaling["style"] = 0.5
    keys.append(fingerprint_of(model))
    linear._disable_adapters = True
    keys.append(fingerprint_of(model))
    linear.merged_adapters.append("style")
    keys.append(fingerprint_of(model))

    assert len(set(keys)) == len(keys)


# peft 0.21, of transformers 5.24
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_peft_adapters_change_the_key(model):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    keys = [fingerprint_of(model)]
    adapted = peft.get_peft_model(model, config)
    keys.append(fingerprint_of(adapted))
    with adapted.disable_adapter():
        keys.append(fingerprint_of(adapted))
    for module in adapted.modules():
        if isinstance(module, peft.tuners.lora.LoraLayer):
            module.set_scale("default", 0.5)
    keys.append(fingerprint_of(adapted))
    adapted.merge_adapter()
    keys.append(fingerprint_of(adapted))

    assert len(set(keys)) == len(keys)


def test_a_lora_that_replaces_another_of_the_same_name_changes_the_key(model):
    """Freed and taken anew, memory and version counters may well be the same."""
    linear = some_linear(model)
    linear.lora_A = torch.nn.Linear(32, 2, bias=False).requires_grad_(False)
    before = fingerprint_of(model)
    linear.lora_A.weight.data = torch.randn(2, 32)

    assert fingerprint_of(model) != before


def test_offloaded_weights_are_looked_up_where_they_rest(model):
    accelerate = pytest.importorskip("accelerate")
    stored = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    hook = accelerate.hooks.AlignDevicesHook(
        execution_device="cpu",
        offload=True,
        weights_map=accelerate.utils.PrefixedDataset(stored, "encoder.layers.1.mlp.fc1."),
    )
    stored = hook.weights_map.dataset
    prefix = "text_model." if hasattr(model, "text_model") else ""
    hook.weights_map.prefix = f"{prefix}encoder.layers.1.mlp.fc1."
    accelerate.hooks.add_hook_to_module(some_linear(model), hook)
    assert some_linear(model).weight.is_meta
    before = fingerprint_of(model)
    assert fingerprint_of(model) == before

    stored[f"{prefix}encoder.layers.1.mlp.fc1.weight"].data += 1

    assert fingerprint_of(model) != before


def test_execution_device_of_offloaded_models(model):
    assert execution_device(model) == torch.device("cpu")
    assert execution_device(torch.nn.Identity()) == torch.device("cpu")

    class Hook:
        execution_device = "meta"

    model._hf_hook = Hook()
    assert execution_device(model) == torch.device("meta")


def test_the_key_is_cheap():
    model = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=64, intermediate_size=64, num_hidden_layers=12, num_attention_heads=4
        )
    )  # as many tensors as CLIP-L; their size does not matter

    n_parameters = len(list(model.parameters()))
    first, second, again = (n_calls(lambda: fingerprint_of(model)) for _ in range(3))

    assert first < 30 * n_parameters
    assert second < 50 * n_parameters  # with a snapshot
    assert again < 8 * n_parameters  # every call of a conditioner makes a key
