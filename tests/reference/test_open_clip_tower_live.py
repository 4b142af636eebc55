"""What a tower around a model of open_clip's own does beside giving its numbers."""

import pytest
import torch

from clipcond import Conditioner
from clipcond.checkpoints.single_file import open_state_dict
from clipcond.errors import ClipcondWarning, TowerError
from clipcond.tokenizers.open_clip import shipped
from clipcond.towers import HiddenLayer, OpenClipTower
from tests.checkpoints import open_clip_recipe as recipe
from tests.reference.live import (
    MODELS,
    PLAIN,
    WordTokenizer,
    build,
    ids_for,
    open_clip,
    text_of,
    their_layers,
)
from tests.towers.golden_layers import CLOSE, facts


@pytest.mark.parametrize("name", ["flat", "no-causal-mask", "class-token", "positions-first",
                                  "other-blocks"])  # fmt: skip
def test_what_a_mask_hides_is_not_seen(name):
    tower = OpenClipTower(MODELS[name]())
    ids = ids_for(tower)[:2]
    mask, changed = torch.ones_like(ids), ids.clone()
    mask[:, 3], changed[:, 3] = 0, 9
    others = [i for i in range(ids.shape[1]) if i != 3]

    a, b = (tower.encode(i, mask, HiddenLayer(1)).hidden[:, others] for i in (ids, changed))

    assert torch.equal(a, b)
    assert torch.isfinite(a).all()
    assert not torch.equal(a, tower.encode(ids, None, HiddenLayer(1)).hidden[:, others])


@pytest.mark.parametrize("custom", [False, True])
def test_a_masked_forward_is_that_of_transformers(custom):
    model = build(PLAIN, custom=custom)
    live = OpenClipTower(model)
    mapped = open_state_dict(model.state_dict(), name="x", activation="gelu")
    ids = ids_for(live)
    mask = torch.ones_like(ids)
    mask[:, 2:5] = 0

    ours, theirs = (t.encode(ids, mask, HiddenLayer(2)).hidden for t in (live, mapped))

    assert (ours - theirs).abs().max() <= CLOSE


@pytest.mark.parametrize("name", ["flat", "custom-text", "class-token"])
def test_blocks_above_the_requested_one_do_not_run(name):
    tower = OpenClipTower(MODELS[name]())
    runs = []
    for i, block in enumerate(text_of(tower.model).transformer.resblocks):
        block.register_forward_hook(lambda *_, i=i: runs.append(i))

    tower.encode(ids_for(tower), None, HiddenLayer(3))
    assert runs == [0]
    tower.encode(ids_for(tower), None, HiddenLayer(2), pooled=True)
    assert runs == [0, 0, 1, 2]


def test_the_model_is_untouched_afterwards():
    tower = OpenClipTower(MODELS["custom-text"]())
    ids = ids_for(tower)
    mask = torch.ones_like(ids)
    mask[:, 3] = 0
    before = {name: vars(m).copy() for name, m in tower.model.named_modules()}

    tower.encode(ids, mask, HiddenLayer(2))
    with pytest.raises(TowerError):
        tower.encode(ids[:, :20], mask, HiddenLayer(2))

    for name, module in tower.model.named_modules():
        assert vars(module) == before[name]
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


@pytest.mark.parametrize("clip_skip", [1, 2])
@pytest.mark.parametrize("name", ["flat", "custom-text", "no-causal-mask", "class-token", "last"])
def test_conditioner_with_weights_and_a_200_token_prompt(name, clip_skip):
    tower = OpenClipTower(MODELS[name]())
    conditioner = Conditioner(tower, clip_skip=clip_skip, dialect="plain")

    guided = conditioner.guided(recipe.LONG, recipe.POSITIVE)

    assert guided.positive.embeds.shape[1] == 3 * tower.special.context_length
    assert guided.negative.embeds.shape == guided.positive.embeds.shape
    rows = torch.tensor([chunk.input_ids for chunk in conditioner.chunks(recipe.LONG)])
    hidden = text_of(tower.model).ln_final(their_layers(tower.model, rows)[clip_skip - 1])
    assert (guided.positive.embeds[0] - hidden.flatten(0, 1)).abs().max() <= CLOSE

    weighing = Conditioner(tower, clip_skip=clip_skip)
    plain, heavy = weighing("a cat").embeds, weighing("a (cat:1.3)").embeds
    assert (plain - heavy).abs().max() > 0.01


def test_half_precision_with_float32_norms():
    model = MODELS["flat"]()
    open_clip.model.convert_weights_to_lp(model, torch.float16)
    tower = OpenClipTower(model)

    assert model.ln_final.weight.dtype == torch.float32
    assert tower.dtype == torch.float16


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_torchscript_model_is_refused():
    scripted = torch.jit.script(MODELS["flat"]())

    with pytest.raises(TowerError, match="no text transformer that can be run block by block"):
        OpenClipTower(scripted)


def test_only_full_chunks_are_taken():
    tower = OpenClipTower(MODELS["flat"](), name="flat")

    with pytest.raises(TowerError) as caught:
        tower.encode(ids_for(tower)[:, :20], None, HiddenLayer(1))
    assert str(caught.value) == "open_clip's text models take 77 ids at a time, not 20"


def test_ids_of_the_golden_strings_and_pads_are_open_clips():
    theirs, ours = open_clip.SimpleTokenizer(), shipped(77)
    for text in facts()["strings"]:
        assert ours.encode(text) == theirs.encode(text) == facts()["strings"][text]
    assert open_clip.tokenize("a cat")[0, 4:].unique().tolist() == [ours.source.pad_token_id] == [0]


def test_a_tokenizer_of_open_clips_is_used_itself():
    keeps_capitals = open_clip.SimpleTokenizer(clean="whitespace")
    tower = OpenClipTower(MODELS["flat"](), keeps_capitals)

    assert tower.tokenizer.encode("A Cat") == keeps_capitals.encode("A Cat")
    assert tower.tokenizer.encode("A Cat") != OpenClipTower(MODELS["flat"]()).tokenizer.encode(
        "A Cat"
    )
    larger = open_clip.SimpleTokenizer(additional_special_tokens=["<x>"])
    with pytest.raises(TowerError, match="a vocabulary of 49409 entries, not CLIP's 49408"):
        OpenClipTower(MODELS["flat"](), larger)


def test_a_model_with_another_vocabulary_wants_its_tokenizer():
    model = build({**PLAIN, "vocab_size": 29, "context_length": 20})
    with pytest.raises(TowerError, match="'CLIP' has a vocabulary of 29 entries"):
        OpenClipTower(model)

    tower = OpenClipTower(model, WordTokenizer())
    assert tower.encode(ids_for(tower), None, HiddenLayer(1)).hidden.shape == (3, 20, 128)


def test_the_default_activation_is_open_clips_and_told():
    with pytest.warns(ClipcondWarning, match="is taken to be gelu"):
        open_state_dict(MODELS["flat"]().state_dict(), name="ViT-B-32")
