"""What callers give as a path: refused in clear words by every reader, if no file can have it."""

import json
import os

import pytest

from clipcond import Conditioner, attach, build_pipeline, load_tower
from clipcond.adapters import load_adapter
from clipcond.checkpoints.textual_inversions import load_inversion
from clipcond.errors import CheckpointError, ClipcondError
from clipcond.files import read_json
from tests.failures import failures_of
from tests.parity.models import tower_l
from tests.pipelines.models import tiny_sd

NAMES = {
    "too long": "a" * 5000,
    "too long, in a folder": "a/" + "b" * 5000,
    "no such user": "~nosuchuser/model",
    "NUL": "a\0b.safetensors",
    "bytes": b"model.safetensors",
    "number": 5,
    "list": ["a"],
    "folder that is none": "/dev/null/x.safetensors",
    "device": "/dev/zero",
    "empty": "",
}
READERS = {
    "load_tower": load_tower,
    "load_adapter": load_adapter,
    "load_inversion": lambda source: load_inversion([tower_l()], source),
    "build_pipeline": build_pipeline,
    "from_model": Conditioner.from_model,
    "tower=": lambda source: attach(tiny_sd(), tower=source),
    "adapter=": lambda source: attach(tiny_sd(), adapter=source),
}


def test_names_that_no_file_can_have():
    def check(case):
        reader, name = case
        with pytest.raises(ClipcondError):
            READERS[reader](NAMES[name])

    cases = [(reader, name) for reader in READERS for name in NAMES]
    assert not failures_of(check, cases)
    for reader in ("load_tower", "load_adapter", "from_model"):
        with pytest.raises(
            CheckpointError, match="is named by a string or a path, not by NoneType"
        ):
            READERS[reader](None)


def test_pipes_are_refused(tmp_path):
    def check(reader):
        path = tmp_path / f"{reader.strip('=')}.safetensors"
        os.mkfifo(path)
        with pytest.raises(ClipcondError) as caught:
            READERS[reader](path)
        assert str(path) in str(caught.value)

    assert not failures_of(check, READERS)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 100_000, "maximum recursion depth"),
        (b'{"a":' * 100_000, "maximum recursion depth"),
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe{}", "'utf-8' codec"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b"[]", "holds no JSON object"),
        (b"null", "holds no JSON object"),
    ],
)
def test_json_that_is_no_object(tmp_path, content, why):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=why) as caught:
        read_json(path)
    assert repr(str(path)) in str(caught.value)


def test_json_out_of_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match="is a pipe, socket or device, not a file"):
        read_json(tmp_path / "config.json")
    (tmp_path / "a.json").write_text(json.dumps({"a": 1}))
    assert read_json(tmp_path / "a.json") == {"a": 1}
