"""Folders of towers that several files open."""

import shutil

import pytest

from tests.parity.models import model_g, model_l, tokenizer


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A diffusers folder: text_encoder with tokenizer, text_encoder_2 with tokenizer_2."""
    folder = tmp_path_factory.mktemp("pipeline")
    model_l().save_pretrained(folder / "text_encoder")
    tokenizer().save_pretrained(folder / "tokenizer")
    model_g().save_pretrained(folder / "text_encoder_2")
    tokenizer("!").save_pretrained(folder / "tokenizer_2")
    return folder


@pytest.fixture
def own(saved, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(saved, tmp_path / "pipeline")
