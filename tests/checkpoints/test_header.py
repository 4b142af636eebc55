"""A safetensors header is believed only if it is right to the last byte."""

import json
import os
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clipcond.checkpoints.header import DTYPES, Entry, read_header
from clipcond.errors import CheckpointError

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.fixture
def written(tmp_path):
    """A file of this header, given as values or as text, and so many bytes behind it."""

    def write(header, n_bytes=8, n_header=None):
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "x.safetensors"
        length = len(raw) if n_header is None else n_header
        path.write_bytes(length.to_bytes(8, "little") + raw + bytes(n_bytes))
        return path

    return write


def failure(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_header(path)
    assert caught.value.path == path
    message = str(caught.value)
    start, end = f"{str(path)!r} is no complete safetensors file: ", "\nDownload or save it again."
    assert message.startswith(start)
    assert message.endswith(end)
    return message[len(start) : -len(end)]


def test_what_safetensors_writes_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {
        "a": torch.zeros(2, 3),
        "b": torch.zeros(4, dtype=torch.bfloat16),
        "empty": torch.zeros(0, 5),
        "scalar": torch.zeros((), dtype=torch.int64),
        "small": torch.zeros(3).to(torch.float8_e4m3fn),
    }
    save_file(tensors, path, {"format": "pt"})

    header = read_header(path)

    assert header.metadata == {"format": "pt"}
    assert header.n_bytes == path.stat().st_size
    assert header.entries.keys() == tensors.keys()
    for name, tensor in tensors.items():
        entry = header.entries[name]
        assert (entry.shape, entry.n_values) == (tuple(tensor.shape), tensor.numel())
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert entry.stop - entry.start == tensor.nbytes


def test_places_are_counted_from_the_start_of_the_file(written):
    path = written({"a": ONE})
    start = path.stat().st_size - 8
    assert read_header(path).entries == {"a": Entry("float32", (2,), start, start + 8)}


def test_four_bits_a_value(written):
    path = written({"a": {"dtype": "F4", "shape": [16], "data_offsets": [0, 8]}})
    assert read_header(path).entries["a"].n_values == 16


@pytest.mark.parametrize(
    ("header", "n_bytes", "message"),
    [
        ({"a": ONE}, 7, "it ends early: expected {0} bytes, found {1}"),
        ({"a": ONE}, 9, "it goes on behind its last tensor: expected {0} bytes, found {1}"),
        (
            {"a": {**ONE, "shape": [3]}},
            8,
            "'a' is [3] of float32, expected 12 bytes, found 8",
        ),
        (
            {"a": {**ONE, "data_offsets": [8, 0]}},
            8,
            "'a' is [2] of float32, expected 8 bytes, found -8",
        ),
        (
            {"a": {**ONE, "shape": [2**62, 2**62]}},
            8,
            f"'a' is [{2**62}, {2**62}] of float32, expected {2**126} bytes, found 8",
        ),
        ({"a": {**ONE, "shape": [1] * 17}}, 8, "'a' has 17 dimensions"),
        (
            {"a": {**ONE, "shape": [-2]}},
            8,
            "'a' has a size that is no number: {{'dtype': 'F32', 'shape': [-2], "
            "'data_offsets': [0, 8]}}",
        ),
        (
            {"a": {**ONE, "shape": [2.0]}},
            8,
            "'a' has a size that is no number: {{'dtype': 'F32', 'shape': [2.0], "
            "'data_offsets': [0, 8]}}",
        ),
        (
            {"a": {**ONE, "dtype": "F33"}},
            8,
            "its header describes 'a' as {{'dtype': 'F33', 'shape': [2], 'data_offsets': [0, 8]}}",
        ),
        ({"a": 5}, 8, "its header describes 'a' as 5"),
        ({"a": ONE, "b": ONE}, 8, None),
        ({"__metadata__": [], "a": ONE}, 8, "its __metadata__ is no JSON object"),
        (b'{"a":1,"a":2}', 8, "its header is no JSON: a name is in it twice"),
        (b"[]", 8, "its header begins with b'[]', not with '{{'"),
        (b"{\xff", 8, None),
        (b"{" + b'"a":[' * 100_000, 8, None),
    ],
)
def test_a_header_that_is_wrong(written, header, n_bytes, message):
    path = written(header, n_bytes)
    size = path.stat().st_size
    found = failure(path)
    if message is not None:
        assert found == message.format(size - n_bytes + 8, size)


def test_tensors_that_overlap_or_leave_a_gap(written):
    path = written({"a": ONE, "b": ONE})
    start = path.stat().st_size - 8
    assert failure(path) == (
        f"'b' overlaps the one before: expected at byte {start + 8}, found at {start}"
    )
    path = written({"a": {**ONE, "data_offsets": [8, 16]}}, 16)
    start = path.stat().st_size - 16
    assert failure(path) == f"'a' follows a gap: expected at byte {start}, found at {start + 8}"


@pytest.mark.parametrize("n_header", [9, 2**40, 2**64 - 1])
def test_a_header_longer_than_the_file(written, n_header):
    path = written(b"", 0, n_header)
    assert failure(path) == f"its header should be {n_header} bytes, the file is 8"


def test_a_file_of_a_few_bytes(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x01")
    assert failure(path) == "its header should be 1 bytes, the file is 1"


def test_a_huge_header_is_not_read(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write((2 * 10**9).to_bytes(8, "little"))
        file.truncate(3 * 10**9)

    tracemalloc.start()
    reason = failure(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert reason == "its header of 2000000000 bytes is over 16000000"
    assert peak < 1e6


def test_no_file_and_no_right_to_read(tmp_path):
    missing, pipe = tmp_path / "x", tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    for path, why in (
        (missing, " cannot be read: No such file or directory"),
        (tmp_path, " is a folder, not a file"),
        (pipe, " is a pipe, socket or device, not a file"),
        (Path("/dev/zero"), " is a pipe, socket or device, not a file"),
    ):
        with pytest.raises(CheckpointError) as caught:
            read_header(path)
        assert str(caught.value) == f"{str(path)!r}{why}"


def test_every_dtype_that_safetensors_writes_has_its_size(tmp_path):
    dtypes = {getattr(torch, name): n_bits for name, n_bits in DTYPES.values() if n_bits >= 8}
    assert {dtype: dtype.itemsize * 8 for dtype in dtypes} == dtypes

    for dtype in dtypes:
        path = tmp_path / "x.safetensors"
        save_file({"x": torch.zeros(3, dtype=dtype)}, path)
        (entry,) = read_header(path).entries.values()
        assert (entry.dtype, entry.shape) == (str(dtype).removeprefix("torch."), (3,))
