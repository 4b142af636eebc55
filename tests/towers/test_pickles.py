"""What holds a model of transformers pickles, also after somebody asked it for hidden states."""

import copy
import pickle

import pytest
import torch

from clipcond import Conditioner, attach
from clipcond.reading import load_encoder
from clipcond.towers.capturing import Capturing
from tests.pipelines.models import tiny_sd

IDS = torch.tensor([[49406, 320, 2368, 49407]])


def again(kept):
    return pickle.loads(pickle.dumps(kept))


def hidden_of(model):
    with torch.no_grad():
        return model(IDS, output_hidden_states=True, output_attentions=False).hidden_states


@pytest.mark.parametrize("name", ["embedded", "embedded-zh"])
def test_an_encoder_and_its_conditioner(name):
    encoder = load_encoder(name)
    model, conditioner = encoder.tower.model, Conditioner(encoder.tower)
    ids = torch.tensor([[1, 2, 3, 4]])
    prompt = "a (red:1.3) cat"

    def hidden(model):
        model = getattr(model, "text_model", model)  # the one of transformers
        with torch.no_grad():
            return model(ids, output_hidden_states=True).hidden_states

    expected, embeds = hidden(model), conditioner(prompt).embeds
    if expected is None:  # transformers 5.0 captures in the whole model, and keeps no hooks
        pytest.skip("this transformers leaves no hooks behind")
    n_layers = len(expected)
    for twin in (again(conditioner), again(again(conditioner)), copy.deepcopy(conditioner)):
        assert torch.equal(twin(prompt).embeds, embeds)
        found = hidden(twin.towers[0].model)
        assert len(found) == n_layers
        assert all(map(torch.equal, found, expected))
    assert all(map(torch.equal, hidden(model), expected))
    assert torch.equal(again(encoder).encode_text("cat"), encoder.encode_text("cat"))


def test_a_pipeline():
    pipe = attach(tiny_sd())
    expected = hidden_of(pipe.text_encoder)
    twin = again(pipe)
    assert twin.text_encoder is twin.conditioner.towers[0].model
    assert all(map(torch.equal, hidden_of(twin.text_encoder), expected))
    hooks = [hook for part in pipe.text_encoder.modules() for hook in part._forward_hooks.values()]
    if not hooks:
        pytest.skip("this transformers leaves no hooks behind")
    assert all(isinstance(hook, Capturing) for hook in hooks)
