"""Models that are not there, full disks, interrupts: one message, nothing lost."""

import signal
import subprocess
import sys

import pytest
from PIL import Image

LENGTH = 77


def test_a_model_that_is_not_there(run):
    outcome = run("generate", "a cat", "--model", "./modle")

    assert outcome == (
        1,
        "",
        "clipcond: There is no file or folder './modle'.\n"
        "Give a diffusers folder, a .safetensors file, or an id on the Hub: owner/name.\n",
    )


def test_a_corrupt_model(run, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\x10" * 1000)
    outcome = run("generate", "a cat", "--model", "model.safetensors")

    assert outcome[:2] == (1, "")
    n_bytes = int.from_bytes(b"\x10" * 8, "little")
    assert outcome.err == (
        "clipcond: 'model.safetensors' is no complete safetensors file: its header should be "
        f"{n_bytes} bytes, the file is 1000\nDownload or save it again.\n"
    )


def test_what_nobody_foresaw_is_one_message_too(generate, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("clipcond.cli.pictures.draw", fail)
    assert generate("a cat")[:2] == (1, "")
    message = generate("a cat").err
    assert message.startswith("clipcond: unexpected ZeroDivisionError: of all things\n")

    monkeypatch.setenv("CLIPCOND_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        generate("a cat")


def test_a_full_disk_leaves_the_old_picture(generate, monkeypatch, tmp_path):
    generate("a cat")
    before = (tmp_path / "out.png").read_bytes()

    def fill(image, file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fill)
    outcome = generate("a dog")

    assert outcome[:2] == (1, "")
    assert outcome.err.endswith("clipcond: 'out.png' cannot be written: No space left on device\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    assert (tmp_path / "out.png").read_bytes() == before


@pytest.mark.slow
def test_an_interrupt_ends_cleanly(sd_folder, tmp_path):
    argv = ["-m", "clipcond", "generate", "a cat", "--model", sd_folder, "--steps", "20"]
    with subprocess.Popen(
        [sys.executable, *argv, "--count", "1000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else ignored behind "&"
    ) as process:
        first = process.stdout.readline()  # a batch is whole, the next is on its way
        process.send_signal(signal.SIGINT)
        # not `communicate`, which loses what came with the first line: the others of its batch
        out, err = process.stdout.read(), process.stderr.read()

    assert process.wait(timeout=60) == 130
    assert err.splitlines()[-1] == "clipcond: interrupted"
    assert "Traceback" not in err
    names = {path.name for path in tmp_path.iterdir()}
    assert names == set((first + out).split())
    for name in names:
        with Image.open(tmp_path / name) as image:
            image.load()
