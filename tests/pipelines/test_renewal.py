"""`pipe.conditioner` is that of the text encoder and tokenizer that the pipeline has now."""

import copy

import pytest
import torch

from clipcond import Conditioner, attach, detach
from tests.parity.models import tower_l
from tests.pipelines import zoo
from tests.pipelines.models import tiny_sd, tiny_sdxl


def test_the_conditioner_is_that_of_the_text_encoder_of_now(pipe):
    first = attach(pipe).conditioner
    first.load_inversion(torch.ones(1, 32), "foos")
    assert pipe.conditioner is first
    encoder, failures = pipe.text_encoder, []
    changes = {
        "text_encoder": copy.deepcopy(encoder),
        "tokenizer": copy.deepcopy(pipe.tokenizer),
    }
    for name, part in changes.items():
        before = pipe.conditioner
        setattr(pipe, name, part)
        if pipe.conditioner is before or pipe.conditioner is not pipe.conditioner:
            failures.append(name)
    pipe.register_modules(text_encoder=encoder)
    made = pipe.conditioner

    assert not failures
    assert made.towers[0].model is encoder
    assert made.inversions == ("foos",)
    pipe.text_encoder = None
    assert pipe.conditioner is made
    pipe.text_encoder = copy.deepcopy(encoder)
    mine = pipe.conditioner = Conditioner(tower_l())
    pipe.text_encoder = encoder
    assert pipe.conditioner is mine
    del pipe.conditioner
    assert pipe.conditioner.towers[0].model is encoder
    assert not hasattr(detach(pipe), "conditioner")


def test_conditioners_of_pairs_and_of_pipelines_without_encoders():
    xl, unclip, none = attach(tiny_sdxl()), attach(zoo.make("StableUnCLIPPipeline")), tiny_sd()
    before = xl.conditioner, unclip.prior_conditioner, unclip.conditioner
    xl.text_encoder_2 = copy.deepcopy(xl.text_encoder_2)
    unclip.prior_text_encoder = copy.deepcopy(unclip.prior_text_encoder)
    encoder, none.text_encoder = none.text_encoder, None
    attach(none)

    assert xl.conditioner.towers[1].model is xl.text_encoder_2
    assert xl.conditioner is not before[0]
    assert unclip.prior_conditioner.towers[0].model is unclip.prior_text_encoder
    assert unclip.prior_conditioner is not before[1]
    assert unclip.conditioner is before[2]
    assert not hasattr(none, "conditioner")
    none.text_encoder = encoder
    assert none.conditioner.towers[0].model is encoder


def with_own_tokenizer(make):
    """A pipeline whose tokenizer no other test has."""
    pipe = make()
    pipe.tokenizer = copy.deepcopy(pipe.tokenizer)
    return pipe


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (tiny_sd, "pad_token", "<|startoftext|>"),
        (tiny_sdxl, "pad_token", "<|startoftext|>"),
        (tiny_sd, "model_max_length", 30),
    ],
)
def test_settings_of_tokenizers_that_are_changed_in_place_count(make, name, value):
    pipe = attach(with_own_tokenizer(make))
    first, before = pipe.conditioner, pipe.conditioner("a cat").embeds
    if make is tiny_sd:
        first.load_inversion(torch.ones(1, 32), "foos")
    setattr(pipe.tokenizer, name, value)

    changed = pipe.conditioner("a cat").embeds
    fresh = with_own_tokenizer(make)
    setattr(fresh.tokenizer, name, value)
    assert changed.shape != before.shape or not torch.equal(changed, before)
    assert torch.equal(changed, attach(fresh).conditioner("a cat").embeds)
    assert pipe.conditioner is pipe.conditioner is not first
    assert pipe.conditioner.inversions == first.inversions
