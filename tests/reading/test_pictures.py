"""Pictures of every kind, and what is none: what is read, and what is said."""

import contextlib
import io
import struct
import tempfile
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from clipcond.errors import PictureError
from clipcond.metadata import Parameters, read_parameters, save_picture
from clipcond.reading import (
    ImageIndex,
    ZeroShotClassifier,
    clip_score,
    draw_score_matrix,
    interrogate,
    load_encoder,
    pictures_in,
    read_picture,
    score_parts,
)
from tests.reading.made import picture


def said(path) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    assert str(caught.value.path) == ("" if isinstance(path, Image.Image) else str(path))
    return caught.value.message.replace(str(path), "FILE")


def pixel(image, at=(0, 0)):
    return image.getpixel(at)


def test_a_file_and_its_picture_are_the_same(tmp_path):
    image = picture(20, 10)
    image.save(tmp_path / "a.png")

    assert read_picture(tmp_path / "a.png").tobytes() == image.tobytes()
    assert read_picture(str(tmp_path / "a.png")).tobytes() == image.tobytes()
    assert read_picture(image).tobytes() == image.tobytes()


class Stream:
    """A file that can be read once, as a network gives it."""

    def __init__(self, content):
        self._file = io.BytesIO(content)

    def read(self, size=-1):
        return self._file.read(size)


def forms_of(path):
    """What may stand for a picture: its bytes, however they are kept, and open files."""
    content = path.read_bytes()
    at_end = io.BytesIO()
    at_end.write(content)
    spooled = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - what a web server gives
    spooled.write(content)
    return [
        content, bytearray(content), memoryview(content), io.BytesIO(content), at_end, spooled,
        path.open("rb"), Stream(content),
    ]  # fmt: skip


def test_bytes_and_open_files_are_pictures(tmp_path):
    image = picture(20, 10)
    image.save(tmp_path / "a.png")
    for form in forms_of(tmp_path / "a.png"):
        with contextlib.closing(form) if hasattr(form, "close") else contextlib.nullcontext():
            at = form.tell() if hasattr(form, "tell") else None
            assert read_picture(form).tobytes() == image.tobytes(), type(form)
            assert at is None or form.tell() == at


def test_every_reading_function_takes_them(tmp_path):
    """One, several, the same open file twice: in threads, each is read whole."""
    save_picture(picture(20, 10), tmp_path / "a.png", Parameters("red", steps=3))
    path, encoder = tmp_path / "a.png", load_encoder("embedded")
    expected = encoder.encode_image(path)
    index = ImageIndex(encoder)
    index.add(path)
    for form in (path.read_bytes(), io.BytesIO(path.read_bytes())):
        assert torch.equal(encoder.encode_image(form), expected)
        assert torch.equal(encoder.encode_image([form] * 40), encoder.encode_image([path] * 40))
        assert torch.equal(encoder.encode_pictures(form).embeds, expected)
        assert index.search(form, image=form) == index.search(path, image=path)
        assert clip_score(encoder, form, "red") == clip_score(encoder, path, "red")
        assert score_parts(encoder, form, "red") == score_parts(encoder, path, "red")
        assert draw_score_matrix(encoder, [form], ["red"])[0].shape == (1, 1)
        assert draw_score_matrix(encoder, form, ["red"])[0].shape == (1, 1)
        assert ZeroShotClassifier(encoder, ["red", "blue"])(form, top_k=1)
        assert interrogate(encoder, form, ["colours"]).prompt
        assert read_parameters(form) == read_parameters(path)
    bad = encoder.encode_pictures([b"", path.read_bytes(), b"no picture"]).bad
    assert [(each.place, each.error.message) for each in bad] == [
        (place, "the picture is no picture that Pillow can read") for place in (0, 2)
    ]


def test_what_no_picture_can_be_read_of(tmp_path, monkeypatch):
    closed = io.BytesIO(b"x")
    closed.close()
    picture(20, 10).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    cases = [
        (io.StringIO("text"), "the picture's file gives no bytes"),
        (closed, "the picture cannot be read as a picture: I/O operation on closed file"),
        (content[:-30], "the picture cannot be read as a picture: image file is truncated"),
        (b"cat.png", "the picture is no picture that Pillow can read"),
    ]
    for form, message in cases:
        with pytest.raises(PictureError) as caught:
            read_picture(form)
        assert caught.value.message.startswith(message)
    monkeypatch.setattr("clipcond.reading.pictures.MOST_BYTES", 100)
    for endless in (open("/dev/zero", "rb", buffering=0), io.BytesIO(content)):  # noqa: SIM115
        with endless, pytest.raises(PictureError, match="has more than 100 bytes"):
            read_picture(endless)
    with pytest.raises(PictureError, match=r"paths are files or folders, .* not a bytes"):
        ImageIndex(load_encoder("embedded")).add(content)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture(20, 10).save(tmp_path / "a.png", exif=exif)

    with Image.open(tmp_path / "a.png") as stored:
        expected = ImageOps.exif_transpose(stored).tobytes()
    assert read_picture(tmp_path / "a.png").tobytes() == expected
    assert read_picture(tmp_path / "a.png").size == ((10, 20) if orientation > 4 else (20, 10))


def test_what_is_transparent_is_laid_over_white(tmp_path):
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.putpixel((1, 1), (255, 0, 0, 255))
    clear.putpixel((2, 2), (0, 0, 0, 128))
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 1), 1)
    clear.save(tmp_path / "rgba.png")
    palette.save(tmp_path / "palette.png", transparency=0)
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "la.png")

    assert pixel(read_picture(tmp_path / "rgba.png")) == (255, 255, 255)
    assert pixel(read_picture(tmp_path / "rgba.png"), (1, 1)) == (255, 0, 0)
    assert pixel(read_picture(tmp_path / "rgba.png"), (2, 2)) == (127, 127, 127)
    assert pixel(read_picture(tmp_path / "palette.png")) == (255, 255, 255)
    assert pixel(read_picture(tmp_path / "palette.png"), (1, 1)) == (200, 100, 50)
    assert pixel(read_picture(tmp_path / "la.png")) == (255, 255, 255)


def test_16_bits_are_scaled_to_8(tmp_path):
    values = np.array([[0, 257, 32896, 65535, 128, 129]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    Image.fromarray(values).save(tmp_path / "deep.tif")

    for name in ("deep.png", "deep.tif"):
        assert [p[0] for p in np.asarray(read_picture(tmp_path / name))[0]] == [
            0,
            1,
            128,
            255,
            0,
            1,
        ]
    assert pixel(read_picture(Image.fromarray(values.astype(np.int32))), (3, 0)) == (255,) * 3


def test_32_bits_whose_white_nothing_says_are_refused(tmp_path):
    for values in ([0, 200, 255], [0, 70_000], [-1, 300], [1]):
        image = Image.fromarray(np.array([values], np.int32))
        image.save(tmp_path / "deep.tif")
        for given in (image, tmp_path / "deep.tif"):
            with pytest.raises(PictureError, match="nothing says which is white"):
                read_picture(given)
    assert pixel(read_picture(Image.new("I", (2, 2)))) == (0, 0, 0)


def test_other_modes_are_converted_as_pillow_does(tmp_path):
    for mode, name in (("CMYK", "a.jpg"), ("L", "a.png"), ("1", "b.png"), ("P", "a.gif")):
        image = picture(9, 7).convert(mode)
        image.save(tmp_path / name)
        with Image.open(tmp_path / name) as stored:
            assert read_picture(tmp_path / name).tobytes() == stored.convert("RGB").tobytes()


def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        choices = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **choices)
        assert pixel(read_picture(tmp_path / name)) == (255, 0, 0)


def test_what_is_no_picture_says_so(tmp_path):
    (tmp_path / "text.png").write_text("a cat")
    (tmp_path / "empty.jpg").write_bytes(b"")
    picture(64, 64).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.png").mkdir()

    assert said(tmp_path / "text.png") == "'FILE' is no picture that Pillow can read"
    assert said(tmp_path / "empty.jpg") == "'FILE' is no picture that Pillow can read"
    assert said(tmp_path / "cut.jpg").startswith("'FILE' cannot be read as a picture: ")
    assert said(tmp_path / "none.png") == "there is no picture 'FILE'"
    assert said(tmp_path / "folder.png") == "'FILE' is a folder, not a picture"
    assert "floating point" in said(Image.new("F", (3, 3)))
    with pytest.raises(PictureError, match=r"a picture is a file, its bytes or .* not int"):
        read_picture(3)
    with pytest.raises(PictureError, match="cannot be a path"):
        read_picture("a\0.png")


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims this size and has next to nothing in it."""

    def part(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header)
    return start + part(b"IDAT", zlib.compress(b"\0" * 100)) + part(b"IEND", b"")


def test_a_decompression_bomb_is_refused(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_of(60_000, 60_000))

    message = said(tmp_path / "bomb.png")
    assert message == "'FILE' has more than 178,956,970 pixels, which may be an attack"


def test_a_large_picture_that_is_no_bomb_gives_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    picture(8, 7).save(tmp_path / "large.png")  # 56 pixels: above the limit, below twice

    assert read_picture(tmp_path / "large.png").size == (8, 7)


def test_the_pictures_of_a_folder(tmp_path):
    for name in ("b.PNG", "a.jpg", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    for name in ("sub", ".cache"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.webp").write_bytes(b"")

    found = [str(path.relative_to(tmp_path)) for path in pictures_in(tmp_path)]
    assert found == ["a.jpg", "b.PNG", "sub/c.webp"]
    with pytest.raises(PictureError, match="there is no folder"):
        pictures_in(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="there is no picture in"):
        pictures_in(tmp_path / "empty")
