"""Start the page as its users do, and open it in Chromium."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

REQUIRED = "CLIPCOND_REQUIRE_BROWSER" in os.environ
AXE = os.environ.get("CLIPCOND_AXE")  # axe.min.js of npm's axe-core
# Answers about weights wait for `window.release()`.
HOLD = """() => {
    const fetched = window.fetch, held = new Promise((done) => { window.release = done; });
    window.fetch = async (url, ...rest) => {
        if (url.endsWith("/live/weight")) await held;
        return fetched(url, ...rest);
    };
}"""
SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()


def skip(reason: str) -> None:
    """Skip, or fail where the suite has to run."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def need(*packages: str) -> None:
    """Skip where packages are not installed."""
    for package in packages:
        if find_spec(package) is None:
            skip(f"{package} is not installed")


def chromium() -> str:
    """Find a Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        skip("no Chromium is installed")
    return str(found)


@contextmanager
def served(*options: str):
    """Run `clipcond app` with these options; yield its address, and its log file."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = [sys.executable, "-m", "clipcond", "app", "--port", "0", "--no-browser"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
        with log.open("w") as stream:
            server = subprocess.Popen(
                [*command, "--device", "cpu", *options],
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=environment,
            )
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            assert address.startswith("http://"), log.read_text()
            wait_for(address)
            yield address, log
        finally:
            server.terminate()
            server.wait(20)
            server.stdout.close()


def wait_for(address: str) -> None:
    """Wait until the server answers; it listens before the page is there."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    with suppress(HTTPError):  # it wants a password
        urlopen(address, timeout=180).close()


class Visit:
    """A page that is open in the browser, and what it asked for and complained of."""

    def __init__(self, page, address: str) -> None:
        self.page, self.address = page, address
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )

    def open(self, path: str = "") -> "Visit":
        self.page.goto(self.address + path)
        self.page.wait_for_selector("#cp-prompt-count:not(:empty)")
        return self

    def type(self, text: str, field: str = "prompt") -> None:
        """Fill a prompt field, and wait until the server has read it."""
        with self.page.expect_response("**/live/*/read"):
            self.page.fill(f"#cp-{field} textarea", text)

    def prompt(self) -> str:
        return self.page.input_value("#cp-prompt textarea")

    def count(self, field: str = "prompt") -> str:
        return self.page.inner_text(f"#cp-{field}-count")

    def tab(self, name: str) -> None:
        self.page.locator(f"button[role=tab][data-tab-id={name}]").click()

    def choose(self, field: str, option: str) -> None:
        """Choose an option of a dropdown, and wait until the prompts are read so."""
        self.page.click(f"#cp-{field} input")
        self.page.get_by_role("option", name=option, exact=True).click()
        self.page.wait_for_timeout(400)

    def draw(self) -> str:
        """Draw with the button, and return what the picture was made with."""
        before = self.facts()
        self.page.click("#cp-draw")
        return self.drawn(before)

    def drawn(self, before: str) -> str:
        self.page.wait_for_function(
            "before => { const now = document.querySelector('#cp-facts textarea').value;"
            " return now && now !== before }",
            arg=before,
        )
        return self.facts()

    def facts(self) -> str:
        return self.page.input_value("#cp-facts textarea")
