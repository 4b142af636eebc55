"""OpenClipTower and EvaClipTower around open_clip's own models, and mapped weights beside them."""

import pytest
import torch

from clipcond.checkpoints.activation import QUICK
from clipcond.checkpoints.single_file import open_state_dict
from clipcond.towers import EvaClipTower, HiddenLayer, OpenClipTower, TextTower
from tests.reference.live import (
    MODELS,
    build,
    ids_for,
    open_clip,
    text_of,
    their_layers,
    their_pooled,
)
from tests.towers.golden_layers import CLOSE, chunks

EVA_NAMES = sorted(name for name in open_clip.list_models() if name.startswith("EVA"))


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_and_pooled_are_those_of_open_clip(name):
    model = MODELS[name]()
    if name == "class-token":
        text_of(model).output_tokens = False
    tower = OpenClipTower(model)
    ids = ids_for(tower)
    hidden, pooled = their_layers(model, ids), their_pooled(model, ids)

    assert isinstance(tower, TextTower)
    for depth in range(1, tower.depth + 1):
        for normed in (True, False):
            for with_pooled in (True, False):
                ours = tower.encode(ids, None, HiddenLayer(depth, normed), pooled=with_pooled)
                theirs = hidden[depth - 1]
                theirs = text_of(model).ln_final(theirs) if normed else theirs
                assert torch.equal(ours.hidden, theirs)  # the same modules: no tolerance
                assert (ours.pooled is not None) == with_pooled
                if with_pooled:
                    assert (ours.pooled - pooled).abs().max() <= CLOSE


def test_cocas_extra_output_does_not_disturb():
    tower = OpenClipTower(MODELS["class-token"]())
    pooled = their_pooled(tower.model, ids_for(tower))

    ours = tower.encode(ids_for(tower), None, HiddenLayer(1), pooled=True).pooled

    assert (ours - pooled).abs().max() <= CLOSE
    assert not tower.special.mask_padding


@pytest.mark.parametrize("name", ["flat", "flat-quickgelu", "custom-text", "short-context"])
def test_mapped_weights_give_what_the_model_gives(name):
    model = MODELS[name]()
    live = OpenClipTower(model)
    act = "quick_gelu" if "quick" in name else "gelu"
    mapped = open_state_dict(model.state_dict(), name=name, activation=act)
    ids = ids_for(live)

    assert mapped.special == live.special
    for depth in (1, 2, 3):
        for normed in (True, False):
            ours, theirs = (
                tower.encode(ids, None, HiddenLayer(depth, normed), pooled=True)
                for tower in (mapped, live)
            )
            assert (ours.hidden - theirs.hidden).abs().max() <= CLOSE
            assert (ours.pooled - theirs.pooled).abs().max() <= CLOSE


@pytest.mark.parametrize("name", EVA_NAMES)
def test_all_eva_text_towers_in_their_own_proportions(name):
    """A quarter as wide, and of two blocks, to be quick."""
    config = open_clip.get_model_config(name)
    text_config, embed = config["text_cfg"], config["embed_dim"] // 4
    assert text_config["width"] == 64 * text_config["heads"]
    quarter = {
        **text_config,
        "width": text_config["width"] // 4,
        "heads": text_config["heads"] // 4,
    }
    model = build({**quarter, "layers": 2}, embed=embed, custom=config["custom_text"])
    live, mapped = EvaClipTower(model), open_state_dict(model.state_dict(), name=name)
    ids = chunks()[:2]

    assert config.get("quick_gelu", False) is False
    assert mapped.model.text_projection.weight.shape == (embed, live.width)
    pooled = their_pooled(model, ids)
    for depth, hidden in enumerate(their_layers(model, ids), 1):
        ours = mapped.encode(ids, None, HiddenLayer(depth, False), pooled=True)
        same = live.encode(ids, None, HiddenLayer(depth, False), pooled=True)
        assert torch.equal(same.hidden, hidden)
        assert (same.pooled - pooled).abs().max() <= CLOSE
        assert (ours.hidden - hidden).abs().max() <= CLOSE
        assert (ours.pooled - pooled).abs().max() <= CLOSE


def test_there_are_seven_of_them():
    assert len(EVA_NAMES) == 7


def test_no_model_in_the_layout_of_eva_has_quick_gelu():
    """What open_clip_activation is sure of."""
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        if config.get("custom_text") and config["text_cfg"].get("vocab_size") == 49408:
            assert not config.get("quick_gelu", False), name


def test_names_that_say_quick_gelu_do():
    tags = [
        (f"{model}-{tag}".lower(), bool(facts_of_tag.get("quick_gelu")))
        for model in open_clip.list_models()
        for tag in open_clip.list_pretrained_tags_by_model(model)
        for facts_of_tag in [open_clip.get_pretrained_cfg(model, tag)]
    ]
    recognised = [(name, quick) for name, quick in tags if QUICK.search(name)]

    assert len(recognised) > 30
    assert {name for name, quick in recognised if not quick} == set()
    untold = {name for name, quick in tags if quick and not QUICK.search(name)}
    assert untold == {
        "vit-b-32-laion400m_e31",  # the only ones of laion400m
        "vit-b-32-laion400m_e32",
        "vit-h-14-worldwide-metaclip2_worldwide",  # of another vocabulary: not opened
    }
