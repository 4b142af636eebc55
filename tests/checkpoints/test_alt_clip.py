"""AltCLIP opened from folders, whole or its text model alone; what is broken, and the messages."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipcond import load_tower
from clipcond.adapters import tower_fingerprint
from clipcond.checkpoints import tensors_on_disk as stored_tensors
from clipcond.checkpoints.opening import KINDS
from clipcond.cli.checkpoint_summary import checkpoint_report
from clipcond.errors import CheckpointError
from clipcond.towers import AltClipTower, HiddenLayer
from tests.towers.alt import TEXT, rows, text_model, tokenizer, whole_model

MODELS = {"whole": whole_model, "text": text_model}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folders as transformers saves them: whole, and text."""
    root = tmp_path_factory.mktemp("alt")
    for name, model in MODELS.items():
        model().save_pretrained(root / name)
        tokenizer().save_pretrained(root / name)
    return root


@pytest.fixture
def own(saved, tmp_path):
    """A copy of the whole model to spoil."""
    return shutil.copytree(saved / "whole", tmp_path / "alt")


def rewritten(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def failure(folder, **choices) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_tower(folder, **choices)
    return str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_gives_the_same_tower(saved, name):
    tower = load_tower(saved / name)
    expected = AltClipTower(MODELS[name](), tokenizer())

    assert isinstance(tower, AltClipTower)
    for layer in (HiddenLayer(1), HiddenLayer(3, final_norm=False)):
        ours, theirs = (t.encode(*rows(), layer, pooled=True) for t in (tower, expected))
        assert torch.equal(ours.hidden, theirs.hidden)
        assert torch.equal(ours.pooled, theirs.pooled)
    assert tower.special == expected.special
    assert tower_fingerprint(tower) == tower_fingerprint(expected)
    assert not tower.model.training
    assert not any(p.requires_grad for p in tower.model.parameters())


def test_the_vision_half_is_never_read(saved, monkeypatch):
    read = []
    bytes_of = stored_tensors.StoredTensors._bytes

    def counted(self, name, entry):
        read.append(name)
        return bytes_of(self, name, entry)

    monkeypatch.setattr(stored_tensors.StoredTensors, "_bytes", counted)
    tower = load_tower(saved / "whole")

    assert read
    assert not [n for n in read if not n.startswith(("text_model.", "text_projection."))]
    assert not [n for n, _ in tower.model.named_modules() if "vis" in n]


def test_a_diffusers_folder(saved, tmp_path):
    shutil.copytree(saved / "text", tmp_path / "text_encoder")
    (tmp_path / "tokenizer").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.move(tmp_path / "text_encoder" / name, tmp_path / "tokenizer" / name)

    assert load_tower(tmp_path, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_either_name_of_the_blocks_is_read(own):
    before = tower_fingerprint(load_tower(own))

    def rename(weights):
        for name in [n for n in weights if "roberta.encoder.layer." in n]:
            weights[name.replace(".layer.", ".layers.")] = weights.pop(name)

    rewritten(own, rename)

    assert tower_fingerprint(load_tower(own)) == before


def test_of_an_old_config_what_transformers_takes(own):
    path = own / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    before = tower_fingerprint(load_tower(own))
    config["text_config_dict"] = {**TEXT, "pooler_fn": "cls", "learn_encoder": False}
    config["text_config"]["num_hidden_layers"] = 3
    config["vision_config"] = {"hidden_size": 5, "num_attention_heads": 2}
    path.write_text(json.dumps(config), encoding="utf-8")

    assert tower_fingerprint(load_tower(own)) == before


def test_the_kind_can_be_said(own):
    assert KINDS["alt_clip"].model_types == ("altclip", "altclip_text_model")
    assert load_tower(own, kind="alt_clip").depth == 4


def test_what_is_missing_or_too_much_is_named(own):
    path = own / "model.safetensors"
    rewritten(own, lambda weights: weights.pop("text_model.pre_LN.bias"))
    assert failure(own).startswith(f"{str(path)!r} has no tensor 'pre_LN.bias' (expected [32])\n")

    rewritten(
        own,
        lambda weights: weights.update(
            {
                "text_model.pre_LN.bias": torch.zeros(32),
                "text_model.roberta.encoder.layer.4.output.dense.bias": torch.zeros(32),
            }
        ),
    )
    assert failure(own).startswith(
        f"{str(path)!r} has 1 tensor beyond the model of config.json, such as "
        "'roberta.encoder.layer.4.output.dense.bias'\n"
    )


def test_without_a_tokenizer(own):
    (own / "tokenizer.json").unlink()

    assert failure(own).startswith(f"there is no tokenizer for {str(own)!r}\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [("whole", "a vision tower, AltCLIP, which"), ("text", "AltCLIP's text model, which")],
)
def test_a_single_file_has_no_tokenizer_and_says_what_it_is(saved, name, content):
    path = saved / name / "model.safetensors"

    assert failure(path) == (
        f"{str(path)!r} holds no text tower\nIt holds {content} is opened from its folder."
    )
    assert "is opened from its folder" in checkpoint_report(path).table()
