"""clipcond checkpoint --hash and --compare: one tower has one hash."""

import json

import torch
from safetensors.torch import save_file

from clipcond import load_tower
from clipcond.checkpoints.hashes import KNOWN, tower_hash, tower_weights
from clipcond.embedded import folder
from tests.checkpoints.made_files import bare, clip, wrapped
from tests.checkpoints.test_single_file import SD1


def test_one_tower_has_one_hash(run, sd3, sd1, first, tmp_path):
    save_file(wrapped(first, SD1, torch.float32), tmp_path / "float32.safetensors")
    save_file(bare(first), tmp_path / "bare.safetensors")
    first.save_pretrained(tmp_path / "folder")

    found = [
        json.loads(run("checkpoint", path, "--hash", "--json").out)["towers"][0]["hash"]
        for path in (sd1, sd3, "float32.safetensors", "bare.safetensors")
    ]

    assert len(set(found)) == 1
    assert found[0] == tower_hash(bare(first))


def test_a_hash_that_is_known(run, tmp_path):
    path = folder() / "text_encoder" / "model.safetensors"

    outcome = run("checkpoint", path, "--hash")

    assert outcome.out.splitlines()[-1] == "    clipcond's embedded tower"
    found = tower_hash(tower_weights(load_tower("embedded")))
    assert KNOWN[found] == "clipcond's embedded tower"
    assert f"#1 sha256 of float16: {found}" in outcome.out


def test_hashes_of_ones_own(run, sd1, tmp_path):
    found = json.loads(run("checkpoint", sd1, "--hash", "--json").out)["towers"][0]
    assert found["known_as"] is None
    assert run("checkpoint", sd1, "--hash").out.endswith("    not in the table of known towers\n")
    (tmp_path / "mine.json").write_text(json.dumps({found["hash"]: "the one I like"}))

    assert run("checkpoint", sd1, "--hash", "--known", "mine.json").out.endswith(
        f"#1 sha256 of float16: {found['hash']}\n    the one I like\n"
    )


def last_line(outcome):
    assert outcome.code == 0, outcome.err
    return outcome.out.splitlines()[-1]


def test_comparing_two_files(run, sd1, sd3, first, tmp_path):
    n = len(bare(first))
    assert last_line(run("checkpoint", sd1, sd3, "--hash")) == (
        f"#1 and {sd3}#1: all {n} tensors are equal"
    )
    assert last_line(run("checkpoint", sd3, sd1, "--hash", "--part", 2)) == (
        f"#2 and {sd1}: no tower there is 128 wide"
    )
    key = f"{SD1}text_model.encoder.layers.1.mlp.fc1.weight"
    weights = wrapped(first, SD1, torch.float32)
    weights[key] = weights[key] * (1 + 1e-6)
    save_file(weights, tmp_path / "nearly.safetensors")
    assert last_line(run("checkpoint", sd1, "nearly.safetensors", "--hash")) == (
        f"#1 and nearly.safetensors#1: all {n} tensors are equal after casting to float16"
    )
    weights[key][3, 5] += 0.5
    save_file(weights, tmp_path / "other.safetensors")
    assert last_line(run("checkpoint", "other.safetensors", sd1, "--hash")) == (
        f"#1 and {sd1}#1: 1 of {n} tensors differ, by 0.5 at most, in "
        "'encoder.layers.1.mlp.fc1.weight'"
    )


def test_comparing_with_a_folder_of_fewer_layers(run, sd1, first, tmp_path):
    shallow = clip(layers=2)
    state = {k.removeprefix("text_model."): t for k, t in first.state_dict().items()}
    for key, tensor in shallow.state_dict().items():
        tensor.copy_(state[key.removeprefix("text_model.")])
    shallow.save_pretrained(tmp_path / "model")
    load_tower("embedded").tokenizer.source.save_pretrained(tmp_path / "model")

    line = last_line(run("checkpoint", sd1, tmp_path / "model", "--hash"))

    n = len(bare(shallow))
    assert line == (
        f"#1 and {tmp_path / 'model'}: all {n} tensors are equal; only the first has 16, such as "
        "'encoder.layers.2.layer_norm1.bias'"
    )
