"""A tower's own clip skip and number of heads survive being written out, to a folder or a file."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from clipcond import Conditioner, load_tower
from clipcond.checkpoints.extraction import extract
from clipcond.towers import OpenAIClipTower
from tests.parity.models import tokenizer

SIZES = {
    "vocab_size": 49408, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 3,
    "num_attention_heads": 4, "projection_dim": 64,
}  # fmt: skip
OWN = {"clip_skip": 2, "guidance_scale": 3.0}


def tower(**more):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = CLIPTextModel(CLIPTextConfig(**SIZES, **more)).eval()
    return OpenAIClipTower(model, tokenizer())


@pytest.mark.parametrize("target", ["tower", "tower.safetensors"])
@pytest.mark.parametrize("own", [OWN, None])
def test_they_are_read_back(tmp_path, target, own):
    before = tower(**({"clipcond": own} if own else {}))
    extract(before, tmp_path / target)
    after = load_tower(tmp_path / target)

    assert after.own_clip_skip == before.own_clip_skip == (own or {}).get("clip_skip")
    assert after.model.config.num_attention_heads == SIZES["num_attention_heads"]
    assert torch.equal(Conditioner(after)("a cat").embeds, Conditioner(before)("a cat").embeds)
    again = tmp_path / "again" / target
    extract(after, again)
    assert load_tower(again).own_clip_skip == before.own_clip_skip


def test_of_a_file_next_to_its_config(tmp_path):
    extract(tower(clipcond=OWN), tmp_path / "a")
    assert load_tower(tmp_path / "a" / "model.safetensors").own_clip_skip == 2


def test_what_a_config_says_goes_before_notes(tmp_path):
    extract(tower(clipcond=OWN), tmp_path / "a.safetensors")
    extract(tower(), tmp_path / "b")
    (tmp_path / "a.safetensors").rename(tmp_path / "b" / "model.safetensors")

    assert load_tower(tmp_path / "b" / "model.safetensors").own_clip_skip is None


def test_broken_notes_are_none(tmp_path):
    extract(tower(), tmp_path / "a.safetensors")
    weights, failures = load_file(tmp_path / "a.safetensors"), []
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        noted = file.metadata()
    assert noted["heads"] == "4"
    notes = ("[2]", "{", "null", "[" * 100_000, json.dumps("clip_skip"))
    for note, heads in zip(notes, ("0", "-4", "5", "four", "9" * 5000), strict=True):
        metadata = {**noted, "clipcond": note, "heads": heads}
        save_file(weights, tmp_path / "b.safetensors", metadata)
        found = load_tower(tmp_path / "b.safetensors")
        if (found.own_clip_skip, found.model.config.num_attention_heads) != (None, 1):
            failures.append((note, heads))
    assert not failures
