"""Fixtures that tests of more than one room use."""

import pytest
from hypothesis import settings

from clipcond.embedded import folder
from clipcond.towers.clip_bpe import ClipBpeTokenizer

# A busy machine is no failure.
settings.register_profile("clipcond", deadline=None)
settings.load_profile("clipcond")


@pytest.fixture(scope="session")
def clip_bpe() -> ClipBpeTokenizer:
    """The ordinary CLIP tokenizer."""
    from transformers import CLIPTokenizer

    return ClipBpeTokenizer(CLIPTokenizer.from_pretrained(str(folder() / "tokenizer")))
