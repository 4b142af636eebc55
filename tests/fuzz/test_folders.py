"""Spoiled folders: configs and tokenizers of towers, configs of pipelines and their parts."""

import json
import random
import shutil
import warnings

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import BertConfig, BertModel, CLIPTextConfig, CLIPTextModel

from clipcond import build_pipeline, load_tower
from clipcond.embedded import folder as embedded
from clipcond.pipelines.config_checks import check_model_config, check_scheduler_config
from clipcond.towers.base import HiddenLayer
from tests.fuzz.harness import failures, spoiled_bytes, spoiled_json, write
from tests.pipelines.models import tiny_sd

LAST = HiddenLayer()
SPECIAL = ("<|startoftext|>", "<|endoftext|>")


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def byte_vocabulary():
    """Every byte alone and at the end of a word, some pairs, and the special tokens."""
    own = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    symbols = [chr(b if b in own else next(others)) for b in range(0x100)]
    merges = ["c a", "a t</w>", "ca t</w>"]
    entries = [*symbols, *(f"{s}</w>" for s in symbols), "ca", "at</w>", "cat</w>", *SPECIAL]
    return {entry: i for i, entry in enumerate(entries)}, "#version: 0.2\n" + "\n".join(merges)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip")
    vocabulary, merges = byte_vocabulary()
    config = CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=20, projection_dim=16,
        bos_token_id=len(vocabulary) - 2, eos_token_id=len(vocabulary) - 1, pad_token_id=0,
    )  # fmt: skip
    CLIPTextModel(config).save_pretrained(path)
    write(path / "vocab.json", json.dumps(vocabulary))
    write(path / "merges.txt", merges)
    settings = json.loads((embedded() / "tokenizer" / "tokenizer_config.json").read_text())
    write(path / "tokenizer_config.json", json.dumps({**settings, "model_max_length": 20}))
    return path


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("bert")
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnop.,猫狗", "cat"]
    config = BertConfig(
        vocab_size=len(entries), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=60,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(path)
    write(path / "vocab.txt", "\n".join(entries))
    write(path / "tokenizer_config.json", json.dumps({"do_lower_case": True}))
    return path


def encoded(folder):
    """Open a tower and encode with it: what it takes, it must be able to run."""
    tower = load_tower(folder)
    special = tower.special
    ids = tower.tokenizer.encode("a cat, 猫")[: special.room]
    row = [special.bos, *ids, special.eos]
    row += [special.pad] * (special.context_length - len(row))
    tower.encode(torch.tensor([row]), None, LAST, pooled=True)


@pytest.mark.parametrize("kind", ["clip", pytest.param("bert", marks=pytest.mark.slow)])
def test_configs_of_towers(clip_folder, bert_folder, kind):
    folder = clip_folder if kind == "clip" else bert_folder
    path, draw = folder / "config.json", random.Random(5)
    whole = path.read_text()

    def each():
        for i in range(200):
            write(path, spoiled_json(draw, json.loads(whole)))
            yield f"{kind} #{i} {path.read_text()[:300]}", lambda: encoded(folder)
        write(path, whole)

    assert not failures(each(), of=folder, at_least=60)
    encoded(folder)


@pytest.mark.parametrize("kind", ["clip", "bert"])
def test_tokenizers(clip_folder, bert_folder, kind):
    folder = clip_folder if kind == "clip" else bert_folder
    names = [
        "tokenizer_config.json",
        *(["vocab.json", "merges.txt"] if kind == "clip" else ["vocab.txt"]),
    ]
    draw = random.Random(6)

    def each():
        for i in range(150):
            path = folder / draw.choice(names)
            whole = path.read_bytes()
            is_json = path.suffix == ".json" and draw.random() < 0.6
            new = spoiled_json(draw, json.loads(whole)) if is_json else spoiled_bytes(draw, whole)
            write(path, new)
            yield f"{kind} {path.name} #{i} {new[:80]!r}", lambda: encoded(folder)
            write(path, whole)

    assert not failures(each(), of=folder, at_least=25)
    encoded(folder)


def test_saved_tokenizers(clip_folder, tmp_path):
    """The same as one tokenizer.json, as transformers saves it."""
    folder = shutil.copytree(clip_folder, tmp_path / "model")
    load_tower(folder).tokenizer.source.save_pretrained(folder)
    path, draw = folder / "tokenizer.json", random.Random(7)
    whole = path.read_text()

    def each():
        for i in range(100):
            write(path, spoiled_json(draw, json.loads(whole)))
            yield f"tokenizer.json #{i}", lambda: encoded(folder)

    assert not failures(each(), of=folder, at_least=20)


def test_indexes_of_weights(clip_folder, tmp_path):
    folder = shutil.copytree(clip_folder, tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "model-1-of-1.safetensors")
    index = {"metadata": {"total_size": 5}, "weight_map": {"a": "model-1-of-1.safetensors"}}
    path, draw = folder / "model.safetensors.index.json", random.Random(8)

    def each():
        for i in range(60):
            write(path, spoiled_json(draw, index))
            yield f"index #{i} {path.read_text()[:200]}", lambda: load_tower(folder)

    assert not failures(each(), of=folder, at_least=30)


def test_configs_of_unets_and_vaes(tmp_path):
    draw, path = random.Random(9), tmp_path / "config.json"
    unet = json.loads((embedded() / "unet" / "config.json").read_text())
    vae = json.loads((embedded() / "vae" / "config.json").read_text())
    kinds = ((UNet2DConditionModel, unet), (AutoencoderKL, vae))

    def each():
        for i in range(120):
            kind, values = draw.choice(kinds)
            write(path, spoiled_json(draw, values))
            act = lambda kind=kind: check_model_config(path, kind, {})  # noqa: E731
            yield f"{kind.__name__} #{i} {path.read_text()[:300]}", act

    assert not failures(each(), of=tmp_path, at_least=20)


def test_configs_of_schedulers(tmp_path):
    import diffusers

    draw, path = random.Random(10), tmp_path / "scheduler_config.json"
    names = ("PNDMScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "UniPCMultistepScheduler")
    kinds = [getattr(diffusers, name) for name in names]

    def each():
        for i in range(120):
            kind = draw.choice(kinds)
            write(path, spoiled_json(draw, dict(kind().config)))
            act = lambda kind=kind: check_scheduler_config(path, kind)  # noqa: E731
            yield f"{kind.__name__} #{i}", act

    assert not failures(each(), of=tmp_path, at_least=20)


@pytest.mark.slow
def test_pipelines(tmp_path):
    folder = tmp_path / "model"
    tiny_sd().save_pretrained(folder)
    draw = random.Random(11)
    names = (
        "model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
        "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json",
    )  # fmt: skip

    def each():
        for i in range(16):
            path = folder / draw.choice(names)
            whole = path.read_text()
            write(path, spoiled_json(draw, json.loads(whole)))
            yield f"{path.name} #{i} {path.read_text()[:200]}", lambda: build_pipeline(folder)
            write(path, whole)

    assert not failures(each(), of=folder, at_least=4)
