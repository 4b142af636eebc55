"""One studio with the embedded model for all tests of the page."""

import pytest

from clipcond.app.handlers import Desk
from clipcond.app.reader import Reader
from clipcond.app.settings import AppSettings
from clipcond.app.studio import Studio
from clipcond.cli.serving import worded


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return Studio(AppSettings(folder, device="cpu", reword=worded))


@pytest.fixture
def desk(studio):
    return Desk.of(studio, Reader("embedded"), chinese=False)


@pytest.fixture
def chinese_desk(studio):
    return Desk.of(studio, Reader("embedded"), chinese=True)
