"""An index of pictures: the same as brute force, saved whole, and embedded once only."""

import os

import pytest
import torch
from PIL import Image

from clipcond.errors import ClipcondWarning, ReadingError
from clipcond.reading import ImageIndex
from clipcond.reading.vectors import nearest_rows
from tests.reading.indexes import COLOURS, message_of
from tests.reading.made import picture


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


def test_what_is_gone_is_said_and_stays_until_it_is_removed(tmp_path, files, encoder):
    """Deleted, renamed, a file given by name; of another folder nothing is said."""
    folder, other = tmp_path / "pictures", tmp_path / "pictures 2"
    other.mkdir()
    picture(8, 8).save(other / "a.png")
    index = ImageIndex(encoder)
    index.add([folder, other])
    files[0].unlink()
    files[1].rename(files[1].with_name("renamed.png"))
    (other / "a.png").unlink()

    with pytest.warns(ClipcondWarning, match=r"2 pictures .* remove_missing\(\)") as caught:
        update = index.add(folder)
    assert repr(str(update.gone[0])) in str(caught[0].message)
    assert set(update.gone) == {files[0], files[1]}
    assert (update.n_added, update.n_unchanged) == (1, len(files) - 2)
    with pytest.warns(ClipcondWarning, match="1 picture "):
        named = index.add([files[0], files[2]])
    assert (named.gone, [path for path, _ in named.bad]) == ((files[0],), [files[0]])
    assert index.remove_missing(folder) == 2
    assert index.add(folder).gone == ()
    with pytest.warns(ClipcondWarning, match="1 picture "):
        assert index.add(tmp_path).gone == (other / "a.png",)


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
