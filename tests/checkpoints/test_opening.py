"""Opening towers: folders as diffusers and transformers save them, and everything broken."""

import copy
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextModel

from clipcond import load_tower
from clipcond.checkpoints.opening import NAMES
from clipcond.embedded import folder
from clipcond.errors import CheckpointError, UnknownNameError
from clipcond.towers import HiddenLayer, OpenAIClipTower
from tests.parity.models import model_g, model_l, tokenizer, tower_g, tower_l

IDS = torch.tensor([[49406, 320, 2368, *[49407] * 74]])
LAYER = HiddenLayer(2, True)


def encoded(tower, pooled=False):
    return tower.encode(IDS, None, LAYER, pooled=pooled)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A diffusers folder: text_encoder with tokenizer, text_encoder_2 with tokenizer_2."""
    folder = tmp_path_factory.mktemp("pipeline")
    model_l().save_pretrained(folder / "text_encoder")
    tokenizer().save_pretrained(folder / "tokenizer")
    model_g().save_pretrained(folder / "text_encoder_2")
    tokenizer("!").save_pretrained(folder / "tokenizer_2")
    return folder


@pytest.fixture
def own(saved, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(saved, tmp_path / "pipeline")


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


def failed(source, **choices) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        load_tower(source, **choices)
    assert isinstance(caught.value, OSError)
    return caught.value


def failure(source) -> str:
    return str(failed(source))


def test_a_path_that_is_not_there(saved):
    names = ", ".join(NAMES)
    wrong = str(saved.parent / "pipelines" / "x")
    assert failure(wrong) == (
        f"there is no file or folder {wrong!r}, and it is no name ({names}) or hub id "
        "(owner/model)\n"
        f"There is no folder {str(saved.parent / 'pipelines')!r} either."
    )
    wrong = saved / "text_encoder_3"
    assert failure(wrong) == (
        f"there is no file or folder {str(wrong)!r}, and it is no name ({names}) or hub id "
        "(owner/model)\n"
        f"Did you mean {str(saved / 'text_encoder_2')!r}?"
    )


def test_a_folder_without_a_model(tmp_path):
    assert failure(tmp_path) == (
        f"{str(tmp_path)!r} holds no text model\n"
        "Looked for text_encoder/config.json (a diffusers pipeline) and config.json (a "
        "transformers model)."
    )


def test_the_weights_of_a_folder_alone(own):
    """As one file, with the configuration that lies beside it."""
    tower = load_tower(own / "text_encoder" / "model.safetensors")

    assert torch.equal(encoded(tower).hidden, encoded(tower_l()).hidden)
    assert tower.special == tower_l().special


def test_the_second_encoder_of_a_folder_is_part_2(saved):
    for tower in (load_tower(saved, part=2), load_tower(f"{saved}#2")):
        assert torch.equal(encoded(tower).hidden, encoded(tower_g()).hidden)
    assert str(failed(saved, part=3)) == (
        f"{str(saved)!r} holds no text model\nLooked for text_encoder_3/config.json (a diffusers "
        "pipeline) and config.json (a transformers model)."
    )
    folder = saved / "text_encoder"
    assert str(failed(folder, part=2)) == f"{str(folder)!r} holds one text model, and no part 2"


def test_what_is_for_single_files(saved):
    folder = str(saved / "text_encoder")
    assert str(failed(saved, activation="gelu")) == (
        f"{folder!r} is a model's folder; its config.json says activation and depth\n"
        "activation= and full_depth= are for single files."
    )


def test_a_config_missing_or_broken(own):
    config = own / "text_encoder" / "config.json"
    text = config.read_text()
    config.write_text("{")
    assert failure(own).startswith(f"{str(config)!r} cannot be read as JSON: ")
    config.write_text("[]")
    assert failure(own) == f"{str(config)!r} holds no JSON object"
    config.write_text(text.replace("clip_text_model", "deberta"))
    assert failure(own).startswith(
        f"{str(config)!r} says model_type 'deberta'; known: clip_text_model"
    )
    config.write_text(text.replace('"hidden_size": 32', '"hidden_size": "wide"'))
    assert failure(own).startswith(f"{str(config)!r} describes no model: ")
    config.unlink()
    assert failure(own) == (
        f"there is no config.json in {str(own / 'text_encoder')!r}\n"
        "A model folder holds config.json and model.safetensors."
    )


def test_weights_missing_or_only_pickled(own):
    folder = own / "text_encoder"
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert failure(own) == (
        f"there is no model.safetensors in {str(folder)!r}\n"
        "pytorch_model.bin is a pickle, which can run code when opened: save the model as "
        "safetensors, or say allow_pickle=True."
    )
    (folder / "pytorch_model.bin").unlink()
    assert "Looked for model.safetensors, model.fp16.safetensors" in failure(own)


def test_a_file_cut_short(own):
    path = own / "text_encoder" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert failure(own).startswith(f"{str(path)!r} is no complete safetensors file: ")
    path.write_bytes(b"<html>404</html>")
    assert failure(own) == (
        f"{str(path)!r} is no safetensors file but a web page\nDownload or save it again."
    )


def test_a_missing_tensor(own):
    path = own / "text_encoder" / "model.safetensors"
    n_tensors = len(load_file(path))
    prefix = "text_model." if hasattr(model_l(), "text_model") else ""
    rewritten(path, lambda weights: weights.pop(f"{prefix}encoder.layers.2.mlp.fc1.bias"))

    assert failure(own) == (
        f"{str(path)!r} has no tensor 'encoder.layers.2.mlp.fc1.bias' (expected [64])\n"
        f"It has {n_tensors - 1} tensors, such as "
        f"'{prefix}embeddings.position_embedding.weight'."
    )


def test_a_tensor_of_another_shape(own):
    path = own / "text_encoder" / "model.safetensors"
    prefix = "text_model." if hasattr(model_l(), "text_model") else ""
    key = f"{prefix}encoder.layers.0.mlp.fc1.bias"
    rewritten(path, lambda weights: weights.update({key: torch.zeros(63)}))

    assert failure(own) == (
        f"{str(path)!r}: 'encoder.layers.0.mlp.fc1.bias' is [63], but config.json expects [64]\n"
        "The config belongs to another model, or the file to another tower."
    )


def test_a_tensor_of_whole_numbers(own):
    path = own / "text_encoder" / "model.safetensors"
    prefix = "text_model." if hasattr(model_l(), "text_model") else ""
    key = f"{prefix}encoder.layers.0.mlp.fc1.bias"
    rewritten(path, lambda weights: weights.update({key: torch.zeros(64, dtype=torch.int64)}))

    assert failure(own) == (
        f"{str(path)!r}: 'encoder.layers.0.mlp.fc1.bias' is int64, expected floating point"
    )


def test_more_layers_than_the_config_has(own):
    config = own / "text_encoder" / "config.json"
    config.write_text(
        config.read_text().replace('"num_hidden_layers": 4', '"num_hidden_layers": 3')
    )

    assert failure(own) == (
        f"{str(own / 'text_encoder' / 'model.safetensors')!r} has 16 tensors beyond the model of "
        "config.json, such as 'encoder.layers.3.layer_norm1.bias'\n"
        "The config belongs to another model, or the file to another tower."
    )


def test_a_tokenizer_missing_or_broken(own):
    places = [str(own / name) for name in ("text_encoder", "tokenizer")]
    (own / "tokenizer" / "tokenizer.json").write_text("{")
    assert failure(own).startswith(f"the tokenizer in {places[1]!r} is broken: ")
    shutil.rmtree(own / "tokenizer")
    assert failure(own) == (
        f"there is no tokenizer for {places[0]!r}\n"
        f"Looked for vocab.json or tokenizer.json in: {places[0]}, {places[1]}"
    )


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
