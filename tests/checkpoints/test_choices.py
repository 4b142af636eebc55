"""What is opened of a model that offers several towers, files or settings, and what is refused."""

import copy
import json
import pickle
import re
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import clipcond
from clipcond import load_tower
from clipcond.checkpoints import opening
from clipcond.checkpoints.extraction import extract
from clipcond.checkpoints.file_formats import file_format
from clipcond.checkpoints.folders import read_weights
from clipcond.checkpoints.hashes import tower_hash
from clipcond.checkpoints.opening import load_towers
from clipcond.checkpoints.textual_inversions import load_inversion
from clipcond.errors import CheckpointError, ClipcondWarning
from tests.checkpoints.made_files import clip, wrapped
from tests.checkpoints.test_textual_inversions import vectors
from tests.failures import failures_of
from tests.parity.models import tower_l

TEXT_MODEL, NONE = ["transformers", "CLIPTextModel"], [None, None]
# model_index.json -> the towers that are opened; both have a folder
INDEXES = {
    "SD1": ({"text_encoder": TEXT_MODEL, "text_encoder_2": NONE}, (None,)),
    "SDXL": ({"text_encoder": TEXT_MODEL, "text_encoder_2": TEXT_MODEL}, (1, 2)),
    "refiner": ({"text_encoder": NONE, "text_encoder_2": TEXT_MODEL}, (2,)),
    "no encoders": ({"text_encoder": NONE, "text_encoder_2": NONE}, (None,)),
    "no index": (None, (1, 2)),
    "not named": ({"unet": ["diffusers", "UNet2DConditionModel"]}, (1, 2)),
}


def test_the_index_says_which_towers_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "load_tower", lambda _, part, **__: part)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path))
    for name in ("text_encoder", "text_encoder_2"):
        (tmp_path / name).mkdir()

    def check(case):
        index, parts = INDEXES[case]
        path = tmp_path / "model_index.json"
        path.unlink(missing_ok=True)
        if index is not None:
            path.write_text(json.dumps(index))
        assert load_towers(tmp_path) == parts
        assert load_towers("owner/model") == parts

    assert failures_of(check, INDEXES) == []


def test_a_pair_of_pickled_folders(own):
    for name in ("text_encoder", "text_encoder_2"):
        file = own / name / "model.safetensors"
        torch.save(load_file(file), own / name / "pytorch_model.bin")
        file.unlink()

    assert [tower.width for tower in load_towers(own, allow_pickle=True)] == [32, 40]
    assert load_tower(own, part=2, allow_pickle=True).width == 40
    with pytest.raises(CheckpointError, match="holds one text model, and no part 2"):
        load_tower(own / "text_encoder", part=2, allow_pickle=True)


def test_a_kind_that_no_folder_has(own):
    for kind in ("eva_clip", "open_clip"):
        with pytest.raises(CheckpointError) as caught:
            load_tower(own / "text_encoder", kind=kind)
        assert str(caught.value) == (
            f"{str(own / 'text_encoder')!r} is a model's folder, and no tower of kind {kind!r}\n"
            "Kinds of folders: clip, chinese_clip, bert, alt_clip, meta_clip_2, siglip."
        )
    assert load_tower(own / "text_encoder", kind="clip").width == 32


def test_half_precision_is_fetched_where_a_model_has_nothing_else(own, monkeypatch):
    asked, folder = [], own / "text_encoder"
    half = folder / "model.fp16.safetensors"

    def snapshot(repo, allow_patterns):
        asked.append(allow_patterns)
        if "text_encoder/model.fp16.safetensors" in allow_patterns:
            (folder / "elsewhere").rename(half)
        return str(own)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    load_tower("owner/model")
    assert len(asked) == 1
    (folder / "model.safetensors").rename(folder / "elsewhere")
    assert load_tower("owner/model").width == 32
    assert len(asked) == 3
    load_tower("owner/model")
    assert len(asked) == 4


SETTINGS = {
    "gelu_new": {"hidden_act": "gelu_new"},
    "tanh": {"hidden_act": "gelu_pytorch_tanh"},
    "empty": {"hidden_act": ""},
}


def test_an_activation_of_a_config_that_is_unknown(tmp_path):
    model = clip()
    path, config = tmp_path / "x.safetensors", tmp_path / "config.json"
    save_file(wrapped(model), path)

    def check(case):
        config.write_text(json.dumps({**model.config.to_dict(), **SETTINGS[case]}))
        with pytest.raises(CheckpointError) as caught:
            load_tower(path)
        said = f"config.json next to it says {SETTINGS[case]['hidden_act']!r}, known are gelu, "
        assert said in str(caught.value)
        tower = load_tower(path, activation="gelu")
        assert tower.model.config.num_attention_heads == model.config.num_attention_heads

    assert failures_of(check, SETTINGS) == []


def test_a_broken_config_is_warned_of(tmp_path):
    path, config = tmp_path / "x.safetensors", tmp_path / "config.json"
    save_file(wrapped(clip()), path)
    for content in ("{", "[]"):
        config.write_text(content)
        with pytest.warns(ClipcondWarning, match=r"config\.json.*are guessed without it"):
            load_tower(path, activation="gelu")
    config.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipcondWarning)
        load_tower(path, activation="gelu")


def test_every_pickle_needs_to_be_allowed(tmp_path):
    for protocol in range(6):
        for ending in (".pt", ".bin", ".ckpt", ".pth"):
            path = tmp_path / f"x{protocol}{ending}"
            path.write_bytes(pickle.dumps({"a": [bytes(range(256))]}, protocol))
            with pytest.raises(CheckpointError, match="is a pickle, which can run code"):
                file_format(path, allow_pickle=False)
            assert file_format(path, allow_pickle=True) == "old pickle"


def test_terms_that_differ_in_capitals_alone(tmp_path):
    path = tmp_path / "x.safetensors"
    for first, second in (("<Foo>", "<foo>"), ("a  b", "a b"), ("STRASSE", "straße")):
        save_file({first: vectors(1), second: vectors(2)}, path)
        tower = tower_l()
        with pytest.raises(CheckpointError, match="two of its terms are called"):
            load_inversion([tower], path)
        assert tower.inversions.names == ()
        assert load_inversion([tower], path, second) == second


def test_hashes_of_tensors_without_dimensions():
    scale = torch.tensor(4.6)

    assert tower_hash({"logit_scale": scale}) != tower_hash({"logit_scale": scale.reshape(1)})
    assert tower_hash({"logit_scale": scale}) == tower_hash({"logit_scale": scale.clone()})


def test_extracting_leaves_the_model_as_it_is(tmp_path):
    tower, folder = copy.deepcopy(tower_l()), tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    before = copy.deepcopy(tower.model.config.to_dict())
    written = extract(tower, folder)

    assert tower.model.config.to_dict() == before
    assert sorted(path.name for path in written) == sorted(
        path.name for path in folder.iterdir() if path.name != "mine.txt"
    )
    assert folder / "config.json" in written


def test_a_dtype_that_torch_lacks(tmp_path):
    path = tmp_path / "x.safetensors"
    for dtype, n_bytes in (("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6)):
        entry = {"x": {"dtype": dtype, "shape": [8], "data_offsets": [0, n_bytes]}}
        header = json.dumps(entry).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(n_bytes))
        with pytest.raises(CheckpointError, match=r"'x' is of float[46]_e[23]m[123], which torch"):
            read_weights([path])


def test_no_function_allows_pickles_or_overwrites_by_default():
    pattern = re.compile(r"\b(?:allow_pickle|overwrite): \w+ = (\w+)")
    files = Path(clipcond.__file__).parent.rglob("*.py")
    defaults = [found for file in files for found in pattern.findall(file.read_text("utf-8"))]

    assert len(defaults) > 12
    assert set(defaults) == {"False"}
