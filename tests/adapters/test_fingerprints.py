"""Hashes that know a model again in another precision, and no other model."""

import copy

import pytest
import torch
from diffusers import UNet2DConditionModel

from clipcond import load_tower
from clipcond.adapters import teacher_fingerprint, tower_fingerprint, unet_family, unet_fingerprint
from clipcond.adapters.fingerprints import is_comparable
from clipcond.checkpoints.hashes import KNOWN, tower_hash, tower_weights
from clipcond.embedded import folder
from clipcond.towers import OpenAIClipTower
from tests.parity.models import tokenizer, tower_g, tower_l
from tests.pipelines.models import tiny_sd

EMBEDDED_UNET = folder() / "unet"


def test_a_tower_has_the_hash_of_checkpoint():
    tower = load_tower("embedded")

    assert tower_fingerprint(tower) == tower_hash(tower_weights(tower))
    assert KNOWN[tower_fingerprint(tower)] == "clipcond's embedded tower"
    assert tower_fingerprint(load_tower("embedded", dtype=torch.float16)) == tower_fingerprint(
        tower
    )


def test_a_pair_has_both():
    both = teacher_fingerprint([tower_l(), tower_g()])

    assert both == f"{tower_fingerprint(tower_l())}+{tower_fingerprint(tower_g())}"
    assert teacher_fingerprint([tower_l()]) == tower_fingerprint(tower_l())


def test_a_unet_is_known_in_any_precision_and_by_any_loader(tmp_path):
    unet = UNet2DConditionModel.from_pretrained(EMBEDDED_UNET)
    expected = unet_fingerprint(unet)
    assert len(expected) == 64

    assert unet_fingerprint(copy.deepcopy(unet).half()) == expected
    unet.half().save_pretrained(tmp_path)
    assert unet_fingerprint(UNet2DConditionModel.from_pretrained(tmp_path)) == expected


def test_only_what_reads_text_counts():
    unet = tiny_sd().unet
    before = unet_fingerprint(unet)
    with torch.no_grad():
        unet.conv_in.weight.add_(1.0)
        dict(unet.named_parameters())[
            "mid_block.attentions.0.transformer_blocks.0.attn1.to_k.weight"
        ].add_(1.0)
    assert unet_fingerprint(unet) == before
    with torch.no_grad():
        dict(unet.named_parameters())[
            "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"
        ].view(-1)[5] += 0.1
    assert unet_fingerprint(unet) != before


def test_lora_beside_the_weights_does_not_count():
    unet = tiny_sd().unet
    before = unet_fingerprint(unet)
    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn2
    wrapped = torch.nn.Module()  # as peft wraps a layer
    wrapped.base_layer, wrapped.lora_A = attention.to_k, torch.nn.ModuleDict()
    wrapped.lora_A["default"] = torch.nn.Linear(32, 2, bias=False)
    attention.to_k = wrapped

    assert any(".to_k.base_layer.weight" in name for name in unet.state_dict())
    assert unet_fingerprint(unet) == before


def test_what_cannot_be_told():
    unet, model = tiny_sd().unet, copy.deepcopy(tower_l().model)
    assert is_comparable(unet)
    assert not is_comparable(copy.deepcopy(unet).to(torch.bfloat16))
    assert not is_comparable(copy.deepcopy(unet).to("meta"))
    assert unet_fingerprint(unet.to("meta")) == ""
    assert unet_fingerprint(torch.nn.Linear(2, 2)) == ""
    assert tower_fingerprint(OpenAIClipTower(model.to("meta"), tokenizer())) == ""


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"cross_attention_dim": 768}, "sd1"),
        ({"cross_attention_dim": 128}, "sd1"),
        ({"cross_attention_dim": 1024}, "sd2"),
        ({"cross_attention_dim": 2048, "addition_embed_type": "text_time"}, "sdxl"),
        ({"cross_attention_dim": 72, "addition_embed_type": "text_time"}, "sdxl"),
        ({"cross_attention_dim": 1280, "addition_embed_type": "text_time"}, "sdxl-refiner"),
    ],
)
def test_families(config, family):
    unet = torch.nn.Module()
    unet.config = config

    assert unet_family(unet) == family
