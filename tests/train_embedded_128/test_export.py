"""What the recipe leaves next to the weights, and pictures for the image adapter."""

import json
import math

import pytest
import torch
from PIL import Image
from train_embedded_128 import captioned, export

from clipcond.checkpoints.places import EMBEDDED
from clipcond.reading.phrase_lists import FOLDER
from clipcond.reading.preprocessing import read_preprocessing
from clipcond.training import read_captions


def test_lists_of_words_go_on_where_those_that_ship_end(tmp_path):
    export.write_words(tmp_path)

    names = {path.name for path in FOLDER.glob("embedded-*.txt")}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names:
        ours = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        ship = (FOLDER / name).read_text(encoding="utf-8").splitlines()
        assert len(set(ours)) == len(ours) in (240, 11)
        assert ours[: len(ship)] == ship


@pytest.mark.parametrize("order", [1, -1])
def test_scales_of_both_towers_are_kept(tmp_path, order):
    scales = {"embedded": torch.tensor(math.log(14.2)), "embedded-zh": torch.tensor(9.0)}
    for name in list(scales)[::order]:
        export.write_scale(tmp_path, name, scales[name])

    written = json.loads((tmp_path / "vision_tower" / "config.json").read_text())
    assert written["clipcond"]["logit_scale"] == {"embedded": 14.2, "embedded-zh": 100}


def test_pictures_are_prepared_as_those_of_the_model_that_ships(tmp_path):
    ship = json.loads((EMBEDDED / "vision_tower" / "config.json").read_text())["image_size"]
    export.write_preprocessing(tmp_path, ship)
    kind = "clip"
    ours, theirs = (
        read_preprocessing(folder, kind, ship) for folder in (tmp_path, EMBEDDED / "vision_tower")
    )
    assert ours == theirs
    export.write_preprocessing(tmp_path, 128)
    assert read_preprocessing(tmp_path, kind, 128).size == (128, 128)


def test_pictures_with_captions_are_what_align_reads(tmp_path, sprites, monkeypatch):
    monkeypatch.setattr(captioned, "AT_ONCE", 4)
    captioned.write_captioned(tmp_path, 6, sprites, 0)
    captioned.write_captioned(tmp_path / "again", 6, sprites, 0)

    pairs = read_captions(tmp_path / "captions.tsv").pairs
    assert len(pairs) == 6
    for i in range(6):
        with Image.open(tmp_path / f"{i:05}.png") as picture:
            assert picture.size == (128, 128)
            again = Image.open(tmp_path / "again" / f"{i:05}.png")
            assert picture.tobytes() == again.tobytes()
    lines = (tmp_path / "captions.tsv").read_text(encoding="utf-8").splitlines()
    assert all("background" in line for line in lines)
    assert lines == (tmp_path / "again" / "captions.tsv").read_text("utf-8").splitlines()
