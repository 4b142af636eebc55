"""Fixtures: a tiny pipeline to spoil, and one saved as a folder."""

import shutil

import pytest

from clipcond import embedded
from tests.pipelines.models import tiny_sd
from tests.towers.chinese import text_model
from tests.towers.chinese import tokenizer as chinese


@pytest.fixture
def pipe():
    return tiny_sd()


@pytest.fixture(scope="session")
def sd_folder(tmp_path_factory):
    """A saved tiny pipeline; copy it before changing a file."""
    folder = tmp_path_factory.mktemp("sd") / "tiny-sd"
    tiny_sd().save_pretrained(folder)
    shutil.rmtree(folder / "tokenizer")  # its tokenizer.json takes three times as long to open
    shutil.copytree(embedded.folder() / "tokenizer", folder / "tokenizer")
    return folder


@pytest.fixture
def zh_folder(tmp_path):
    """The same Chinese tower as a folder with its vocabulary."""
    folder = tmp_path / "zh"
    text_model().save_pretrained(folder)
    chinese().save_pretrained(folder)
    return folder
