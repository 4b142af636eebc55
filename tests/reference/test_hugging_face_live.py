"""OpenClipTower around the text models of Hugging Face that open_clip has."""

import pytest
import torch
from transformers import AutoConfig

from clipcond import Conditioner
from clipcond.errors import TowerError
from clipcond.towers import HiddenLayer, OpenClipTower
from tests.checkpoints import open_clip_recipe as recipe
from tests.reference.live import WordTokenizer, open_clip
from tests.towers.golden_layers import CLOSE


def hf_text(name):
    kind, pooler, projection, seed = recipe.HF[name]
    config = AutoConfig.for_model(kind, **recipe.HF_CONFIG)
    text = open_clip.hf_model.HFTextEncoder("", recipe.HF_EMBED, config, pooler, projection).eval()
    drawn = recipe.draw({n: tuple(p.shape) for n, p in text.named_parameters()}, seed)
    text.load_state_dict(drawn, strict=False)
    return text.requires_grad_(False)


@pytest.mark.parametrize("name", recipe.HF)
def test_text_models_of_hugging_face(name):
    text = hf_text(name)
    tower = OpenClipTower(text, WordTokenizer())
    ids = recipe.hf_ids()
    theirs = text.transformer(
        input_ids=ids, attention_mask=(ids != 1).long(), output_hidden_states=True
    ).hidden_states
    mask = (ids != 1).long()

    assert (tower.width, tower.depth) == (32, 3)
    assert (tower.special.bos, tower.special.eos, tower.special.pad) == (0, 2, 1)
    assert (tower.special.context_length, tower.special.mask_padding) == (20, True)
    assert tower.tokenizer.encode("A,b") == [6, 4, 7]
    for depth in (1, 2, 3):
        for normed in (True, False):  # there is no final norm
            ours = tower.encode(ids, mask, HiddenLayer(depth, normed), pooled=True)
            assert torch.equal(ours.hidden, theirs[-depth])
            assert (ours.pooled - text(ids)).abs().max() <= CLOSE


def test_conditioner_over_a_text_model_of_hugging_face():
    tower = OpenClipTower(hf_text("xlm-roberta-mlp"), WordTokenizer())
    for clip_skip in (1, 2):
        conditioner = Conditioner(tower, clip_skip=clip_skip)

        guided = conditioner.guided("abc " * 50, "(blur:1.2)")

        assert guided.positive.embeds.shape == guided.negative.embeds.shape
        assert guided.positive.embeds.shape[1] >= 200
        assert torch.isfinite(guided.positive.embeds).all()
        plain, heavy = conditioner("cat").embeds, conditioner("(cat:1.3)").embeds
        assert (plain - heavy).abs().max() > 0.01


def test_a_text_model_of_hugging_face_must_be_in_eval_mode():
    tower = OpenClipTower(hf_text("roberta-linear").train(), WordTokenizer())

    with pytest.raises(TowerError) as caught:
        tower.encode(recipe.hf_ids(), None, HiddenLayer(1))
    assert str(caught.value) == "the model is in training mode: call model.eval() first"


def test_what_a_mask_hides_is_not_seen_by_a_text_model_of_hugging_face():
    tower = OpenClipTower(hf_text("xlm-roberta-mlp"), WordTokenizer())
    ids = recipe.hf_ids()[:1]
    mask, changed = torch.ones_like(ids), ids.clone()
    mask[:, 3], changed[:, 3] = 0, 9
    others = [i for i in range(20) if i != 3]

    a, b = (tower.encode(i, mask, HiddenLayer(1)).hidden[:, others] for i in (ids, changed))

    assert torch.equal(a, b)
    assert not torch.equal(a, tower.encode(ids, None, HiddenLayer(1)).hidden[:, others])
