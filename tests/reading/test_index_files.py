"""An index is saved whole, goes on after a kill, and refuses what is damaged or another's."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from clipcond.errors import CheckpointError, ClipcondWarning, PictureError, ReadingError
from clipcond.reading import ImageIndex, index_files, load_encoder
from tests.reading.indexes import contents, message_of
from tests.reading.made import clip, picture


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


def n_saved(folder, encoder):
    try:
        return len(ImageIndex.open(folder, encoder))
    except CheckpointError:
        return 0


@pytest.mark.slow
def test_a_killed_process_leaves_an_index_that_goes_on(tmp_path, encoder):
    (tmp_path / "pictures").mkdir()
    for i in range(400):
        picture(64, 64, i).save(tmp_path / "pictures" / f"{i:03}.png")
    target = tmp_path / "killed"
    code = [sys.executable, "-c", KILLED, str(tmp_path / "pictures"), str(target)]
    process = subprocess.Popen(code)
    while process.poll() is None and not n_saved(target, encoder):
        time.sleep(0.01)
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


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_whatever_is_changed_in_a_part_is_found(tmp_path, files, encoder, ending, monkeypatch):
    """A bit of a vector, of a name, of a size; signs; rows that are swapped; other values."""
    if ending == ".jsonl":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    index = ImageIndex(encoder)
    index.add(files)
    place = tmp_path / "index"
    index.save(place)
    (vectors,), (table,) = place.glob("vectors-*"), place.glob(f"pictures-*{ending}")
    rows = (
        index_files._read_parquet(table) if ending == ".parquet" else index_files._read_lines(table)
    )
    whole = {path: path.read_bytes() for path in (vectors, table)}
    numbers, start = index.embeds, len(whole[vectors]) - index.embeds.numel() * 4
    signs = numbers.clone()
    signs.view(torch.int32)[0, :40] ^= -(2**31)
    for path, changed in (
        (vectors, whole[vectors][:start] + signs.numpy().tobytes()),
        (vectors, whole[vectors][:start] + numbers.flip(0).numpy().tobytes()),
        (vectors, flipped(whole[vectors], start)),
        (vectors, flipped(whole[vectors], len(whole[vectors]) - 4)),
        (table, table_of([*rows[1:], rows[0]])),
        *((table, table_of([{**rows[0], **each}, *rows[1:]])) for each in CHANGES),
    ):
        assert changed != whole[path]
        path.write_bytes(changed)
        for act in (ImageIndex.open, lambda *given: ImageIndex(encoder).add(files, save_to=place)):
            assert "is damaged" in message_of(CheckpointError, act, place, encoder)
        path.write_bytes(whole[path])
    assert torch.equal(ImageIndex.open(place, encoder).embeds, numbers)


CHANGES = ({"path": "/other.png"}, {"size": 7}, {"modified": 7})


def table_of(rows) -> bytes:
    """Rows as this installation writes them."""
    file = io.BytesIO()
    index_files._table_writer(rows)[0](file)
    return file.getvalue()


def flipped(content: bytes, place: int) -> bytes:
    """The same but for the last bit of a byte."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_wrong_questions_are_refused(tmp_path, files, encoder):
    index = ImageIndex(encoder)
    assert index.search("red") == []
    assert message_of(ReadingError, index.search, " ") == "the text to search for is empty"
    index.add(files[:2])

    assert message_of(ReadingError, index.search, "red", k=0) == "k is a whole number from 1, not 0"
    for wrong in (2.0, -0.1, float("nan"), None, "0.5"):
        assert message_of(ReadingError, index.search, "red", image_weight=wrong) == (
            f"image_weight is a number from 0 to 1, not {wrong!r}"
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
