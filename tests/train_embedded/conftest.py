"""The scripts that train the embedded model import each other by bare names."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "train_embedded"


@pytest.fixture(scope="session", autouse=True)
def scripts():
    """Their folder on the path, for as long as these tests run."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
