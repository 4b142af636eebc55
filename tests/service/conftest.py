"""The embedded model, loaded once for all tests of the service."""

import pytest

from clipcond.service.models import load_model
from clipcond.service.settings import ServiceSettings


@pytest.fixture(scope="session")
def tower_seconds():
    """The seconds of each call of the model's tower."""
    return []


@pytest.fixture(scope="session")
def model(tower_seconds):
    return load_model(ServiceSettings(device="cpu"), tower_seconds.append)
