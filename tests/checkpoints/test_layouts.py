"""Towers in the layouts of OpenCLIP, EVA-CLIP and cn_clip, among other things in their files."""

import json
import sys

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
)

from clipcond import load_tower
from clipcond.errors import ClipcondWarning
from clipcond.towers import HiddenLayer
from tests.checkpoints.made_files import clip, open_clip, shapes, sparse, unet, wrapped
from tests.checkpoints.test_single_file import SDXL, assert_same, failure, peaks
from tests.towers.chinese import TEXT, VISION, with_weights

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
        f"{str(path)!r}: it has 1 tensor that no such tower has, such as 'text.cls_emb'"
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


def test_the_configuration_beside_a_file(gelu, quick, saved, tmp_path):
    path = saved(open_clip(gelu))
    text = {"width": 128, "heads": 2, "layers": 3, "context_length": 77, "vocab_size": 49408}
    config = {"model_cfg": {"quick_gelu": False, "text_cfg": text}}
    beside = tmp_path / "open_clip_config.json"

    beside.write_text(json.dumps(config))
    assert_same(load_tower(path), gelu)
    assert_same(load_tower(tmp_path / "model.safetensors"), gelu)
    text["no_causal_mask"] = True
    beside.write_text(json.dumps(config))
    assert "no_causal_mask" in failure(path)

    path = saved(open_clip(quick), "open_clip_model.safetensors")
    text.update(width=64, heads=1, no_causal_mask=False)
    config["model_cfg"]["quick_gelu"] = True
    beside.write_text(json.dumps(config))
    (tmp_path / "model.safetensors").unlink()
    assert_same(load_tower(tmp_path), quick)  # as a hub's snapshot of an OpenCLIP model


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


@pytest.fixture(scope="module")
def wide_chinese():
    """Both halves; the text half 64 wide, one head, with a projection that is not square."""
    text = {**TEXT, "hidden_size": 64, "num_attention_heads": 1}
    config = ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)
    return with_weights(ChineseCLIPModel(config), 13)


@pytest.mark.parametrize("written", ["official", "flash", "transformers"])
def test_chinese_clip(wide_chinese, saved, written):
    model = wide_chinese
    weights = {"official": chinese, "flash": flash, "transformers": whole}[written](model)
    path = saved({**weights, "visual.conv1.weight": torch.zeros(1)})
    ids = torch.tensor([[101, 4385, 102, 0], [101, 102, 0, 0]])

    tower = load_tower(path)
    assert load_tower(path, kind="chinese_clip").depth == tower.depth == 4
    ours = tower.encode(ids, (ids != 0).long(), HiddenLayer(1, False), pooled=True)

    theirs = model.text_model(ids, attention_mask=(ids != 0).long()).last_hidden_state
    torch.testing.assert_close(ours.hidden, theirs, rtol=0, atol=1e-5)
    pooled = model.text_projection(theirs[:, 0])
    torch.testing.assert_close(ours.pooled, pooled, rtol=0, atol=1e-5)


def test_a_chinese_tower_that_is_not_whole(wide_chinese, saved):
    weights = chinese(wide_chinese)
    key = "bert.encoder.layer.2.output.dense.bias"
    weights[key] = torch.zeros(65)
    path = saved(weights)
    assert failure(path) == (
        f"{str(path)!r}: {key!r} is [65], expected [64]\n"
        "The tower is #1 64 wide, 4 layers, in the layout of cn_clip."
    )


def test_plain_bert_is_no_chinese_clip(wide_chinese, saved):
    weights = {k.removeprefix("bert."): t for k, t in chinese(wide_chinese).items() if "bert" in k}
    assert "holds no text tower" in failure(saved(weights))


def flash(model):
    """cn_clip's names where it was trained with flash attention."""
    weights = chinese(model)
    for i in range(4):
        block = f"bert.encoder.layer.{i}.attention."
        for kind in ("weight", "bias"):
            parts = [weights.pop(f"{block}self.{p}.{kind}") for p in ("query", "key", "value")]
            weights[f"{block}self.Wqkv.{kind}"] = torch.cat(parts)
            out = weights.pop(f"{block}output.dense.{kind}")
            weights[f"{block}self.out_proj.{kind}"] = out
    return weights


def whole(model):
    """transformers' names, without the vision half."""
    return {k: t for k, t in model.state_dict().items() if k.startswith("text_")}


# --- memory ---


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_of_a_big_file_only_the_tower_is_read(tmp_path):
    """bigG's layout at 768 x 12, within 7 GB; qkv and the projection change their form."""
    with torch.device("meta"):
        config = CLIPTextConfig(
            hidden_size=768,
            num_hidden_layers=12,
            intermediate_size=3072,
            num_attention_heads=12,
            projection_dim=1280,
            vocab_size=49408,
        )
        model = CLIPTextModelWithProjection(config)  # fmt: skip
    path = sparse(
        tmp_path / "xl.safetensors", shapes(open_clip(model, f"{SDXL}1.model.")), 7 * 10**9
    )

    for ratio, size in peaks(path, 1):
        print(f"peak: {ratio:.2f} of {size / 1e6:.0f} MB")
        assert size > 240e6
        assert ratio < 1.3
