"""Fixtures: a tiny pipeline to spoil, and one saved as a folder."""

import pytest

from tests.pipelines.models import tiny_sd


@pytest.fixture
def pipe():
    return tiny_sd()


@pytest.fixture(scope="session")
def sd_folder(tmp_path_factory):
    """A saved tiny pipeline; copy it before changing a file."""
    folder = tmp_path_factory.mktemp("sd") / "tiny-sd"
    tiny_sd().save_pretrained(folder)
    return folder
