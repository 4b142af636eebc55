"""Opening towers: folders as diffusers and transformers save them, and everything broken."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextModel

from clipcond import load_tower
from clipcond.embedded import folder
from clipcond.errors import CheckpointError, UnknownNameError
from clipcond.towers import HiddenLayer, OpenAIClipTower
from tests.failures import failures_of
from tests.parity.models import model_l, tokenizer, tower_g, tower_l

IDS = torch.tensor([[49406, 320, 2368, *[49407] * 74]])
LAYER = HiddenLayer(2, True)


def encoded(tower, pooled=False):
    return tower.encode(IDS, None, LAYER, pooled=pooled)


def failed(source, **choices) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        load_tower(source, **choices)
    assert isinstance(caught.value, OSError)
    return caught.value


def failure(source) -> str:
    return str(failed(source))


def rewritten(path, change):
    """Save a safetensors file anew, its tensors changed."""
    weights = load_file(path)
    change(weights)
    save_file(weights, path, {"format": "pt"})


def test_a_diffusers_folder(saved):
    tower = load_tower(str(saved))

    assert torch.equal(encoded(tower).hidden, encoded(tower_l()).hidden)
    assert tower.special == tower_l().special
    assert tower.name == str(saved)
    assert not any(p.requires_grad for p in tower.model.parameters())
    assert not tower.model.training


def test_the_second_text_encoder_finds_the_second_tokenizer(saved):
    tower = load_tower(saved / "text_encoder_2")

    ours, expected = encoded(tower, pooled=True), encoded(tower_g(), pooled=True)
    assert torch.equal(ours.hidden, expected.hidden)
    assert torch.equal(ours.pooled, expected.pooled)
    assert tower.special.pad == 0


def test_a_transformers_folder_with_both_halves_of_clip(tmp_path):
    text = {**model_l().config.to_dict(), "projection_dim": 24}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    vision.update(num_attention_heads=2, image_size=8, patch_size=8)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).eval()
    model.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)

    ours = load_tower(tmp_path).encode(IDS, None, HiddenLayer(1, True), pooled=True)

    theirs = model.text_model(IDS)
    assert torch.equal(ours.hidden, theirs.last_hidden_state)
    assert torch.equal(ours.pooled, model.text_projection(theirs.pooler_output))


@pytest.mark.parametrize("prefix", ["", "text_model."])
def test_keys_of_old_and_new_transformers_both_load(own, prefix):
    """transformers 5.6 dropped a prefix; versions before it would keep random weights."""

    def renamed(weights):
        for key in list(weights):
            weights[prefix + key.removeprefix("text_model.")] = weights.pop(key)

    rewritten(own / "text_encoder" / "model.safetensors", renamed)

    assert torch.equal(encoded(load_tower(own)).hidden, encoded(tower_l()).hidden)


def test_parts_named_by_an_index(own):
    folder = own / "text_encoder"
    weights = load_file(folder / "model.safetensors")
    keys = sorted(weights)
    files = {
        "model-00001-of-00002.safetensors": keys[::2],
        "model-00002-of-00002.safetensors": keys[1::2],
    }
    index = {}
    for name, part in files.items():
        save_file({key: weights[key] for key in part}, folder / name)
        index.update(dict.fromkeys(part, name))
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))

    assert torch.equal(encoded(load_tower(own)).hidden, encoded(tower_l()).hidden)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError) as caught:
        load_tower(own)
    assert str(caught.value) == (
        "model.safetensors.index.json names 'model-00002-of-00002.safetensors', which is missing"
    )


def test_half_precision_files_load_in_the_dtype_asked_for(own):
    folder = own / "text_encoder"
    rewritten(
        folder / "model.safetensors",
        lambda weights: weights.update({k: v.half() for k, v in weights.items()}),
    )
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")

    assert load_tower(own).dtype == torch.float32
    assert load_tower(own, dtype=torch.bfloat16).dtype == torch.bfloat16
    torch.testing.assert_close(
        encoded(load_tower(own)).hidden, encoded(tower_l()).hidden, rtol=1e-2, atol=1e-2
    )


def test_clip_by_name(own):
    assert load_tower(own, kind="clip").depth == 4
    with pytest.raises(UnknownNameError, match=r"no kind of tower 'klip'\. Did you mean 'clip'"):
        load_tower(own, kind="klip")


def test_a_name_by_its_language():
    def check(case):
        typed, meant = case
        assert failed(typed).remedy == f"Did you mean {meant!r}?"

    zh = (
        "embedded-cn embedded-zn embedded_cn embedded-chinese chinese zh cn embedded_zh Embedded-ZH"
    )
    zh += " embeddedzh embedded-zh-cn embeded-chinese embedding-zh chinese-tower zh_CN 中文"
    english = "embedded-en english embedded_english embeded embedde en"
    cases = [(typed, "embedded-zh") for typed in zh.split()]
    cases += [(typed, "embedded") for typed in english.split()]
    assert not failures_of(check, cases)
    for typed in ("no-such-thing", "chinese.safetensors", "zhongguo", "sdxl"):
        assert "'embedded" not in failed(typed).remedy


def test_the_embedded_tower():
    stored = load_file(folder() / "text_encoder" / "model.safetensors")
    tower = load_tower("embedded")
    loaded = tower.model.state_dict()

    assert tower.name == "embedded"
    assert len(stored) > 90
    for key, tensor in stored.items():  # by value: sums of normed outputs are alike for any weights
        name = next(k for k in loaded if k.endswith(key.removeprefix("text_model.")))
        assert torch.equal(loaded[name], tensor.float())
    assert (tower.depth, tower.width, tower.dtype) == (6, 128, torch.float32)
    assert torch.isfinite(encoded(tower, pooled=True).pooled).all()
    assert "it cannot read 'xylophonist'" in tower.unread(["a red cat, xylophonist"])
    assert tower.unread(["a red cat"]) == ""


# --- what is broken is said with file, key, expected and found ---


def test_a_hub_id_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    message = failure("nobody/no-such-model")

    assert message.startswith(
        "'nobody/no-such-model' is no folder here, and could not be had from the hub: "
    )
    assert message.endswith(
        "Check the name and the connection; offline, only what was fetched before is there."
    )


def test_a_hub_id_that_was_fetched_before(monkeypatch, saved):
    asked = []

    def snapshot(repo, allow_patterns):
        asked.extend(allow_patterns)
        return str(saved)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)

    assert load_tower("owner/model").depth == 4
    assert "text_encoder/model.safetensors" in asked
    assert "text_encoder/*" not in asked  # other frameworks' copies stay where they are


def test_nothing_is_shared_between_two_loads(saved):
    a, b = load_tower(saved), load_tower(saved)
    a.model.get_input_embeddings().weight.zero_()

    assert torch.equal(encoded(b).hidden, encoded(tower_l()).hidden)
    assert copy.deepcopy(a).name == a.name
    assert isinstance(a.model, CLIPTextModel)


def test_a_tower_is_named_by_its_argument_its_config_or_its_class(saved):
    model = CLIPTextModel.from_pretrained(saved / "text_encoder")

    assert OpenAIClipTower(model, tokenizer()).name == str(saved / "text_encoder")
    assert OpenAIClipTower(model, tokenizer(), "mine").name == "mine"
    for nameless in ("", None):
        model.config._name_or_path = nameless
        assert OpenAIClipTower(model, tokenizer()).name == "CLIPTextModel"
