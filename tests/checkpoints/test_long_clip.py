"""LongCLIP: CLIP with 248 positions, which is only a longer context."""

from functools import lru_cache

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from clipcond import Conditioner, HiddenLayer, load_tower
from clipcond.errors import TowerError
from clipcond.towers import OpenAIClipTower
from tests.parity.models import fill, model_l, tokenizer

L = 248
LONG = "a red cat, a blue dog, " * 40  # 320 tokens
CHOICES = {"padding": "max_length", "max_length": L, "return_tensors": "pt"}


@lru_cache(maxsize=2)
def model_long(kind: type = CLIPTextModel) -> torch.nn.Module:
    """L with 248 positions. Shared: do not change it."""
    config = {**model_l().config.to_dict(), "max_position_embeddings": L, "projection_dim": 24}
    return fill(kind(CLIPTextConfig.from_dict(config)), 248)


def tower_long(kind: type = CLIPTextModel, **choices) -> OpenAIClipTower:
    return OpenAIClipTower(model_long(kind), tokenizer(), name="long", **choices)


def final_norm(model):
    return getattr(model, "text_model", model).final_layer_norm


@pytest.mark.parametrize("kind", [CLIPTextModel, CLIPTextModelWithProjection])
@pytest.mark.parametrize("text", ["a cat", "a red cat, " * 60, ""])
def test_every_layer_is_that_of_transformers(kind, text):
    model, tower = model_long(kind), tower_long(kind)
    ids = tokenizer()(text, **CHOICES).input_ids
    theirs = model(ids, output_hidden_states=True)

    for depth in (1, 2, 3, 4):
        for normed in (True, False):
            expected = theirs.hidden_states[-depth]
            expected = final_norm(model)(expected) if normed else expected
            ours = tower.encode(ids, None, HiddenLayer(depth, normed), pooled=True)
            assert torch.equal(ours.hidden, expected)
            name = "text_embeds" if "text_embeds" in theirs else "pooler_output"
            assert torch.equal(ours.pooled, theirs[name])


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_chunks_are_248_long_and_conditioned_as_transformers_does(clip_skip):
    conditioner = Conditioner(tower_long(), clip_skip=clip_skip)

    short, long = conditioner("a cat"), conditioner(LONG)

    ids = tokenizer()("a cat", **CHOICES).input_ids
    states = model_long()(ids, output_hidden_states=True).hidden_states[-clip_skip]
    assert torch.equal(short.embeds, final_norm(model_long())(states))
    assert [c.content for c in conditioner.chunks(LONG)] == [244, 76]  # cut behind a comma
    assert long.embeds.shape == (1, 2 * L, 32)
    assert Conditioner(tower_long())("x " * 246).embeds.shape == (1, L, 32)
    assert Conditioner(tower_long())("x " * 247).embeds.shape == (1, 2 * L, 32)


@pytest.mark.parametrize("stated", [77, 248, 10**30])
def test_what_the_tokenizer_states_does_not_matter(stated):
    """Published LongCLIP tokenizers say 248, or the 77 they were copied with, or nothing."""
    own = type(tokenizer()).from_pretrained(tokenizer().name_or_path, model_max_length=stated)

    assert OpenAIClipTower(model_long(), own).special.context_length == L


def test_a_limit_that_means_something_is_kept():
    own = type(tokenizer()).from_pretrained(tokenizer().name_or_path, model_max_length=120)

    assert OpenAIClipTower(model_long(), own).special.context_length == 120
    assert OpenAIClipTower(model_l(), own).special.context_length == 77
    assert tower_long(context_length=154).special.context_length == 154
    with pytest.raises(TowerError) as caught:
        tower_long(context_length=249)
    assert str(caught.value) == (
        "context_length=249 does not fit 'long', which has 248 positions; use a whole number "
        "from 3 to 248"
    )


@pytest.mark.parametrize("kind", [CLIPTextModel, CLIPTextModelWithProjection])
@pytest.mark.parametrize("layout", ["transformers", "diffusers"])
def test_folders(tmp_path, kind, layout):
    is_pipeline = layout == "diffusers"
    model_long(kind).save_pretrained(tmp_path / "text_encoder" if is_pipeline else tmp_path)
    tokenizer().save_pretrained(tmp_path / "tokenizer" if is_pipeline else tmp_path)

    tower = load_tower(tmp_path)

    assert tower.special.context_length == L
    ids = tokenizer()(LONG, truncation=True, **CHOICES).input_ids
    ours = tower.encode(ids, None, HiddenLayer(1), pooled=True)
    expected = tower_long(kind).encode(ids, None, HiddenLayer(1), pooled=True)
    assert torch.equal(ours.hidden, expected.hidden)
    assert torch.equal(ours.pooled, expected.pooled)
