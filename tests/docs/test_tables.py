"""The pages show what the code does: tables are made from the parsers and docstrings."""

import re

import pytest

from clipcond.conditioning.dialects import DIALECTS
from clipcond.weighting import WEIGHTINGS
from tests.docs.tables import (
    PAGES,
    TABLES,
    clip_skips,
    deviations,
    markers,
    table,
    updated,
    weightings,
)


def test_the_tables_are_up_to_date():
    texts = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
    stale = [name for name, text in texts.items() if updated(text) != text]

    assert not stale, "run: python -m tests.docs.tables"


def test_every_table_has_one_place():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert [name for name in TABLES if text.count(markers(name)[0]) != 1] == []


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_tables_have_a_cell_in_every_column(make):
    lines = make().splitlines()

    n_cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(n_cells) == 1
    assert len(lines) > 2
    assert not any(re.search(r"\|\s*\|", line) for line in lines)


def test_every_rule_is_there():
    shown = weightings()

    assert all(f"`{name}`" in shown for name in WEIGHTINGS)
    assert all(re.search(rf"\b{name}\b", shown) for name in DIALECTS)


def test_clip_skips_count_one_less_in_diffusers():
    assert "| diffusers, lpw, SD1 | 0, or None | 1 | 2 |" in clip_skips().splitlines()


def test_deviations_are_found_in_every_docstring():
    shown = deviations()

    for where in ("`dialects`", "`a1111`", "`comfyui`", "`compel`", "`scale_mean`"):
        assert where in shown


def test_a_bar_in_a_cell_is_escaped():
    assert table(["x"], [["[a|b]"]]) == "| x |\n| --- |\n| [a\\|b] |"
