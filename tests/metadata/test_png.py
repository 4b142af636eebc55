"""PNG files carry their settings as A1111 writes them, and are written whole or not at all."""

import json

import pytest
from PIL import Image

from clipcond.errors import CheckpointError
from clipcond.files import check_writable
from clipcond.metadata.png import parameters_text, save_png


def test_settings_as_a1111_writes_them():
    settings = {"Steps": 20, "Model": "a, b", "Note": 'say "hi"', "Tower": "C:\\x", "Seed": 0}

    assert parameters_text("a cat", "blurry", settings) == (
        "a cat\nNegative prompt: blurry\n"
        f'Steps: 20, Model: "a, b", Note: {json.dumps(settings["Note"])}, '
        f"Tower: {json.dumps(settings['Tower'])}, Seed: 0"
    )
    assert parameters_text("a cat", "", {"Steps": 2}) == "a cat\nSteps: 2"


@pytest.mark.parametrize("parameters", ["", "a cat\nSteps: 2", "一只猫 🐱\nSteps: 2"])
def test_a_picture_keeps_pixels_and_settings(tmp_path, parameters):
    picture = Image.effect_mandelbrot((8, 6), (-2, -1, 1, 1), 50)
    save_png(picture, tmp_path / "out.png", parameters)

    with Image.open(tmp_path / "out.png") as image:
        assert image.tobytes() == picture.tobytes()
        assert image.text == ({"parameters": parameters} if parameters else {})
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_what_cannot_be_written_is_found_before_the_work(tmp_path):
    (tmp_path / "folder.png").mkdir()
    failures = {
        tmp_path / "folder.png": "is a folder; a file name is needed",
        tmp_path / "none" / "out.png": "cannot be written: No such file or directory",
        tmp_path / f"{'x' * 300}.png": "cannot be written: File name too long",
    }
    for path, message in failures.items():
        with pytest.raises(CheckpointError) as caught:
            check_writable(path)
        assert str(caught.value) == f"{str(path)!r} {message}"
        assert caught.value.path == path
    check_writable(tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_failure_leaves_the_old_picture(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    class Broken:
        def save(self, file, **_):
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError, match="cannot be written: No space left on device"):
        save_png(Broken(), path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out.png", b"old")]
