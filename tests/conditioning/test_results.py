"""What a conditioner gives is finite, pooled vectors included, or an error says why not."""

import copy
from itertools import product

import pytest
import torch

from clipcond import Conditioner
from clipcond.errors import TowerError
from clipcond.towers import OpenAIClipTower
from tests.parity.models import model_g, model_l, tokenizer


def test_pooled_values_that_are_no_numbers_are_refused():
    """As embeddings that are none: of towers, pairs of them and batches."""
    model = copy.deepcopy(model_g())
    tower = OpenAIClipTower(model, tokenizer(), "broken")
    for value, dtype in ((float("nan"), torch.float32), (float("inf"), torch.float16)):
        model.text_projection.weight.data.fill_(value)
        model.to(dtype)
        other = OpenAIClipTower(copy.deepcopy(model_l()).to(dtype), tokenizer())
        for towers, prompts in product(
            ((tower,), (other, tower)), ("a cat", ["a", "(b:1.2) " * 40])
        ):
            conditioner = Conditioner(*towers, pooled=True)
            for call in (conditioner, conditioner.guided):
                with pytest.raises(TowerError) as caught:
                    call(prompts)
                shown = "a cat" if prompts == "a cat" else "a"
                assert caught.value.message == (
                    f"'broken' itself gives NaN or infinite pooled values for the prompt {shown!r}"
                )
        assert torch.isfinite(Conditioner(tower, pooled=False)("a cat").embeds).all()


def test_equal_prompts_get_tensors_of_their_own():
    for choices in ({}, {"dialect": "comfyui"}, {"dialect": "compel"}, {"weighting": "none"}):
        conditioner = Conditioner(OpenAIClipTower(model_l(), tokenizer()), **choices)
        for prompts, negatives in (("a cat", "a cat"), ("", None), (["a", "a"], "a")):
            made = conditioner.guided(prompts, negatives)
            kept = made.negative.embeds.clone()
            made.positive.embeds.mul_(0)
            assert torch.equal(made.negative.embeds, kept)
            assert torch.equal(conditioner.guided(prompts, negatives).positive.embeds, kept)
