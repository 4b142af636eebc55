"""Take the pictures of pages that the guides show: app.png, metadata.png and inspect.png.

`python -m docs.screenshots [FOLDER]`, by default docs/guides; it needs Chromium, gradio and
playwright. The figures of examples/pictures are saved by the examples of the same names.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from clipcond.cli import main as clipcond
from tests.app.browser import SWITCHES, Visit, chromium, served

GUIDES = Path(__file__).parent / "guides"
PROMPT = "a (red:1.3) apple and a (cat:0.8) on a blue background"
MADE = ["generate", "a (red:1.3) apple", "-n", "a cat", "--seed", "7", "--steps", "4"]
INSPECTED = ["inspect", "a (red:1.3) fox, a (white:0.6) [cat:dog:0.5]", "--movement"]
COLOURS = 256
IS_THERE = "e => new Promise(r => { const look = () => e.complete && e.naturalWidth"
IS_THERE += " ? r(true) : setTimeout(look, 50); look() })"


def save(page: Any, path: Path, box: tuple[int, int, int, int], scale: float = 1.0) -> None:
    """Save a part of what the browser shows: left, top, width, height in pixels."""
    names = ("x", "y", "width", "height")
    page.screenshot(path=path, clip=dict(zip(names, box, strict=True)), animations="disabled")
    with Image.open(path) as image:
        size = [round(side * scale) for side in image.size]
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    few = small.quantize(COLOURS, kmeans=8, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def draw_tab(visit: Visit, path: Path) -> None:
    """Draw four pictures, and show the last."""
    visit.page.set_viewport_size({"width": 1280, "height": 1000})
    visit.type(PROMPT)
    visit.type("dog", "negative")
    for field, value in (("seed", "7"), ("count", "4")):
        visit.page.fill(f"#cp-{field} input", value)
        visit.page.keyboard.press("Tab")
    visit.page.click("#cp-draw")
    visit.page.wait_for_selector("#cp-status :text('Saved in')")
    visit.page.locator("#cp-gallery .thumbnails button").last.click()
    facts = "document.querySelector('#cp-facts textarea').value"
    visit.page.wait_for_function(f"() => {facts}.includes('Seed: 10,')")
    for shown in visit.page.locator("#cp-gallery img").all():
        shown.evaluate(IS_THERE)
    visit.page.mouse.move(0, 0)
    visit.page.evaluate("scrollTo(0, 0)")
    visit.page.wait_for_timeout(1000)  # they fade in
    save(visit.page, path, (0, 0, 1280, 1000), 0.75)


def read_tab(visit: Visit, picture: Path, path: Path) -> None:
    """Read what a picture was made with."""
    visit.page.set_viewport_size({"width": 1000, "height": 900})
    visit.tab("read")
    visit.page.set_input_files("#cp-picture input[type=file]", picture)
    visit.page.wait_for_function("() => document.querySelector('#cp-info textarea').value")
    visit.page.locator("#cp-picture img").evaluate(IS_THERE)
    tabs = visit.page.locator("#cp-tabs").bounding_box()
    shown = visit.page.locator("#cp-picture").bounding_box()
    top, bottom = int(tabs["y"]) - 11, int(shown["y"] + shown["height"]) + 10
    save(visit.page, path, (11, top, 978, bottom - top))


def take(folder: Path) -> None:
    """Serve the page in the current folder, which gets pictures, and save all three."""
    from playwright.sync_api import sync_playwright

    clipcond([*MADE, "-o", "made.png"])
    clipcond([*INSPECTED, "--html", "fox.html"])
    with served("--output", "pictures") as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        page = browser.new_page(locale="en-US")
        page.set_default_timeout(60_000)
        draw_tab(Visit(page, address).open(), folder / "app.png")
        read_tab(Visit(page, address).open(), Path("made.png"), folder / "metadata.png")
        page.set_viewport_size({"width": 880, "height": 985})
        page.goto(Path("fox.html").absolute().as_uri())
        save(page, folder / "inspect.png", (0, 0, 880, 985))
        browser.close()


def main() -> None:
    """Take them."""
    folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else GUIDES
    os.environ["LC_ALL"] = "C.UTF-8"  # messages in English
    made = Path(tempfile.gettempdir(), "clipcond")  # app.png names it
    made.mkdir()
    os.chdir(made)
    try:
        take(folder)
    finally:
        shutil.rmtree(made)


if __name__ == "__main__":
    main()
