"""Files of colours, and an encoder that counts them."""

import pytest

from clipcond.reading import load_encoder
from tests.reading.made import pictures_at


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
