"""The layer that another tool encoded with is the one that is read, or it is listed."""

import json
import warnings

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from clipcond import HiddenLayer, attach
from clipcond.metadata import Parameters, read_parameters
from tests.metadata.comfyui_graphs import graph, node, read, text
from tests.metadata.test_swarmui import swarm
from tests.pipelines.models import tiny_sd, tiny_sdxl

RAW_LAST = HiddenLayer(1, final_norm=False)
LISTED = "The picture's layer is the last block; here the block before it is read."
OF_SOME = "The picture's layer is for some of its texts the last block; here the block before it"


def stopped(positive, negative):
    """A graph whose prompts are encoded with these stops; None = no node says so."""
    nodes = graph()
    for number, words, stop in (("6", "a cat", positive), ("7", "dog", negative)):
        if stop is not None:
            nodes[f"{number}0"] = node("CLIPSetLastLayer", stop_at_clip_layer=stop, clip=["4", 1])
            nodes[number] = text(words, f"{number}0")
    return read(nodes)


def of_swarmui(stop):
    return read_parameters(swarm(clipstopatlayer=stop))


def of_fooocus(stop):
    others = {"Generator": "Fooocus", "Dialect": "comfyui"}
    return Parameters("a cat", "dog", 20, "euler", clip_skip=-stop, others=others)


def called(found, pipe):
    """The clip skip of the call, and the lines about layers."""
    with warnings.catch_warnings(action="ignore"):
        call = found.call(pipe)
    listed = [each for each in found.not_honoured(pipe) if "layer" in each or "skip" in each]
    return call.get("clip_skip"), listed


@pytest.fixture(scope="module")
def pair():
    return attach(tiny_sdxl(), dialect="comfyui")


@pytest.fixture(scope="module")
def sd2():
    """With the 23 blocks that Stable Diffusion 2's text encoder has."""
    config = CLIPTextConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=23, num_attention_heads=2,
        projection_dim=32, eos_token_id=49407, bos_token_id=49406, pad_token_id=0,
        hidden_act="gelu",
    )  # fmt: skip
    torch.manual_seed(0)
    return attach(tiny_sd(text_encoder=CLIPTextModel(config)), dialect="comfyui")


def test_the_last_layer_of_sdxl_is_another_than_none(pair):
    assert stopped(-1, -1) != stopped(None, None)
    assert stopped(None, None).others.get("stop_at_clip_layer") is None
    for found in (stopped(-1, -1), of_swarmui(-1), of_swarmui("-1"), of_fooocus(-1)):
        assert found.clip_skip == 1
        assert called(found, pair) == (
            1, [f"{LISTED} Say layer=HiddenLayer(1, final_norm=False)."]
        )  # fmt: skip
        assert read_parameters(found.text()).others == found.others
    for found in (stopped(None, None), of_swarmui(None), stopped(-2, -2), of_swarmui(-2)):
        assert called(found, pair) == (found.clip_skip, [])
    assert called(stopped(-3, -3), pair) == (3, [])
    for mixed in (stopped(-1, None), stopped(None, -1)):
        skip, [line] = called(mixed, pair)
        assert line == f"{OF_SOME} is read."
        assert skip == 1
    assert called(stopped(-1, -2), pair) == (
        None, ["Clip skip: 1 for the prompt, 2 for the negative"]
    )  # fmt: skip


def test_the_last_layer_of_sdxl_is_read_where_the_pipeline_was_built_so(pair):
    built = attach(tiny_sdxl(), dialect="comfyui", layer=RAW_LAST)
    for found in (stopped(-1, -1), of_swarmui(-1), of_fooocus(-1)):
        assert called(found, built) == (None, [])
    assert built.conditioner.layers(None) == (RAW_LAST, RAW_LAST)
    penultimate = (HiddenLayer(2, final_norm=False),) * 2
    for found in (stopped(None, None), stopped(-2, -2), of_swarmui(None)):
        skip, listed = called(found, built)
        assert built.conditioner.layers(skip) == penultimate
        assert listed == []
    assert called(stopped(-1, None), built)[1] == [f"{OF_SOME} is read."]


def test_one_tower_reads_its_last_layer_for_both():
    pipe = attach(tiny_sd(), dialect="comfyui", clip_skip=2)
    for stop, skip in ((-1, 1), (None, 1), (-2, 2), (-4, 4)):
        for found in (stopped(stop, stop), of_swarmui(stop)):
            assert called(found, pipe) == (skip, []), stop
    assert called(stopped(-1, None), pipe) == (1, [])


def test_comfyui_counts_24_blocks_of_stable_diffusion_2(sd2):
    for stop, skip in ((None, 1), (-2, 1), (-3, 2), (-23, 22)):
        for found in (stopped(stop, stop), of_swarmui(stop)):
            assert called(found, sd2) == (skip, []), stop
    for found in (stopped(-1, -1), of_swarmui(-1), stopped(None, -1)):
        assert called(found, sd2) == (
            1,
            [
                "The picture's layer is the 24th block of Stable Diffusion 2; here block 23 is the "
                "last, and is read."
            ],
        )
    first = sd2.conditioner("a cat", clip_skip=22).embeds
    assert not torch.equal(first, sd2.conditioner("a cat", clip_skip=23).embeds)


def test_a1111s_count_of_stable_diffusion_2_is_not_known(sd2):
    written = "a cat\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, {}RNG: CPU"
    for n in (2, 3):
        assert called(read_parameters(written.format(f"Clip skip: {n}, ")), sd2) == (
            n,
            [
                f"Clip skip: {n}; which block of Stable Diffusion 2 that is for A1111 is not "
                "known, so it is counted from the last of 23."
            ],
        )
    for ours in ("", "Clip skip: 1, ", "Clip skip: 2, Version: clipcond 0.2.0, "):
        assert called(read_parameters(written.format(ours)), sd2)[1] == []


def test_swarmui_keeps_what_was_said():
    said = json.loads(swarm(clipstopatlayer=-1))["sui_image_params"]
    assert said["clipstopatlayer"] == -1
    assert of_swarmui(-1).others["clipstopatlayer"] == "-1"
    assert "clipstopatlayer" not in of_swarmui(None).others
