"""Every Python and shell block of README and docs runs, and prints what the page shows."""

import re

import pytest

from clipcond.checkpoints import layouts
from clipcond.cli.entry import app
from clipcond.pipelines.families import table
from tests.docs.blocks import PAGES, ROOT, RUN, blocks, check_unrun, run
from tests.docs.files_of_a_prompt import files_of_a_prompt
from tests.docs.stand_ins import make_stand_ins
from tests.training.made import few_measures

LANGUAGES = (*RUN, "text", "json", "toml")
MOST_UNRUN = 6
SLOW = (
    *("README.zh.md", "index.md", "training.md", "chinese.md", "command-line.md", "lpw.md"),
    *("towers.md", "image-prompts.md", "variants.md", "heat-maps.md"),
)


@pytest.fixture(autouse=True)
def _tables_stay(monkeypatch):
    """Pages that extend a table of the package extend it for their own test only."""
    monkeypatch.setattr(layouts, "LAYOUTS", layouts.LAYOUTS)
    monkeypatch.setattr(table, "FAMILIES", table.FAMILIES)
    monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])


def names(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page.name in SLOW))
        for page in PAGES
        if blocks(page)
    ],
    ids=names,
)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    found = blocks(page)
    make_stand_ins("\n".join(block.code for block in found if not block.reason), tmp_path)
    namespace, failures = {"__name__": "__main__"}, []

    with few_measures():
        for block in found:
            if block.reason:
                check_unrun(block)
            else:
                failures += run(block, namespace)

    assert not failures, "\n\n".join(failures)


def test_extensions_take_less_than_30_lines():
    found = blocks(ROOT / "docs" / "extending.md")

    assert len(found) >= 7
    assert max(len(block.code.splitlines()) for block in found) < 30


def test_a_prompt_passes_at_most_20_files():
    assert len(files_of_a_prompt()) <= 20


def test_few_blocks_are_not_run():
    unrun = [block.place for page in PAGES for block in blocks(page) if block.reason]

    assert len(unrun) <= MOST_UNRUN, unrun


def test_every_fence_says_its_language():
    failures = []
    for page in PAGES:
        lines = page.read_text(encoding="utf-8").splitlines()
        fences = [(i, line) for i, line in enumerate(lines, 1) if line.lstrip().startswith("```")]
        for i, line in fences[::2]:
            if line.removeprefix("```") not in LANGUAGES:
                failures.append(f"{names(page)}:{i}: {line}")

    assert not failures


def test_links_and_paths_lead_somewhere():
    failures = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if not _leads_somewhere(page, link):
                failures.append(f"{names(page)}: {link}")
        for path in re.findall(r"`((?:examples|tests|benchmarks|docs)/[\w./-]+)`", text):
            if not (ROOT / path).exists():
                failures.append(f"{names(page)}: {path}")

    assert not failures


def test_readme_is_short_and_has_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 150
    assert '\npip install -e ".[test]" && pytest\n' in text
    assert '\npip install . && clipcond generate "a (red:1.3) apple' in text


def _leads_somewhere(page, link):
    if re.match(r"https?://", link):
        return True
    name, _, anchor = link.partition("#")
    target = (page.parent / name) if name else page
    if target.parent.name == "pictures":  # the site takes them from examples/
        target = ROOT / "examples" / "pictures" / target.name
    if not target.is_file():
        return False
    return not anchor or anchor in _anchors(target.read_text(encoding="utf-8"))


def _anchors(text):
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
