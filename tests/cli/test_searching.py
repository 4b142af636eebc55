"""clipcond search: by text, by picture, by both; an index that is kept; messages."""

import json

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.reading import ImageIndex, load_encoder

COLOURS = {"red": (214, 46, 48), "green": (46, 160, 67), "blue": (44, 100, 222)}


@pytest.fixture
def run(capsys):
    def run(*argv):
        code = main([str(word) for word in argv])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pictures"
    made.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (80, 64), colour).save(made / f"{name}.png")
    return made


@pytest.fixture
def embedded_files(monkeypatch):
    """The files that are indexed, as they come."""
    seen = []
    embed = ImageIndex._embedded

    def counting(index, files, batch_size):
        seen.extend(each.path.name for each in files.values())
        return embed(index, files, batch_size)

    monkeypatch.setattr(ImageIndex, "_embedded", counting)
    return seen


def test_a_text_finds_pictures(run, folder):
    code, out, err = run("search", folder, "blue background", "-k", 2)

    index = ImageIndex(load_encoder())
    index.add(folder)
    expected = index.search("blue background", k=2)
    assert expected[0][0] == folder / "blue.png"
    assert (code, out) == (0, "".join(f"{score:.4f}  {path}\n" for path, score in expected))
    assert "3 of 3" in err


def test_a_picture_and_both_find_pictures(run, folder):
    code, out, _ = run("search", folder, "--image", folder / "green.png", "-k", 1)
    assert (code, out) == (0, f"1.0000  {folder / 'green.png'}\n")
    both = ("search", folder, "blue background", "--image", folder / "green.png", "-k", 1)
    for weight, name in ((0, "blue"), (1, "green")):
        code, out, _ = run(*both, "--image-weight", weight, "--json")
        (found,) = json.loads(out)["results"]
        assert (code, found["file"]) == (0, str(folder / f"{name}.png"))


def test_an_index_is_kept_and_follows_its_folder(run, folder, tmp_path, embedded_files):
    index = tmp_path / "index"
    (folder / "text.png").write_text("a cat")
    ask = ("search", folder, "red background", "--index", index, "--json")

    code, out, err = run(*ask)
    first = json.loads(out)
    assert (code, first["n_pictures"], first["encoder"]) == (0, 3, "embedded")
    assert first["results"][0]["file"] == str(folder / "red.png")
    assert first["unreadable"] == [str(folder / "text.png")]
    assert f"clipcond: {str(folder / 'text.png')!r} is no picture that Pillow can read\n" in err
    assert len(embedded_files) == 4

    again = json.loads(run(*ask)[1])
    assert again == first
    assert len(embedded_files) == 4  # no file has changed
    (folder / "red.png").unlink()
    Image.new("RGB", (9, 9), (200, 50, 50)).save(folder / "new.png")
    found = json.loads(run(*ask)[1])
    assert found["results"][0]["file"] == str(folder / "new.png")
    assert embedded_files[4:] == ["new.png"]
    code, out, _ = run("search", index, "red background", "-k", 9)
    assert (code, len(out.splitlines())) == (0, 3)
    assert "red.png" not in out


def test_pictures_of_other_folders_are_found_in_the_index_alone(run, folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (folder / "red.png").rename(other / "red.png")
    index = tmp_path / "index"
    run("search", other, "red", "--index", index)

    _, out, _ = run("search", folder, "red background", "--index", index, "-k", 9)
    assert sorted(line.split()[1] for line in out.splitlines()) == [
        str(folder / "blue.png"),
        str(folder / "green.png"),
    ]
    _, out, _ = run("search", index, "red background")
    assert out.splitlines()[0].split()[1] == str(other / "red.png")
    assert len(out.splitlines()) == 3


def test_an_index_is_opened_with_the_encoder_that_made_it(run, folder, tmp_path):
    index = tmp_path / "index"
    run("search", folder, "红色背景", "--index", index, "--encoder", "embedded-zh")

    code, out, _ = run("search", index, "红色背景", "-k", 1, "--json")

    found = json.loads(out)
    assert (code, found["encoder"]) == (0, "embedded-zh")
    assert found["results"][0]["file"] == str(folder / "red.png")


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["pictures"], 2, "give a text to look for, or --image PICTURE"),
        (["pictures", " "], 2, "the text to look for is empty"),
        (["pictures", "red", "-k", "0"], 2, "-k"),
        (["pictures", "red", "--image", "none.png"], 1, "there is no picture 'none.png'"),
        (["pictures", "red", "--image-weight", "2"], 2, "--image-weight"),
        (["nowhere", "red"], 1, "there is no folder 'nowhere'"),
        (["empty", "red"], 1, "there is no picture in 'empty'"),
        (["texts", "red"], 1, "no picture in 'texts' can be read"),
        (["pictures", "red", "--index", "texts/a.png"], 1, "'texts/a.png' cannot be made"),
        (["pictures", "red", "--encoder", "nothing"], 1, "there is no file or folder"),
    ],
)
def test_wrong_use_says_what_is_wrong(run, folder, tmp_path, monkeypatch, argv, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.png").write_text("no picture")

    found, out, err = run("search", *argv)

    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
