"""Towers in the layouts of OpenCLIP, EVA-CLIP and cn_clip, out of files with other things in them."""

import pytest
import torch
from safetensors.torch import save_file

from clipcond import load_tower
from clipcond.errors import CheckpointError, ClipcondWarning
from clipcond.towers import HiddenLayer
from tests.towers.chinese import whole_model
from tests.towers.made_files import clip, open_clip, sparse, shapes, unet, wrapped
from tests.towers.test_single_file import SD1, SDXL, assert_same, failure, peaks

SD2 = "cond_stage_model.model."


@pytest.fixture(scope="module")
def gelu():
    return clip(128, 3, "gelu", projection=96, seed=6)


@pytest.fixture(scope="module")
def quick():
    return clip(64, 3, "quick_gelu", projection=64, seed=7)


@pytest.fixture(scope="module")
def deep():
    """SD2's: 24 blocks, of which its UNet listens to the 23rd."""
    return clip(64, 24, "gelu", projection=64, seed=8)


@pytest.fixture
def saved(tmp_path):
    def save(weights, name="model.safetensors"):
        path = tmp_path / name
        save_file({k: t.contiguous() for k, t in weights.items()}, path)
        return path

    return save


@pytest.mark.parametrize("prefix", [f"{SDXL}1.model.", f"{SDXL}0.model."])
def test_sdxl_in_open_clips_layout(gelu, saved, prefix):
    tower = load_tower(saved({**unet(2048), **open_clip(gelu, prefix)}))

    assert_same(tower, gelu)
    assert tower.special.pad == 0


def test_both_towers_of_sdxl(quick, gelu, saved):
    path = saved({**wrapped(quick, f"{SDXL}0.transformer."), **open_clip(gelu, f"{SDXL}1.model.")})

    assert_same(load_tower(path, part=1), quick)
    assert_same(load_tower(path, part=2), gelu)
    assert_same(load_tower(path, kind="open_clip"), gelu)


def test_sd2_opens_the_blocks_that_its_unet_listens_to(deep, saved):
    path = saved({**unet(1024), **open_clip(deep, SD2)})

    trained, whole = load_tower(path), load_tower(path, full_depth=True)

    assert_same(trained, deep, depth=23)
    assert_same(whole, deep)
    ids = torch.tensor([[49406, 320, 2368, *[49407] * 74]])
    # clip skip 1 of the one is clip skip 2 of the other
    one = trained.encode(ids, None, HiddenLayer(1, True)).hidden
    assert torch.equal(one, whole.encode(ids, None, HiddenLayer(2, True)).hidden)


def test_a_file_of_sd2_that_lacks_the_last_block_already(saved):
    model = clip(64, 23, "gelu", seed=8)
    assert_same(load_tower(saved(open_clip(model, SD2))), model)


def test_openais_own_names(quick, saved):
    numbers = ("input_resolution", "context_length", "vocab_size")
    extra = {name: torch.tensor(1) for name in numbers}
    vision = {"visual.conv1.weight": torch.zeros(2, 3, 2, 2), "logit_scale": torch.ones(())}

    assert_same(load_tower(saved({**open_clip(quick), **extra, **vision})), quick)


def test_open_clips_own_files(gelu, saved):
    vision = {"visual.class_embedding": torch.zeros(2)}
    path = saved({**open_clip(gelu), **vision})
    with pytest.warns(ClipcondWarning, match="is taken to be gelu"):
        assert_same(load_tower(path), gelu)
    assert_same(load_tower(saved({**open_clip(gelu, "text."), **vision})), gelu)


@pytest.mark.parametrize("mark", ["visual.trunk.cls_token", "visual.cls_token"])
def test_eva(gelu, saved, mark):
    path = saved({**open_clip(gelu, "text."), mark: torch.zeros(2)})

    assert_same(load_tower(path, kind="eva_clip"), gelu)


def test_what_is_no_clip_text_model(gelu, saved):
    path = saved({**open_clip(gelu, "text."), "text.cls_emb": torch.zeros(128)})
    assert failure(path).startswith(
        f"{str(path)!r}: it has 1 tensors that no such tower has, such as 'text.cls_emb'"
    )


def test_a_tensor_of_open_clips_that_is_missing(gelu, saved):
    weights = open_clip(gelu, f"{SDXL}1.model.")
    key = f"{SDXL}1.model.transformer.resblocks.1.attn.in_proj_bias"
    del weights[key]
    path = saved(weights)
    assert failure(path) == (
        f"{str(path)!r}: it has no tensor {key!r} (expected [384])\n"
        "The tower is #1 128 wide, 3 layers, in the layout of SDXL, second."
    )


def test_a_projection_that_lies_the_wrong_way(gelu, saved):
    weights = open_clip(gelu, f"{SDXL}1.model.")
    key = f"{SDXL}1.model.text_projection"
    weights[key] = weights[key].t()
    path = saved(weights)
    assert (
        failure(path).splitlines()[0] == f"{str(path)!r}: {key!r} is [96, 128], expected [128, 128]"
    )


# --- Chinese ---


def chinese(model):
    """cn_clip's names from transformers'."""
    state = model.state_dict()
    own = {
        k.replace("text_model.", "bert.", 1): t
        for k, t in state.items()
        if k.startswith("text_model.") and t.is_floating_point() and "pooler" not in k
    }
    return {**own, "text_projection": state["text_projection.weight"].t()}


@pytest.mark.parametrize("official", [True, False])
def test_chinese_clip_beside_other_things(saved, official, tmp_path):
    model = whole_model()
    theirs = {k: t for k, t in model.state_dict().items() if not k.startswith("vision_model")}
    weights = chinese(model) if official else theirs
    path = saved({**weights, "visual.conv1.weight": torch.zeros(1)})
    (tmp_path / "config.json").write_text('{"num_attention_heads": 4}')

    with pytest.raises(CheckpointError, match="a width of 32 does not tell how many heads"):
        load_tower(path)
