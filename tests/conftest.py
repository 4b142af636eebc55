"""Fixtures that tests of more than one room use."""

import gc
import os

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch: workers share the cores
    n_workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    n_threads = max(1, (os.cpu_count() or 1) // n_workers)
    os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))

from clipcond.checkpoints import tower_settings
from clipcond.embedded import folder
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer

# A busy machine is no failure.
settings.register_profile("clipcond", deadline=None)
settings.register_profile("deep", deadline=None, max_examples=1000)  # `nox -s deep`
settings.load_profile("clipcond")


def pytest_collection_finish() -> None:
    """Collect garbage rarely: torch's objects stay, and going through them is a third of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.fixture(scope="session")
def clip_bpe() -> ClipBpeTokenizer:
    """The ordinary CLIP tokenizer."""
    from transformers import CLIPTokenizer

    return ClipBpeTokenizer(CLIPTokenizer.from_pretrained(str(folder() / "tokenizer")))


@pytest.fixture(autouse=True)
def _made_towers_count_as_published(monkeypatch):
    """The small towers that tests make have heads 64 wide, like published ones."""
    widths = tower_settings.PUBLISHED_WIDTHS | {64, 128, 192, 256, 320}
    monkeypatch.setattr(tower_settings, "PUBLISHED_WIDTHS", widths)
