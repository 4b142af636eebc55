"""Pickles: never unless allowed, only weights, and only what is really in the file."""

import pickle
import pickletools
import shutil
import struct
import warnings
import zipfile

import pytest
import torch

from clipcond import load_tower
from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError
from tests.checkpoints.made_files import bare, clip, wrapped
from tests.checkpoints.test_single_file import SD1, assert_same

REMEDY = "Use the model's .safetensors version, or convert it on a machine that may run its code."


@pytest.fixture(scope="module")
def model():
    return clip(layers=2)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("pickles") / "model.ckpt"
    torch.save({"state_dict": wrapped(model, SD1), "epoch": 3, "config": {"lr": 0.1}}, path)
    return path


def failure(path, **choices) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_tower(path, **choices)
    return str(caught.value)


def not_whole(path) -> str:
    """Why an archive is refused."""
    message = failure(path, allow_pickle=True)
    start = f"{str(path)!r} is no whole archive of torch's: "
    assert message.startswith(start), message
    assert message.endswith("\nDownload or save it again.")
    return message[len(start) :].splitlines()[0]


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt", "model.safetensors"])
def test_a_pickle_must_be_allowed_whatever_it_is_called(saved, tmp_path, name):
    path = shutil.copy(saved, tmp_path / name)
    assert failure(path) == (
        f"{str(path)!r} is a pickle, which can run code when opened\n"
        "Use the model's .safetensors version, or say allow_pickle=True: then torch 2.10 "
        "or newer reads weights out of it and nothing else."
    )


def test_a_pickle_that_is_allowed(saved, model):
    assert_same(load_tower(saved, allow_pickle=True), model)


@pytest.mark.parametrize("version", ["2.9.1", "2.9.1+cpu", "1.13", "unknown"])
def test_an_old_torch_is_refused(saved, monkeypatch, version):
    monkeypatch.setattr(torch, "__version__", version)
    assert failure(saved, allow_pickle=True) == (
        f"{str(saved)!r} is a pickle, and torch {version} cannot open one safely\n"
        "Install torch 2.10 or newer, or use a safetensors file."
    )


def test_a_folder_with_a_pickle(model, tmp_path):
    model.save_pretrained(tmp_path)
    torch.save(wrapped(model), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()

    assert "say allow_pickle=True" in failure(tmp_path)
    assert_same(load_tower(tmp_path, allow_pickle=True), model)


class Evil:
    def __reduce__(self):
        return (open, ("made-by-evil", "w"))


def test_code_is_not_run(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": wrapped(model, SD1), "callbacks": Evil()}, path)

    message = failure(path, allow_pickle=True)

    assert message.startswith(f"{str(path)!r} holds more than weights, or is damaged: ")
    assert message.endswith(REMEDY)
    assert not (tmp_path / "made-by-evil").exists()


def test_the_format_before_torch_1_6(model, tmp_path):
    path = tmp_path / "old.pt"
    torch.save(wrapped(model), path, _use_new_zipfile_serialization=False)
    assert failure(path, allow_pickle=True) == (
        f"{str(path)!r} is neither safetensors nor an archive of torch 1.6 or newer\n"
        "If it is a pickle of an older torch, save it again with safetensors."
    )


def test_views_and_transposed_tensors_are_read_right(tmp_path):
    whole = torch.arange(60.0).reshape(6, 10)
    tensors = {"row": whole[2], "columns": whole[:, 3:5], "turned": whole.t(), "none": whole[:0]}
    torch.save({"model": {f"module.{name}": t for name, t in tensors.items()}}, tmp_path / "x.pt")

    header = read_any_header(tmp_path / "x.pt", allow_pickle=True)
    stored = StoredTensors(header.path, header.entries)

    assert stored.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(stored[name], tensor)


def test_what_holds_no_tensors(tmp_path):
    path = tmp_path / "x.pt"
    torch.save([torch.zeros(1)], path)
    assert failure(path, allow_pickle=True) == f"{str(path)!r} holds a list, not tensors by name"
    torch.save({"b": torch.zeros(1), "a": torch.eye(3).to_sparse()}, path)
    assert failure(path, allow_pickle=True) == (
        f"{str(path)!r}: 'a' is no plain tensor but sparse_coo\n"
        "Save it with .to_dense() or .dequantize()."
    )


# --- archives that are not what they say ---


def rewritten(source, target, change):
    """Make an archive again: change(name, content) gives (content, compression) or None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            changed = change(name, old.read(name))
            if changed is not None:
                new.writestr(name, changed[0], changed[1])
    return target


def stored(name, content):
    return content, zipfile.ZIP_STORED


def test_an_archive_cut_short(saved, tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(saved.read_bytes()[:-1000])
    assert not_whole(path) == "File is not a zip file"


def test_an_archive_that_unpacks_to_more_than_it_is(saved, tmp_path):
    def packed(name, content):
        is_values = name.endswith("data/0")
        return (bytes(10**8), zipfile.ZIP_DEFLATED) if is_values else stored(name, content)

    path = rewritten(saved, tmp_path / "x.pt", packed)
    size = path.stat().st_size
    found = not_whole(path)
    assert size < 8e6
    assert found.startswith("'model/data/0' unpacks from ")
    assert found.endswith(" to 100000000 bytes; torch stores without compression")


def test_values_that_are_missing_or_fewer_than_the_pickle_says(saved, tmp_path):
    def without(name, content):
        return None if name.endswith("data/3") else stored(name, content)

    key = f"{SD1}text_model.embeddings.position_embedding.weight"
    reason = f"{key!r} is [77, 64] of float16, expected 9856 bytes, found "
    missing = not_whole(rewritten(saved, tmp_path / "x.pt", without))
    assert missing.endswith(" of float16, expected 128 bytes, found 0")

    def fewer(name, content):
        return stored(name, content[:9000] if name.endswith("data/1") else content)

    path = rewritten(saved, tmp_path / "y.pt", fewer)
    assert not_whole(path).startswith(reason)


@pytest.mark.parametrize("member", ["version", "constants.pkl"])
def test_an_archive_without_a_pickle(tmp_path, member):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"x/{member}", "3")
    assert not_whole(path) == "it holds no data.pkl"


def test_a_pickle_in_an_archive_that_is_too_long(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", bytes(16_000_001))
    assert not_whole(path) == "'x/data.pkl' is 16000001 bytes, over 16000000"


# --- TorchScript ---


class Text(torch.nn.Module):
    """Parameters under the names of a state dict, as scripted modules keep them."""

    def __init__(self, weights):
        super().__init__()
        for name, tensor in weights.items():
            module = self
            *path, last = name.split(".")
            for part in path:
                if not hasattr(module, part):
                    module.add_module(part, torch.nn.Module())
                module = getattr(module, part)
            module.register_buffer(last, tensor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.fixture(scope="module")
def script(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("scripts") / "ViT-L-14.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is on its way out; the files stay
        weights = {f"{SD1}text_model.{k}": t for k, t in bare(model).items()}
        torch.jit.save(torch.jit.trace(Text(weights), torch.zeros(1)), path)
    return path


def test_torchscript_is_read_without_running_it(script, model, monkeypatch):
    monkeypatch.setattr(torch.jit, "load", None)
    monkeypatch.setattr(torch, "load", None)

    assert_same(load_tower(script, allow_pickle=True), model)


def with_pickle(script, target, inner):
    def change(name, content):
        return stored(name, inner if name.endswith("/data.pkl") else content)

    return rewritten(script, target, change)


def test_torchscript_is_a_pickle_too(script):
    assert "is a pickle, which can run code when opened" in failure(script)


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        (pickle.dumps(Evil(), 2), "it calls io.open, which weights do not need"),
        (b"\x80\x02c__torch__\nM\n)\x81.", None),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.", "Can only build Tensor"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", None),
        (b"\x80\x02cbuiltins\nobject\n)\x81.", "it calls builtins.object, which"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".", "expected 1099511627776 bytes"),
        (b"\x80\x02r\xff\xff\xff\xff.", None),  # a place in a memo of 4 billion
        (b"", ""),
    ],
)
def test_torchscript_that_does_more_than_hold_weights(script, tmp_path, inner, why):
    path = with_pickle(script, tmp_path / "x.pt", inner)
    message = failure(path, allow_pickle=True)
    if why is None:  # nothing in it, or broken off
        assert str(path) in message
        return
    start = (
        f"{str(path)!r} is a TorchScript archive whose tensors cannot be read without running it: "
    )
    assert message.startswith(start + why), message
    assert message.endswith(
        "\nWhere you trust it: torch.jit.load(path, map_location='cpu').state_dict(), saved with "
        "safetensors.torch.save_file."
    )


def test_torchscript_values_outside_their_member(script, tmp_path):
    with zipfile.ZipFile(script) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))
        inner = archive.read(name)
    largest = max(
        (a for op, a, _ in pickletools.genops(inner) if op.name == "BININT"), key=lambda a: a
    )
    forged = inner.replace(struct.pack("<i", largest), struct.pack("<i", 2**31 - 1))
    assert forged != inner
    # the number of values that a storage claims is not believed; where tensors lie is
    path = with_pickle(script, tmp_path / "x.pt", inner.replace(b"K\x40K\x01", b"K\x40K\x7f"))
    assert "bytes, found" in failure(path, allow_pickle=True)
