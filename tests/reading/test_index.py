"""An index of pictures: the same as brute force, saved whole, and embedded once only."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from clipcond.errors import CheckpointError, ClipcondWarning, PictureError, ReadingError
from clipcond.reading import ImageIndex, index_files, load_encoder
from clipcond.reading.vectors import nearest_rows
from tests.reading.made import clip, picture, pictures_at


def message_of(kind, act, *arguments, **named) -> str:
    with pytest.raises(kind) as caught:
        act(*arguments, **named)
    return str(caught.value)


COLOURS = {"red": (214, 46, 48), "green": (46, 160, 67), "blue": (44, 100, 222)}


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("embedded")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "pictures").mkdir()
    return pictures_at(tmp_path / "pictures")


@pytest.fixture
def counted(encoder, monkeypatch):
    """The files that are embedded."""
    seen = []
    embed = encoder.encoded_batches

    def counting(pictures, **kwargs):
        seen.extend(pictures)
        return embed(pictures, **kwargs)

    monkeypatch.setattr(encoder, "encoded_batches", counting)
    return seen


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_colours_are_found_by_text_by_picture_and_by_both(tmp_path, encoder):
    files = [tmp_path / f"{name}.png" for name in COLOURS]
    for file, colour in zip(files, COLOURS.values(), strict=True):
        Image.new("RGB", (64, 64), colour).save(file)
    index = ImageIndex(encoder)

    assert index.add(files).n_added == 3
    for file in files:
        assert index.search(f"{file.stem} background", k=1)[0][0] == file
        assert index.search(file, k=1) == [(file, pytest.approx(1))]
    (red,) = encoder.encode_image(files[0])
    text = encoder.encode_text("blue background")[0]
    for weight in (0, 0.3, 1):
        both = index.search("blue background", image=files[0], image_weight=weight, k=2)
        query = torch.nn.functional.normalize((1 - weight) * text + weight * red, dim=0)
        assert dict(both)[both[0][0]] == pytest.approx(float((index.embeds @ query).max()))
    assert index.search("red", k=9)[-1][1] < index.search("red", k=9)[0][1]
    assert len(index.search("red", k=9)) == 3


def test_blocks_find_what_sorting_all_finds(monkeypatch):
    monkeypatch.setattr("clipcond.reading.vectors.SCORES_AT_ONCE", 40)
    torch.manual_seed(0)
    rows = torch.randn(101, 8).round()  # with many equal products
    queries = torch.randn(5, 8).round()

    products, places = nearest_rows(rows, queries, 7)

    everything = queries @ rows.T
    assert torch.equal(products, everything.sort(descending=True).values[:, :7])
    assert torch.equal(products, everything.gather(1, places))
    assert all(len(set(row)) == 7 for row in places.tolist())
    equal = products[:, 1:] == products[:, :-1]
    assert bool(equal.any())
    assert bool((places[:, 1:] > places[:, :-1])[equal].all())  # earlier rows first


def test_files_are_embedded_once_and_again_when_they_change(tmp_path, files, encoder, counted):
    index = ImageIndex(encoder)
    index.add(files[:3])
    update = index.add([*files, files[0], str(files[1])])
    assert (update.n_added, update.n_changed, update.n_unchanged) == (len(files) - 3, 0, 3)
    assert counted == files

    picture(50, 50, 99).save(files[1])
    os.utime(files[1], ns=(1, 1))
    update = index.add(tmp_path / "pictures")

    assert (update.n_added, update.n_changed, update.n_unchanged) == (0, 1, len(files) - 1)
    assert counted[len(files) :] == [files[1]]
    assert index.paths == files  # in place
    torch.testing.assert_close(index.embeds, encoder.encode_image(files), atol=1e-5, rtol=0)


def test_bad_files_are_named_and_the_others_indexed(tmp_path, files, encoder, counted):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    cut = tmp_path / "cut.png"
    cut.write_bytes(files[0].read_bytes()[:200])
    gone = tmp_path / "gone.png"
    index = ImageIndex(encoder)

    update = index.add([text, files[0], gone, cut, files[1]])

    assert index.paths == files[:2]
    assert [path for path, _ in update.bad] == [text, cut, gone]
    assert update.bad[0][1] == f"{str(text)!r} is no picture that Pillow can read"
    assert update.bad[2][1] == f"{str(gone)!r} cannot be read: No such file or directory"
    assert update.n_added == 2

    n_seen = len(counted)
    assert [path for path, _ in index.add([text, cut]).bad] == [text, cut]
    assert len(counted) == n_seen  # they have not changed
    Image.open(files[2]).save(text)
    files[0].write_text("no picture any more")
    update = index.add([text, *files[:2]])
    assert (update.n_added, update.n_changed, update.n_unchanged) == (0, 1, 1)
    assert index.paths == [files[1], text]
    rows = encoder.encode_image([files[1], text])
    torch.testing.assert_close(index.embeds, rows, atol=1e-5, rtol=0)
    index.save(tmp_path / "saved")
    again = ImageIndex.open(tmp_path / "saved", encoder)
    assert again.paths == index.paths
    assert torch.equal(again.embeds, index.embeds)


def test_extreme_pictures_are_indexed_or_named(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    made = {"dot": (1, 1), "line": (1, 10_000), "bomb": (128, 128), "cut": (60, 60)}
    files = {name: tmp_path / f"{name}.jpg" for name in made}
    for name, size in made.items():
        picture(*size, 1).save(files[name])
    files["cut"].write_bytes(files["cut"].read_bytes()[:-300])
    index = ImageIndex(encoder)

    update = index.add(tmp_path)

    assert index.paths == [files["dot"], files["line"]]
    (bomb, why_bomb), (cut, why_cut) = update.bad
    assert (bomb, cut) == (files["bomb"], files["cut"])
    assert why_bomb == f"{str(bomb)!r} has more than 12,000 pixels, which may be an attack"
    assert why_cut.startswith(f"{str(cut)!r} cannot be read as a picture: image file is truncated")


def test_a_tower_that_makes_nan_is_refused(files, encoder, monkeypatch):
    monkeypatch.setattr(encoder, "_encode_pixels", lambda pixels: torch.full((1, 128), torch.nan))
    index = ImageIndex(encoder)

    assert "made NaN, infinity or only zeros of a picture" in message_of(
        ReadingError, index.add, files
    )
    assert len(index) == 0


def test_pictures_are_removed(tmp_path, files, encoder):
    index = ImageIndex(encoder)
    index.add(files)
    rows = index.embeds.clone()

    assert index.remove([files[0], "/nowhere.png"]) == 1
    files[2].unlink()
    assert index.remove_missing(tmp_path / "pict") == 0
    assert index.remove_missing(tmp_path / "pictures") == 1
    assert index.remove_missing() == 0

    assert index.paths == [files[1], *files[3:]]
    assert torch.equal(index.embeds, rows[[1, *range(3, len(files))]])
    assert index.add(files[0]).n_added == 1
    assert index.paths[-1] == files[0]


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_a_saved_index_is_the_same(tmp_path, files, encoder, ending, monkeypatch):
    if ending == ".jsonl":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    index = ImageIndex(encoder)
    index.add(files)
    index.save(tmp_path / "index")
    again = ImageIndex.open(tmp_path / "index", encoder)

    endings = sorted(Path(name).suffix for name in contents(tmp_path / "index"))
    assert endings == sorted([".json", ending, ".safetensors"])
    assert again.paths == index.paths
    assert torch.equal(again.embeds, index.embeds)
    assert again.search("red", k=3) == index.search("red", k=3)
    before = contents(tmp_path / "index")
    assert again.add(files, save_to=tmp_path / "index").n_unchanged == len(files)
    assert contents(tmp_path / "index") == before


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, files, encoder, monkeypatch):
    index = ImageIndex(encoder)
    index.add(files[:1])
    index.save(tmp_path / "index")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (table,) = (tmp_path / "index").glob("*.parquet")

    assert message_of(CheckpointError, ImageIndex.open, tmp_path / "index", encoder) == (
        f"{str(table)!r}: reading Parquet needs pyarrow, which is not installed\n"
        "Install it with: pip install pyarrow."
    )


def test_an_interrupted_run_goes_on_and_gives_the_same_bits(tmp_path, files, encoder, monkeypatch):
    monkeypatch.setattr("clipcond.reading.index_saving.SAVE_EVERY", 0.0)
    bad = tmp_path / "pictures" / "bad.png"
    bad.write_text("no picture")
    order = [*files[:2], bad, *files[2:]]
    ImageIndex(encoder).add(order, save_to=tmp_path / "whole", batch_size=2)

    embed, left = encoder.encoded_batches, 2

    def stopping(pictures, **kwargs):
        for i, batch in enumerate(embed(pictures, **kwargs)):
            if i == left:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(encoder, "encoded_batches", stopping)
    with pytest.raises(KeyboardInterrupt):
        ImageIndex(encoder).add(order, save_to=tmp_path / "resumed", batch_size=2)
    assert len(ImageIndex.open(tmp_path / "resumed", encoder)) == 3
    monkeypatch.undo()
    update = ImageIndex(encoder).add(order, save_to=tmp_path / "resumed", batch_size=2)

    assert (update.n_added, update.n_unchanged, len(update.bad)) == (len(files) - 3, 3, 1)
    assert contents(tmp_path / "resumed") == contents(tmp_path / "whole")


KILLED = """
import sys
from pathlib import Path
from clipcond.reading import ImageIndex, index_saving, load_encoder
index_saving.SAVE_EVERY = 0.0
ImageIndex(load_encoder("embedded")).add(sys.argv[1], save_to=sys.argv[2], batch_size=4)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_an_index_that_goes_on(tmp_path, encoder):
    (tmp_path / "pictures").mkdir()
    for i in range(400):
        picture(64, 64, i).save(tmp_path / "pictures" / f"{i:03}.png")
    target = tmp_path / "killed"
    code = [sys.executable, "-c", KILLED, str(tmp_path / "pictures"), str(target)]
    process = subprocess.Popen(code)
    while process.poll() is None and not list(target.glob("vectors-*")):
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert 0 < len(ImageIndex.open(target, encoder)) < 400
    for folder in (target, tmp_path / "whole"):
        ImageIndex(encoder).add(tmp_path / "pictures", save_to=folder, batch_size=4)
    assert contents(target) == contents(tmp_path / "whole")


def test_the_index_of_another_tower_is_refused(tmp_path, files, encoder):
    clip().save_pretrained(tmp_path / "other")
    from clipcond.tokenizers.clip_bpe import shipped_clip

    shipped_clip().save_pretrained(tmp_path / "other")
    other = load_encoder(tmp_path / "other")
    index = ImageIndex(other)
    index.add(files[:2])
    index.save(tmp_path / "index")

    place = str(tmp_path / "index")
    for act in (
        lambda: ImageIndex.open(place, encoder),
        lambda: ImageIndex(encoder).add(files, save_to=place),
    ):
        assert message_of(ReadingError, act) == (
            f"the index in {place!r} was made by another encoder: its vectors are of "
            f"{other.name!r} ({other.image_fingerprint()[:12]}), not of 'embedded' "
            f"({encoder.image_fingerprint()[:12]})\n"
            f"Open it with load_encoder({other.name!r}), or index the pictures again into "
            "another folder."
        )


def test_the_embedded_encoders_share_their_vision_half(tmp_path, files, encoder):
    index = ImageIndex(encoder)
    index.add(files)
    index.save(tmp_path / "index")

    chinese = ImageIndex.open(tmp_path / "index", load_encoder("embedded-zh"))

    assert torch.equal(chinese.embeds, index.embeds)


def test_another_index_is_not_mixed_in(tmp_path, files, encoder):
    ImageIndex(encoder).add(files[:2], save_to=tmp_path / "index")
    other = ImageIndex(encoder)
    other.add(files[2:])

    place = str(tmp_path / "index")
    assert message_of(ReadingError, other.add, files[1], save_to=place) == (
        f"{place!r} holds an index with other pictures than this one\n"
        f"Go on with that one, ImageIndex.open({place!r}, encoder), or save this one to another "
        "folder."
    )
    assert ImageIndex.open(place, encoder).paths == files[:2]


def damaged(folder: Path, what: str) -> None:
    (vectors,) = folder.glob("*.safetensors")
    content = bytearray(vectors.read_bytes())
    if what == "NaN":
        content[-4:] = b"\0\0\xc0\x7f"
        vectors.write_bytes(content)
    elif what == "cut":
        vectors.write_bytes(content[:-8])
    elif what == "missing":
        vectors.unlink()
    elif what == "table":
        next(folder.glob("*.parquet")).write_bytes(b"PAR1")
    elif what == "manifest":
        (folder / "index.json").write_text('{"kind": "clipcond image index", "format": 1}')
    elif what == "newer":
        manifest = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps(manifest | {"format": 2}))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("NaN", "a vector is NaN or not of length 1"),
        ("cut", "is damaged"),
        ("missing", "cannot be read"),
        ("table", "is damaged"),
        ("manifest", "is damaged: KeyError('parts')"),
        ("newer", "is no index that this version can open"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path, files, encoder, what, said):
    index = ImageIndex(encoder)
    index.add(files[:2])
    index.save(tmp_path / "index")
    damaged(tmp_path / "index", what)

    assert said in message_of(CheckpointError, ImageIndex.open, tmp_path / "index", encoder)


def test_wrong_questions_are_refused(tmp_path, files, encoder):
    index = ImageIndex(encoder)
    assert index.search("red") == []
    assert message_of(ReadingError, index.search, " ") == "the text to search for is empty"
    index.add(files[:2])

    assert message_of(ReadingError, index.search, "red", k=0) == "k is a whole number from 1, not 0"
    assert message_of(ReadingError, index.search, "red", image_weight=2.0) == (
        "image_weight is a number from 0 to 1, not 2.0"
    )
    nan = torch.full((1, 128), torch.nan)
    assert message_of(ReadingError, index.nearest, nan) == (
        "vectors are [m 128] without NaN, which these [1, 128] are not"
    )
    assert message_of(PictureError, index.add, 5) == (
        "paths are files or folders, one or a list, not an int"
    )
    assert message_of(CheckpointError, ImageIndex.open, tmp_path, encoder) == (
        f"no index is saved in {str(tmp_path)!r}: there is no index.json"
    )
    with pytest.warns(ClipcondWarning) as warned:
        index.search(str(files[0]))
    assert f"for the picture, give Path({str(files[0])!r})" in str(warned[0].message)


def test_a_failed_write_leaves_the_former_index(tmp_path, files, encoder, monkeypatch):
    index = ImageIndex(encoder)
    index.add(files[:2])
    index.save(tmp_path / "index")
    before = contents(tmp_path / "index")
    index.add(files)

    def full(file, vectors):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_files, "_write_vectors", full)
    assert "No space left on device" in message_of(CheckpointError, index.save, tmp_path / "index")
    assert contents(tmp_path / "index") == before
