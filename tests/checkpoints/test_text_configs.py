"""Values of a text model's config.json are checked before anything is built or allocated."""

import json
import shutil

import pytest

from clipcond import load_tower
from clipcond.checkpoints.text_configs import check_text_config, text_section
from clipcond.embedded import folder
from clipcond.errors import CheckpointError
from tests.failures import failures_of

WRONG = {
    "hidden_size": (10**9, "128", None, 0, -4, 1.5, True, [128]),
    "vocab_size": (10**9, 12_000_000, "x", 0),
    "intermediate_size": (10**12, {}, -1),
    "max_position_embeddings": (10**10, "77", 0),
    "num_hidden_layers": (10**5, 0, "6", 10**9),
    "num_attention_heads": (-4, 0, 3, "4", 10**9),
    "layer_norm_eps": ("x", float("nan"), -1.0, float("inf"), None),
    "projection_dim": (10**9, "x"),
    "attention_dropout": ("x", -1),
    "hidden_act": (5, "no such", [1], {}),
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model"
    shutil.copytree(folder() / "text_encoder", path)
    shutil.copytree(folder() / "tokenizer", path, dirs_exist_ok=True)
    return path


def with_values(path, **changes):
    values = json.loads((folder() / "text_encoder" / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**values, **changes}))
    return path


@pytest.mark.slow
def test_wrong_values_are_named(model):
    def check(case):
        name, value = case
        with pytest.raises(CheckpointError) as caught:
            load_tower(with_values(model, **{name: value}))
        assert "config.json' describes no model: " in str(caught.value)
        named = (name, "attention heads") if name != "hidden_act" else ("",)
        assert any(each in str(caught.value) for each in named)

    assert not failures_of(check, [(n, v) for n, values in WRONG.items() for v in values])


def test_sections_that_are_no_objects(model):
    for value in ([], [1], "x", 5, True):
        (model / "config.json").write_text(
            json.dumps({"model_type": "clip", "text_config": value, "projection_dim": 128})
        )
        with pytest.raises(CheckpointError):
            load_tower(model)
    with pytest.raises(ValueError, match=r"text_config is \[1\], expected an object"):
        text_section({"model_type": "clip", "text_config": [1]}, "clip", "text_config")


def test_ids_and_ways_to_call_do_not_matter(model):
    for name in ("eos_token_id", "bos_token_id", "pad_token_id"):
        for value in (None, "x", [1], 2.5):
            tower = load_tower(with_values(model, **{name: value}))
            assert tower.special.eos == 49407
    tower = load_tower(with_values(model, return_dict=False, output_attentions="x"))
    assert tower.width == 128


def test_what_is_left_of_good_values():
    values = {"hidden_size": 8, "num_attention_heads": 2, "eos_token_id": None, "return_dict": 5}
    assert check_text_config(values) == {"hidden_size": 8, "num_attention_heads": 2}


MAPS = (None, ["a"], 5, {"a": None}, {"a": ["x"]})


@pytest.mark.parametrize("index", [{}, *({"weight_map": value} for value in MAPS)])
def test_indexes_without_a_map(model, index):
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="has no weight_map from tensors to files"):
        load_tower(model)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("vocab.json", '{"a":'), ("vocab.json", ""), ("vocab.json", "{}"), ("vocab.json", "[]"),
        ("vocab.json", '{"a": "b"}'), ("merges.txt", "<html>"), ("merges.txt", "a b c d\ne f g"),
        ("tokenizer.json", "{}"), ("tokenizer.json", "[]"), ("tokenizer.json", '{"model": 5}'),
        ("tokenizer.json", '{"model": {"type": "Unigram"}}'),
        ("tokenizer_config.json", '{"model_max_length": "x"}'),
        ("tokenizer_config.json", '{"model_max_length": -1}'),
        ("tokenizer_config.json", '{"model_max_length": NaN}'),
        ("tokenizer_config.json", "[]"), ("tokenizer_config.json", '{"eos_token": 5}'),
    ],
)  # fmt: skip
def test_broken_tokenizers(model, file, content):
    (model / file).write_text(content)
    with pytest.raises(CheckpointError, match=r"the tokenizer in .* is broken: "):
        load_tower(model)
