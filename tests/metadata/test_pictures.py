"""Pictures carry their settings as A1111 writes them, and are written whole or not at all."""

import json
import zlib
from dataclasses import replace

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clipcond.errors import ArgumentError, CheckpointError, PictureError
from clipcond.files import check_writable
from clipcond.metadata import Parameters, read_parameters, save_picture

TEXTS = ["", "a cat\nSteps: 2", "一只猫 🐱\nNegative prompt: é\nSteps: 2, Seed: 1, Size: 8x6"]


def picture():
    return Image.effect_mandelbrot((8, 6), (-2, -1, 1, 1), 50)


@pytest.mark.parametrize("ending", ["png", "PNG", "jpg", "jpeg", "webp"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_picture_keeps_its_settings(tmp_path, text, ending):
    path = tmp_path / f"out.{ending}"
    save_picture(picture().convert("RGB"), path, text)

    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    with Image.open(path) as image:
        if ending != "jpg" and ending != "jpeg":
            assert image.convert("RGB").tobytes() == picture().convert("RGB").tobytes()
        if ending == "png":
            assert image.text == ({"parameters": text} if text else {})
    if text:
        assert read_parameters(path).text() == text
    else:
        with pytest.raises(PictureError, match="does not say how it was made"):
            read_parameters(path)
        path.with_suffix(".txt").write_text(TEXTS[1])
        with pytest.raises(PictureError, match=r"There is '.*out\.txt'"):
            read_parameters(path)


def tools_graph(prompt):
    inputs = {"seed": 5, "steps": 20, "cfg": 8.0, "positive": ["6", 0], "model": ["4", 0]}
    return {
        "3": {"class_type": "KSampler", "inputs": inputs},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt}},
    }


def exif(comment):
    made = Image.Exif()
    made.get_ifd(0x8769)[0x9286] = comment
    return made.tobytes()


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + "a 猫, x\nSteps: 3".encode("utf-16-be"),
        b"UNICODE\0" + "a 猫, x\nSteps: 3".encode("utf-16-le"),
        b"UNICODE\0" + "\ufeffa 猫, x\nSteps: 3".encode("utf-16-le"),
        b"UNICODE\0" + "\ufeffa 猫, x\nSteps: 3".encode("utf-16-be"),
        b"ASCII\0\0\0" + "a 猫, x\nSteps: 3".encode(),
        bytes(8) + "a 猫, x\nSteps: 3".encode(),
    ],
)
@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
def test_comments_of_other_programs(tmp_path, comment, ending):
    path = tmp_path / f"civitai.{ending}"
    picture().save(path, exif=exif(comment))

    found = read_parameters(path)

    assert (found.prompt, found.steps) == ("a 猫, x", 3)


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_a_prompt_alone_is_read_back_and_a_photographs_comment_is_none(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    save_picture(picture().convert("RGB"), path, Parameters(prompt="a 猫"))
    assert read_parameters(path) == replace(Parameters(prompt="a 猫"), _folder=str(tmp_path))

    made = Image.Exif()
    made[0x010F] = "a camera's maker"
    made.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "our garden".encode("utf-16-be")
    for photograph in (made.tobytes(), exif(b"ASCII\0\0\0our garden"), exif(bytes(20))):
        picture().convert("RGB").save(path, exif=photograph)
        with pytest.raises(PictureError, match="does not say how it was made"):
            read_parameters(path)


def test_texts_behind_the_pixels_comments_of_jpeg_and_txt_files(tmp_path):
    picture().save(tmp_path / "comment.jpg", comment=b"a cat\nSteps: 3")
    (tmp_path / "beside.txt").write_bytes(b"\xef\xbb\xbfa cat\r\nSteps: 3\r\n")
    info = PngInfo()
    info.add(b"tEXt", b"parameters\0a cat\nSteps: 3", after_idat=True)
    picture().save(tmp_path / "late.png", pnginfo=info)

    for name in ("comment.jpg", "beside.txt", "late.png"):
        assert read_parameters(tmp_path / name).text() == "a cat\nSteps: 3", name


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("一只猫".encode(), "一只猫"),
        ("café 🐱 naïve".encode(), "café 🐱 naïve"),
        ("café".encode("latin-1"), "café"),
        ("Größe, ein Café".encode("latin-1"), "Größe, ein Café"),
        ("é".encode() + b"\xe9", "Ã©é"),  # no UTF-8
        (b"a cat", "a cat"),
    ],
)
def test_png_texts_in_utf_8_and_latin_1(tmp_path, kind, content, prompt):
    for late in (False, True):
        info = PngInfo()
        words = content + b"\nSteps: 3"
        chunk = words if kind == b"tEXt" else b"\0" + zlib.compress(words)
        info.add(kind, b"parameters\0" + chunk, after_idat=late)
        picture().save(tmp_path / "a.png", pnginfo=info)
        found = read_parameters(tmp_path / "a.png")
        assert (found.prompt, found.steps) == (prompt, 3)


def test_other_texts_of_png_files_keep_their_letters(tmp_path):
    odd = "Ã©, Ã¤\nSteps: 3"  # letters that are UTF-8 as bytes of Latin-1
    info = PngInfo()
    info.add_itxt("parameters", odd)
    picture().save(tmp_path / "itxt.png", pnginfo=info)
    assert read_parameters(tmp_path / "itxt.png").prompt == "Ã©, Ã¤"
    made = Parameters("Ã©, Ã¤", steps=3)
    save_picture(picture(), tmp_path / "own.png", made)
    assert read_parameters(tmp_path / "own.png").prompt == made.prompt
    for name, ending in (("prompt", "comfy"), ("parameters", "swarm")):
        words = json.dumps(
            tools_graph("一只猫") if ending == "comfy" else
            {"sui_image_params": {"prompt": "一只猫", "steps": 3}}, ensure_ascii=False
        )  # fmt: skip
        info = PngInfo()
        info.add(b"tEXt", name.encode() + b"\0" + words.encode())
        picture().save(tmp_path / f"{ending}.png", pnginfo=info)
        assert read_parameters(tmp_path / f"{ending}.png").prompt == "一只猫", ending


def test_what_is_no_picture_says_so(tmp_path):
    (tmp_path / "text.png").write_text("a cat")
    picture().save(tmp_path / "cut.png")
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])

    for path, why in {
        tmp_path / "text.png": "is no picture that Pillow can read",
        tmp_path / "cut.png": "cannot be read as a picture",
        tmp_path / "none.png": "there is no picture",
        tmp_path: "is a folder, not a picture",
        str(tmp_path): "is a folder, not a picture",
        str(tmp_path / "none.txt"): "there is no picture",
        str(tmp_path / "none.webp"): "there is no picture",
    }.items():
        with pytest.raises(PictureError, match=why):
            read_parameters(path)
    with pytest.raises(PictureError, match="a file or a text, not int"):
        read_parameters(3)


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
        save_picture(Broken(), path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out.png", b"old")]


def test_comments_that_are_no_parameters(tmp_path):
    """Of editors and cameras; a PNG's own text "parameters" counts whatever it says."""
    for i, comment in enumerate((b"Created with GIMP", b"CREATOR: gd-jpeg v1.0, quality = 82")):
        picture().save(tmp_path / f"{i}.jpg", comment=comment)
    for i, words in enumerate(("Screenshot", " " * 60)):
        picture().save(tmp_path / f"exif{i}.jpg", exif=exif(b"ASCII\0\0\0" + words.encode()))
    for path in tmp_path.iterdir():
        with pytest.raises(PictureError, match="does not say how it was made"):
            read_parameters(path)
    save_picture(picture(), tmp_path / "own.png", "a cat")
    assert read_parameters(tmp_path / "own.png").prompt == "a cat"


def test_encodings(tmp_path):
    words = "一只猫\nNegative prompt: 狗\nSteps: 3"
    for i, encoding in enumerate(("utf-8", "utf-8-sig", "utf-16")):
        (tmp_path / f"{i}.txt").write_text(words, encoding)
        assert read_parameters(tmp_path / f"{i}.txt").text() == words
    picture().save(tmp_path / "utf8.jpg", exif=exif(b"UNICODE\0" + words.encode()))
    assert read_parameters(tmp_path / "utf8.jpg").text() == words
    for i, content in enumerate((words.encode("gbk"), bytes(range(256)), b"a\0b")):
        (tmp_path / f"bad{i}.txt").write_bytes(content)
        with pytest.raises(PictureError, match="is no text"):
            read_parameters(tmp_path / f"bad{i}.txt")


def test_what_a_file_cannot_hold_is_refused(tmp_path):
    long = "x" * 33_000
    for text, name, why in (
        (long, "a.jpg", "holds 32,500 characters of parameters, not 33,000"),
        ("a\ud800b", "a.png", "half a character"),
        ("a", "a.gif", "pictures are written as .png, .jpg, .jpeg, .webp"),
    ):
        with pytest.raises(ArgumentError, match=why):
            save_picture(picture().convert("RGB"), tmp_path / name, text)
    assert not [*tmp_path.iterdir()]
    save_picture(picture(), str(tmp_path / "a.png"), Parameters(long, steps=2))
    assert read_parameters(str(tmp_path / "a.png")).prompt == long
