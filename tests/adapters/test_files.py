"""An adapter's file: exact, whole or not at all, and refused with the reason."""

import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from clipcond.adapters import load_adapter, save_adapter
from clipcond.errors import CheckpointError, excerpt
from tests.adapters.made import adapter, record, refusal


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "zh.safetensors"
    save_adapter(adapter(pooled_width=10), record(), path)
    return path


def rewrite(path, *, metadata=None, **tensors) -> None:
    """Change metadata or tensors of a file; None leaves one out."""
    with safe_open(path, "pt") as file:
        stated = {**file.metadata(), **(metadata or {})}
    kept = {**load_file(path), **{name.replace("__", "."): t for name, t in tensors.items()}}
    save_file(
        {name: tensor for name, tensor in kept.items() if tensor is not None},
        path,
        {key: value for key, value in stated.items() if value is not None},
    )


@pytest.mark.parametrize("kind", ["linear", "resampler"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("pooled_width", [None, 10])
def test_saved_and_loaded_is_exact(tmp_path, kind, dtype, pooled_width):
    made, path = adapter(kind, pooled_width=pooled_width).to(dtype), tmp_path / "a" / "zh.file"
    save_adapter(made, record(), path)
    loaded, stated = load_adapter(path)

    assert stated == loaded.record == record()
    assert loaded.config == made.config
    assert loaded.dtype == dtype
    before, after = made.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    hidden = torch.randn(2, 12, 32)
    assert torch.equal(made(hidden).hidden, loaded(hidden).hidden)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_names_can_be_read_in_the_file(tmp_path):
    stated = record(tower_name="中文塔", data="提示词.tsv")
    save_adapter(adapter(), stated, tmp_path / "zh.file")
    written = (tmp_path / "zh.file").read_bytes()

    # safetensors writes the text as a JSON string
    assert all(name.encode() in written for name in ("中文塔", "提示词.tsv"))
    assert load_adapter(tmp_path / "zh.file")[1] == stated


def test_saving_again_replaces_and_leaves_nothing_else(path):
    save_adapter(adapter(seed=6), record(n_pairs=4), str(path))

    assert load_adapter(str(path))[1].n_pairs == 4
    assert os.listdir(path.parent) == [path.name]


def test_a_save_that_fails_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError) as caught:
        save_adapter(adapter(seed=6), record(), path)

    assert str(caught.value) == f"{str(path)!r} cannot be written: No space left on device"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    path, made = tmp_path / "zh.safetensors", adapter()
    with pytest.raises(CheckpointError) as caught:
        save_adapter(made, record(losses={"mse": float("nan")}), path)
    assert str(caught.value) == (
        "an adapter cannot be saved: of its record, 'losses' should be names with finite numbers, "
        "found {'mse': nan}"
    )
    with pytest.raises(CheckpointError) as caught:
        save_adapter(made, record(width=768), path)
    assert str(caught.value) == (f"{str(path)!r}: the alignment record's width is 768, expected 32")
    made.row_bias[3, 4] = float("inf")
    with pytest.raises(CheckpointError) as caught:
        save_adapter(made, record(), path)
    assert str(caught.value) == (
        f"{str(path)!r}: 1 of the 640 values of 'row_bias' are NaN or infinite, expected finite "
        "ones\nThe training that made it diverged."
    )
    mixed = adapter()
    mixed.row_bias.data = mixed.row_bias.data.half()
    for each, held in (
        (adapter().double(), "float64"),
        (adapter().to(torch.float8_e5m2), "float8_e5m2"),
        (mixed, "float16 and float32"),
    ):
        with pytest.raises(CheckpointError) as caught:
            save_adapter(each, record(), path)
        assert str(caught.value) == (
            f"{str(path)!r}: its tensors are {held}, expected one of float32, float16, bfloat16 "
            "for all\nCast it first: adapter.float()."
        )
    assert not path.exists()


@pytest.mark.parametrize(
    "version", ["2", "0", "1.5", "", "²", "0000000012", "01", "1 ", "+1", "1_0", "-1", "1" * 99]
)
def test_another_version_of_the_format(path, version):
    rewrite(path, metadata={"clipcond_adapter": version}, to_rows__weight=None)

    assert refusal(path) == (
        f"{str(path)!r}: clipcond_adapter is {excerpt(version)!r}, expected 1 at most\n"
        "A newer clipcond wrote it: update this one."
    )


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("config", None, "it is missing"),
        ("record", None, "it is missing"),
        ("record", "{", "it is no JSON: Expecting property name enclosed in double quotes: "),
        ("record", "[" * 10**5, "it is no JSON: "),
        ("record", "[1]", "it is no JSON object but [1]"),
        ("record", {"tower": None}, "'tower' should be a text, found None"),
        ("record", {"n_pairs": True}, "'n_pairs' should be a whole number, found True"),
        (
            "record",
            {"stages": {"text": 1.5}},
            "'stages' should be names with whole numbers, found {'text': 1.5}",
        ),
        ("record", {"minutes": float("nan")}, "'minutes' should be a finite number, found nan"),
        (
            "record",
            {"tower_clip_skips": 2},
            "'tower_clip_skips' should be a list of whole numbers, found 2",
        ),
        ("record", {"more": 1}, "it has an unknown field, 'more'"),
        ("config", {"heads": 3}, "hidden=16 of an adapter cannot be shared among heads=3"),
        (
            "config",
            {"layers": 10**9},
            "layers of a 'resampler' adapter is a whole number from 1 to 256, not 1000000000",
        ),
        ("config", {"width": "32"}, "'width' should be a whole number, found '32'"),
    ],
)
def test_metadata_that_cannot_be_read(path, key, value, why):
    if isinstance(value, dict):
        with safe_open(path, "pt") as file:
            value = json.dumps({**json.loads(file.metadata()[key]), **value})
    rewrite(path, metadata={key: value})

    assert refusal(path).startswith(f"{str(path)!r}: its {key} cannot be read: {why}")
    assert refusal(path).endswith("\nDownload or save it again.")


def test_a_field_that_is_missing(path):
    with safe_open(path, "pt") as file:
        stated = json.loads(file.metadata()["record"])
    del stated["unet"]
    rewrite(path, metadata={"record": json.dumps(stated)})

    assert refusal(path) == (
        f"{str(path)!r}: its record cannot be read: it lacks 'unet'\nDownload or save it again."
    )


def test_a_kind_of_a_later_time(path):
    with safe_open(path, "pt") as file:
        config = {**json.loads(file.metadata()["config"]), "kind": "mixer"}
    rewrite(path, metadata={"config": json.dumps(config)})

    assert refusal(path) == (
        f"{str(path)!r}: no kind of adapter 'mixer'. Known: image, linear, resampler.\n"
        "A newer clipcond may know it: update this one."
    )


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (None, " has no tensor 'to_rows.weight' (expected [32, 16])"),
        (
            torch.zeros(32, 17),
            ": 'to_rows.weight' is [32, 17], but its config expects [32, 16]",
        ),
        (
            torch.zeros(32, 16, dtype=torch.int64),
            ": 'to_rows.weight' is int64, expected float32 as all tensors",
        ),
        (
            torch.zeros(32, 16, dtype=torch.float16),
            ": 'to_rows.weight' is float16, expected float32 as all tensors",
        ),
        (
            torch.full((32, 16), torch.nan),
            ": 512 of the 512 values of 'to_rows.weight' are NaN or infinite, expected finite "
            "ones\nThe training that made it diverged.",
        ),
    ],
)
def test_a_tensor_that_is_wrong(path, tensor, message):
    rewrite(path, to_rows__weight=tensor)

    assert refusal(path) == f"{str(path)!r}{message}"


def test_a_tensor_too_many(path):
    rewrite(path, to_columns__weight=torch.zeros(1))

    assert refusal(path) == (
        f"{str(path)!r} has 1 tensor that its config does not expect, such as 'to_columns.weight'"
    )


def test_a_config_of_another_adapter(path):
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
    rewrite(path, metadata={"config": json.dumps({**config, "width": 48})})

    assert refusal(path) == f"{str(path)!r}: the alignment record's width is 32, expected 48"


def test_a_forged_size_asks_for_no_memory(path):
    with safe_open(path, "pt") as file:
        config = {**json.loads(file.metadata()["config"]), "hidden": 65536, "heads": 1}
    rewrite(path, metadata={"config": json.dumps({**config, "tower_width": 65536})})

    assert refusal(path).endswith("'queries' is [21, 16], but its config expects [21, 65536]")


def test_records_are_compared_by_value():
    assert record() == replace(record(), n_pairs=3)
    assert record() != record(n_pairs=4)


def test_published_files_keep_their_tensors_names():
    """A renamed module would make every adapter that exists unreadable."""
    block = ["norm_1", "norm_2", "to_rows.to_q", "to_rows.to_out", "mlp.0", "mlp.2"]
    bare = ["to_rows.to_k", "to_rows.to_v"]
    refiner = [f"refiner.{n}" for n in block]
    reading = ["norm", "to_states.to_q", "to_states.to_out", *(f"among.{n}" for n in block)]
    both = ["state_norm", "to_keys", "key_norm", "norm", "to_pooled", *refiner]
    both += [f"blocks.{i}.{n}" for i in range(2) for n in reading]
    weights = ["to_rows", *(f"refiner.{n}" for n in bare)]
    weights += [f"blocks.{i}.among.{n}" for i in range(2) for n in bare]
    weights += [f"blocks.{i}.to_states.{n}" for i in range(2) for n in ("to_k", "to_v")]
    expected = {"queries", "row_scale", "row_bias"}
    expected |= {f"{n}.weight" for n in (*both, *weights)} | {f"{n}.bias" for n in both}

    assert set(adapter(pooled_width=10).state_dict()) == expected
    assert set(adapter("linear", pooled_width=10).state_dict()) == {
        *("rows", "to_rows.weight", "to_pooled.weight", "to_pooled.bias")
    }
