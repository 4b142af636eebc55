"""Models of open_clip's classes that are no text transformer of its own."""

import pytest
import torch

from clipcond.errors import TowerError
from clipcond.towers import HiddenLayer, OpenClipTower
from tests.checkpoints.open_clip_recipe import HF, hf_ids
from tests.checkpoints.stand_ins import Frames, TextEncoder
from tests.towers.golden_layers import CLOSE, differences, golden


def test_other_models_are_no_open_clip_models():
    with pytest.raises(TowerError) as caught:
        OpenClipTower(torch.nn.Linear(2, 2))
    assert str(caught.value) == (
        "Linear has no text transformer that can be run block by block\n"
        "Give an open_clip model (not a TorchScript one), its `.text`, or its state dict to "
        "open_state_dict."
    )


@pytest.mark.parametrize("name", HF)
def test_text_models_of_hugging_face_are_those_of_open_clip(name):
    ours = OpenClipTower(TextEncoder(name), Frames([0, 2], 1))

    assert ours.special.mask_padding
    found = differences(ours, hf_ids(), golden("open_clip"), name)
    assert len(found) == 4  # there is no final norm
    assert all(difference <= CLOSE for difference in found.values()), found
    runs = []
    for i, layer in enumerate(ours.model.transformer.encoder.layer):
        layer.register_forward_hook(lambda *_, i=i: runs.append(i))
    normed = ours.encode(hf_ids(), None, HiddenLayer(3, True)).hidden
    assert runs == [0]
    assert torch.equal(normed, ours.encode(hf_ids(), None, HiddenLayer(3, False)).hidden)


def test_of_hugging_face_only_those_with_an_encoder_layer():
    model = TextEncoder("roberta-linear")
    model.transformer.encoder = torch.nn.Identity()

    with pytest.raises(TowerError) as caught:
        OpenClipTower(model, Frames([0, 2], 1))
    assert str(caught.value) == (
        "open_clip's text model is a RobertaModel, whose blocks are not in encoder.layer; "
        "roberta, xlm-roberta and bert can be used"
    )
