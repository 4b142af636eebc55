"""README.md shows what the code does: its tables are made from the parsers and docstrings."""

import re

import pytest

from clipcond.conditioning.dialects import DIALECTS
from clipcond.weighting import WEIGHTINGS
from tests.docs.tables import README, TABLES, clip_skips, deviations, table, updated, weightings


def test_the_tables_are_up_to_date():
    text = README.read_text(encoding="utf-8")

    assert updated(text) == text, "run: python -m tests.docs.tables"


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

    for where in ("`dialects`", "`prompt.a1111`", "`prompt.compel`", "`scale_mean`"):
        assert where in shown


def test_a_bar_in_a_cell_is_escaped():
    assert table(["x"], [["[a|b]"]]) == "| x |\n| --- |\n| [a\\|b] |"


def test_what_the_section_on_dialects_shows_runs():
    text = README.read_text(encoding="utf-8")
    section = text[text.index("## Dialects") : text.index("## Without diffusers")]

    (snippet,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict = {}
    exec(snippet, names)

    embeds = names["conditioner"]("a (cat)0.5, a dog+").embeds
    assert embeds.shape[:2] == (1, 77)
    assert names["conditioner"].dialect is names["compel"]
