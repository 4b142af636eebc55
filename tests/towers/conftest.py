"""What several tests of towers need: a model to spoil."""

import copy

import pytest
from transformers import CLIPTextModel

from tests.parity.models import fill, model_l


@pytest.fixture
def own_model():
    """An L to spoil."""
    return fill(CLIPTextModel(copy.deepcopy(model_l().config)), 20240)
