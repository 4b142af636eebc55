"""Fetched files keep their paths, and the held-out artist's are those that were picked."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image
from train_embedded_128 import fetch_artwork, models, pack
from train_embedded_128.fetch_artwork import OPENCLIPART, fetch_debian
from train_embedded_128.first_edition import TOKENIZER
from train_embedded_128.judging import judge_accuracy
from train_embedded_128.nouns import NOUNS
from train_embedded_128.render import as_tensors
from train_embedded_128.settings import TINY
from train_embedded_128.sprites import load_sprites
from train_embedded_128.world import Scene, Thing
from train_embedded_128.zero_shot import zero_shot
from transformers import CLIPTokenizer

README = Path(pack.__file__).with_name("README.md")
LICENCE = f"This is under the {OPENCLIPART.licence}.\n"


@pytest.fixture
def debian(monkeypatch):
    """Answer for apt-get and dpkg: a package whose files are `contents`, by path."""
    contents = {f"usr/share/doc/{OPENCLIPART.package}/copyright": LICENCE.encode()}

    def run(command, folder):
        if command[0] == "apt-get":
            (folder / f"{command[-1]}_1_all.deb").touch()
        else:
            for path, each in contents.items():
                (Path(command[-1]) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(command[-1]) / path).write_bytes(each)
            unpacked = Path(command[-1]) / OPENCLIPART.root
            if unpacked.is_dir():
                (unpacked / "link.png").symlink_to("icons/key.png")
        return ""

    monkeypatch.setattr(fetch_artwork, "run", run)
    return contents


def below(path):
    return f"{OPENCLIPART.root}/{path}"


def test_each_picked_picture_is_of_one_noun():
    lines = pack.CLIPART.read_text(encoding="utf-8").splitlines()
    names, files = zip(*[line.split("\t") for line in lines], strict=True)
    known = [noun.names[0] for noun in NOUNS]

    assert [name for name in known if name in names] == list(names)  # a noun, once, in order
    assert [file for file, n in Counter(files).items() if n > 1] == []
    assert all(file.endswith(".png") and "\\" not in file for file in files)
    assert pack.clipart_files() == dict(zip(names, files, strict=True))
    assert len(names) >= 100
    assert f"a picture of {len(names)} of the {len(NOUNS)} nouns" in README.read_text("utf-8")


def test_files_of_one_name_in_two_folders_stay_apart(debian, tmp_path):
    debian[below("tools/key.png")] = b"a tool"
    debian[below("icons/key.png")] = b"an icon"
    debian[below("icons/key.txt")] = b"not a picture"
    debian["usr/share/other/key.png"] = b"somewhere else"
    fetch_debian(OPENCLIPART, tmp_path)

    folder = tmp_path / OPENCLIPART.package
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    copyright = LICENCE.encode()
    assert found == {
        "tools/key.png": b"a tool",
        "icons/key.png": b"an icon",
        "copyright": copyright,
    }
    assert list(tmp_path.iterdir()) == [folder]


def test_a_debian_package_without_its_licence_or_files_is_refused(debian, tmp_path):
    with pytest.raises(SystemExit, match=r"has no \*.png below usr/share/openclipart/png"):
        fetch_debian(OPENCLIPART, tmp_path)
    assert list(tmp_path.iterdir()) == []

    debian[below("icons/key.png")] = b"an icon"
    debian[f"usr/share/doc/{OPENCLIPART.package}/copyright"] = b"All rights reserved."
    with pytest.raises(SystemExit, match=r"openclipart-png: copyright in .* do not say 'creative"):
        fetch_debian(OPENCLIPART, tmp_path)


def test_a_picked_picture_is_the_one_that_is_packed(tmp_path):
    known = {noun.names[0]: noun for noun in NOUNS}
    name, file = next(iter(pack.clipart_files().items()))
    assert pack.clipart(known[name], tmp_path) is None  # openclipart was not fetched

    path = tmp_path / OPENCLIPART.package / file
    path.parent.mkdir(parents=True)
    Image.new("RGBA", (3, 2), "red").save(path)
    found = pack.clipart(known[name], tmp_path)
    assert (found.size, found.getpixel((0, 0))) == ((3, 2), (255, 0, 0, 255))
    unpicked = next(noun for name, noun in known.items() if name not in pack.clipart_files())
    assert pack.clipart(unpicked, tmp_path) is None


def test_a_picked_picture_that_is_not_there_stops_the_pack(tmp_path):
    name, file = next(iter(pack.clipart_files().items()))
    (tmp_path / OPENCLIPART.package).mkdir()
    noun = next(noun for noun in NOUNS if noun.names[0] == name)
    with pytest.raises(SystemExit) as raised:
        pack.clipart(noun, tmp_path)

    assert str(raised.value) == (
        f"{tmp_path / OPENCLIPART.package} has no {file}, which clipart.tsv names for {name!r}: "
        "delete the folder and fetch it again with fetch_artwork --clipart"
    )


def test_each_artist_is_measured_on_the_nouns_that_it_has(tmp_path):
    has = {"noto": range(4), "openclipart": (1, 3)}
    drawn = {
        (NOUNS[noun].names[0], name): Image.new("RGBA", (32, 32), "red")
        for name, nouns in has.items()
        for noun in nouns
    }
    pack.write_pack(tmp_path / "sprites.npz", drawn)
    sprites = load_sprites(tmp_path / "sprites.npz")
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    clip = models.clip(TINY, tokenizer, torch.ones(len(tokenizer))).eval()
    scenes = as_tensors([Scene("white", (Thing(noun),)) for noun in range(4)])
    judge = models.Judge(TINY).eval()
    with torch.no_grad():  # it answers "the second noun" whatever it sees
        judge.outputs[0].weight.zero_()
        judge.outputs[0].bias.zero_()[1] = 1

    found = zero_shot(clip, tokenizer, sprites, "cpu")
    assert {name: n for name, (_, _, n) in found.items()} == {"noto": 4, "openclipart": 2}
    shares = judge_accuracy(judge, sprites, scenes, "cpu")
    assert {name: row["noun"] for name, row in shares.items()} == {"noto": 0.25, "openclipart": 0.5}
