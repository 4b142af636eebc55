"""What a pickle may unpack to is bounded by its own size, and nothing it calls can be large."""

import io
import pickle
import resource
from itertools import pairwise

import pytest
import torch

from clipcond import load_tower
from clipcond.checkpoints.old_pickles import read_old_pickle
from clipcond.checkpoints.pickle_guard import check_pickle
from clipcond.checkpoints.textual_inversions import load_inversion
from clipcond.errors import CheckpointError
from tests.failures import failures_of
from tests.parity.models import tower_l

N = 1_500_000_000
_DOUBLED = b"h\x00h\x00\x86q\x00" * 40
FOR_EVER = b"\x80\x02}X\x01\x00\x00\x00aq\x00" + _DOUBLED + b"K\x01s."  # to hash its key


class Calls:
    """Pickled as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def nested(n):
    inner = ("a", "b")
    for _ in range(n):
        inner = (inner, inner)
    return inner


LARGE = {  # each made when it is needed
    "bytearray": lambda: Calls(bytearray, N),
    "Tensor": lambda: Calls(torch.Tensor, N),
    "FloatTensor": lambda: Calls(torch.FloatTensor, N),
    "UntypedStorage": lambda: Calls(torch.UntypedStorage, N),
    "bytes": lambda: Calls(bytes, N),
    "list of bytearrays": lambda: [Calls(bytearray, N), Calls(bytearray, N)],
    "tuples": lambda: nested(40),
    "rows of one value": lambda: torch.ones(1).expand(10**9, 32),
    "columns of one value": lambda: torch.ones(2, 1).expand(2, 10**9),
    "sparse": lambda: torch.sparse_coo_tensor([[0], [1]], [1.0], (3, 32)),
    "CSR": lambda: torch.eye(32).to_sparse_csr(),
    "meta": lambda: torch.empty(3, 32, device="meta"),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(2, 32), 0.1, 0, torch.qint8),
}


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.filterwarnings("ignore")
def test_large_things_in_small_files(tmp_path):
    before = peak()

    def check(name):
        path = tmp_path / "x.pt"
        for is_new in (True, False):
            if not is_new and name == "meta":
                continue
            values = {"x": LARGE[name]()}
            torch.save(values, path, _use_new_zipfile_serialization=is_new)
            for read in (load_tower, lambda p, **k: load_inversion([tower_l()], p, **k)):
                with pytest.raises(CheckpointError) as caught:
                    read(path, allow_pickle=True)
                assert str(path) in str(caught.value)

    assert not failures_of(check, LARGE)
    assert peak() - before < 500


@pytest.mark.filterwarnings("ignore")
def test_what_a_refusal_says(tmp_path):
    path = tmp_path / "x.pt"
    expected = {
        "bytearray": "it calls builtins.bytearray, which weights do not need",
        "tuples": "it has tuples within tuples without end",
        "rows of one value": "'x' repeats its values: [1000000000, 32] of float32 out of 4 bytes",
        "sparse": "'x' is no plain tensor but sparse_coo",
    }

    def check(name):
        torch.save({"x": LARGE[name]()}, path)
        with pytest.raises(CheckpointError) as caught:
            load_tower(path, allow_pickle=True)
        assert expected[name].replace("builtins", "__builtin__") in str(caught.value).replace(
            "builtins.", "__builtin__."
        )

    assert not failures_of(check, expected)


def test_tensors_that_share_their_values_are_bounded_together(tmp_path):
    path, whole = tmp_path / "x.pt", torch.ones(500_000)
    torch.save({"a": whole, "b": whole}, path)  # tied weights are usual
    with pytest.raises(CheckpointError, match="holds no text tower"):
        load_tower(path, allow_pickle=True)
    torch.save({str(i): whole for i in range(50)}, path)
    with pytest.raises(CheckpointError, match="its tensors unpack to more than 4 times its size"):
        load_tower(path, allow_pickle=True)


def test_a_key_that_would_take_for_ever_to_hash():
    with pytest.raises(ValueError, match="tuples within tuples without end"):
        check_pickle(io.BytesIO(FOR_EVER))


def test_each_pickle_of_an_old_file_is_checked_before_torch_reads_one(tmp_path, monkeypatch):
    file, path = io.BytesIO(), tmp_path / "x.pt"
    torch.save({"x": torch.ones(2, 32)}, file, _use_new_zipfile_serialization=False)
    file.seek(0)
    ends = [0]
    while len(ends) <= 5:  # magic number, version, system, the values, their places
        check_pickle(file)
        ends.append(file.tell())
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch reads it"))

    for start, stop in pairwise(ends):
        path.write_bytes(file.getvalue()[:start] + FOR_EVER + file.getvalue()[stop:])
        with pytest.raises(CheckpointError) as caught:
            read_old_pickle(path, 10**6)
        assert "tuples within tuples without end" in str(caught.value.__cause__)


def test_too_many_instructions():
    with pytest.raises(ValueError, match="it has more than 400000 instructions"):
        check_pickle(io.BytesIO(b"\x80\x02" + b"N" * 500_000 + b"."))


def test_ordinary_pickles_pass():
    values = {"a": [1, 2.5, None, True, b"x", {"b": (1, 2)}, {3}, 10**40], "c": "d"}
    for protocol in (2, 3, 4):
        file = io.BytesIO(pickle.dumps(values, protocol) + b"rest")
        if protocol == 2:
            check_pickle(file)
            assert file.read() == b"rest"


@pytest.mark.parametrize(
    "content",
    [b"", b".", b"\x80\x02", b"\x80\x02R.", b"\x80\x02h\x05.", b"\x80\x02q\x00.", b"\x80\x02t.",
     b"\x80\x02\x85.", b"\x80\x02e.", b"no pickle"],
)  # fmt: skip
def test_pickles_that_are_none(content):
    with pytest.raises(ValueError, match=r"."):
        check_pickle(io.BytesIO(content))
