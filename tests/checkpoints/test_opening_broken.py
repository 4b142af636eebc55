"""What is broken in a folder is said with file, key, expected and found."""

import shutil

import torch
from safetensors.torch import load_file

from clipcond import load_tower
from clipcond.checkpoints.opening import NAMES
from tests.checkpoints.test_opening import encoded, failed, failure, rewritten
from tests.parity.models import model_l, tower_g, tower_l


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
    """As one file, with the configuration next to it."""
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
