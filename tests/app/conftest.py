"""One studio with the embedded model for all tests, and one server for those in a browser."""

import tempfile

import pytest
import torch
from safetensors.torch import save_file

from clipcond.app.handlers import Desk
from clipcond.app.reader import Reader
from clipcond.app.settings import AppSettings
from clipcond.app.studio import Studio
from clipcond.cli.chinese_report import REPORT
from clipcond.cli.serving import worded
from tests.app.browser import SWITCHES, Visit, chromium, need, served


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return Studio(AppSettings(folder, device="cpu", reword=worded, report_words=REPORT))


@pytest.fixture
def desk(studio):
    return Desk.of(studio, Reader("embedded"), chinese=False)


@pytest.fixture
def chinese_desk(studio):
    return Desk.of(studio, Reader("embedded"), chinese=True)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The page, served by `clipcond app` with a LoRA and an inversion; the folder of pictures."""
    need("gradio")
    root = tmp_path_factory.mktemp("site")
    for name in ("loras", "embeddings"):
        (root / name).mkdir()
    save_file({"<mood>": torch.zeros(3, 128)}, root / "embeddings" / "mood.safetensors")
    save_file({"x": torch.zeros(3)}, root / "loras" / "broken.safetensors")
    options = ("--lora-dir", root / "loras", "--embeddings-dir", root / "embeddings")
    with served("--output", str(root / "out"), *map(str, options)) as (address, _):
        yield address, root


@pytest.fixture(scope="session")
def browsers():
    """Chromium with a new profile, by the languages that it asks for."""
    need("playwright")
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profiles:
        opened = {
            locale: playwright.chromium.launch_persistent_context(
                f"{profiles}/{locale}", executable_path=path, args=SWITCHES, locale=locale
            )
            for locale in ("en-US", "zh-CN")
        }
        for context in opened.values():
            context.set_default_timeout(60_000)
        yield opened
        for context in opened.values():
            context.close()


@pytest.fixture
def visit(site, browsers):
    """The page, open at 1440 x 900 pixels in English."""
    page = browsers["en-US"].new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    yield Visit(page, site[0]).open()
    page.close()
