"""Textual inversions in pickles, and in files that are damaged, too large or not there."""

import re
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from clipcond.checkpoints import textual_inversions
from tests.checkpoints.made_files import sparse
from tests.checkpoints.test_textual_inversions import KNOWN, a1111, refused, vectors


def test_a_pickle_is_opened_only_if_asked_for(tmp_path):
    path = tmp_path / "foo.pt"
    torch.save(a1111(vectors()), path)

    assert refused(path) == (
        "FILE is a pickle, which can run code when opened\n"
        "Use the model's .safetensors version, or say allow_pickle=True: then torch 2.10 or newer "
        "reads weights out of it and nothing else."
    )


def test_a_torch_that_does_not_open_pickles_safely(tmp_path, monkeypatch):
    path = tmp_path / "foo.pt"
    torch.save(a1111(vectors()), path)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")

    assert refused(path, allow_pickle=True) == (
        "FILE is a pickle, and torch 2.9.1+cpu cannot open one safely\n"
        "Install torch 2.10 or newer, or use a safetensors file."
    )


class Evil:
    """A pickle of it makes a file when it is opened without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_pickle_does_not_run(tmp_path):
    path = tmp_path / "foo.pt"
    torch.save({"string_to_param": {"*": Evil(tmp_path / "made")}}, path)

    assert refused(path, allow_pickle=True) == (
        "FILE holds more than weights, or is damaged: it calls io.open, which weights do not need\n"
        "Use the model's .safetensors version, or convert it on a machine that may run its code."
    )
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "FILE is no complete safetensors file: it is empty"),
        (b"no pickle", "FILE is no safetensors file but text: 'no pickle'"),
        (b"PK\x03\x04", "FILE is no whole archive of torch's: "),
        (b"\x80\x02}q\x00.", "FILE cannot be read: it is damaged"),
        (bytes(range(200, 255)), "FILE cannot be read: it is damaged"),
    ],
)
def test_a_damaged_pickle(tmp_path, content, message):
    path = tmp_path / "foo.bin"
    path.write_bytes(content)

    assert refused(path, allow_pickle=True).startswith(message)


def test_a_zip_that_grows(tmp_path):
    path = tmp_path / "foo.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("foo/data.pkl", bytes(65 * 2**20))
    assert path.stat().st_size < 2**20

    assert refused(path, allow_pickle=True) == (
        "FILE is no whole archive of torch's: 'foo/data.pkl' unpacks from 66261 to 68157440 bytes; "
        "torch stores without compression\nDownload or save it again."
    )


def test_a_whole_model_is_not_read(tmp_path, monkeypatch):
    path = sparse(tmp_path / "model.safetensors", {"<foo>": (2, 32)}, 7 * 2**30)
    monkeypatch.setattr(textual_inversions, "StoredTensors", None)

    assert refused(path) == (
        "FILE: no textual inversion: it holds a UNet or transformer (unknown)\n" + KNOWN
    )


def test_vectors_as_large_as_a_model_are_not_read(tmp_path):
    path = tmp_path / "foo.safetensors"
    save_file({"<foo>": torch.zeros(2**19, 33)}, path)
    assert refused(path) == f"FILE: no textual inversion: its vectors have 66 MB\n{KNOWN}"


def test_a_truncated_file(tmp_path):
    path = tmp_path / "foo.safetensors"
    save_file({"emb_params": vectors()}, path)
    path.write_bytes(path.read_bytes()[:-7])

    message = refused(path)
    assert re.match(
        r"FILE is no complete safetensors file: .+\nDownload or save it again\.", message
    )


def test_errors_about_the_content_name_the_file(tmp_path):
    path = tmp_path / "foo.safetensors"
    save_file({"a.weight": vectors(), "b": vectors(seed=6)}, path)

    assert refused(path) == (
        f"FILE: no textual inversion: it holds 2 tensors, such as 'a.weight'\n{KNOWN}"
    )


def test_files_that_are_not_there(tmp_path):
    assert refused(tmp_path / "foo.safetensors") == "there is no file FILE"
    (tmp_path / "easynegative.safetensors").touch()
    path = tmp_path / "easynegativ.safetensors"
    assert refused(path) == (
        f"there is no file FILE\nDid you mean {str(tmp_path / 'easynegative.safetensors')!r}?"
    )
    assert refused(tmp_path) == (
        "FILE holds no textual inversion\n"
        "Looked for learned_embeds.safetensors, learned_embeds.bin."
    )
