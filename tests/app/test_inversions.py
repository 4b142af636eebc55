"""The page and the command call inversions alike, and write the hashes of those that are used."""

from hashlib import sha256

import pytest
import torch
from safetensors.torch import save_file

from clipcond.app.sending import sent
from clipcond.app.settings import AppSettings
from clipcond.app.studio import Studio
from clipcond.app.wishes import Reading, Wish
from clipcond.app.wording import Language
from clipcond.cli.opening import open_artist, read_otherwise
from clipcond.cli.picture_jobs import PictureJob
from clipcond.metadata import read_parameters

CHOICES = {
    **{"allow_pickle": False, "dialect": "a1111", "clip_skip": None, "weighting": None},
    **{"normalize": None, "fullwidth": None, "extra_networks": None},
}
NAMES = {"mood", "<a>", "<b>", "<cat>"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("embeddings")
    save_file({"<mood>": torch.ones(3, 128)}, root / "mood.safetensors")
    save_file({"<a>": torch.ones(1, 128), "<b>": torch.ones(1, 128)}, root / "two.safetensors")
    save_file({"<cat>": torch.ones(128)}, root / "learned_embeds.safetensors")
    return root


@pytest.fixture(scope="module")
def studio(folder, tmp_path_factory):
    pictures = tmp_path_factory.mktemp("pictures")
    return Studio(AppSettings(pictures, device="cpu", embeddings_dir=folder))


@pytest.fixture(scope="module")
def artist(folder):
    return open_artist(None, None, sorted(folder.glob("*.safetensors")), CHOICES)


def test_a_file_gives_its_name_to_its_only_inversion(studio, artist):
    studio.look_for_files()  # again: nothing is new

    assert ({*studio.inversions}, studio.refused) == (NAMES, {})
    assert {*artist.pipe.conditioner.inversions} == NAMES


def hashes_of(artist, folder, prompt, negative="", *regions):
    output = folder / "out.png"
    job = PictureJob(prompt, negative, 7, 1, 3.0, None, "64x64", output, regions=regions)
    return artist.describe(job)[0].others.get("TI hashes")


@pytest.mark.parametrize(
    ("prompt", "is_used"),
    [
        ("a (mood:1.2) cat", True),
        ("a [cat:Mood:30]", True),  # at a step that these few do not reach
        ("a moody cat", False),
    ],
)
def test_pictures_name_the_inversions_that_they_use(studio, artist, folder, prompt, is_used):
    digest = sha256((folder / "mood.safetensors").read_bytes()).hexdigest()[:12]
    wish = Wish(prompt, "", Reading(), 1, 3.0, "", 7, (64, 64))
    (drawn,) = studio.draw(wish, lambda: False, lambda i, done: None)
    read = read_parameters(drawn.path)

    assert read.others.get("TI hashes") == (f"mood: {digest}" if is_used else None)
    assert hashes_of(artist, folder, prompt) == read.others.get("TI hashes")
    assert sent(read, studio, Language()).notes == ()


def test_negatives_regions_and_other_dialects_use_inversions_too(artist, folder):
    assert hashes_of(artist, folder, "a", "mood").startswith("mood: ")
    assert hashes_of(artist, folder, "a", "", "left: <a>").startswith("<a>: ")
    read_otherwise(artist, {**CHOICES, "dialect": "comfyui"})
    assert hashes_of(artist, folder, "a", "embedding:mood").startswith("mood: ")
    assert hashes_of(artist, folder, "a", "mood") is None
    read_otherwise(artist, CHOICES)


def test_an_inversion_that_is_not_here_is_noted(studio):
    read = read_parameters("a mood\nSteps: 1, TI hashes: gone: 12, Version: clipcond 1")

    assert sent(read, studio, Language()).notes == ("Embeddings that are not loaded: gone.",)
