"""What looks wrong in a list of a template is shown in its line."""

import pytest

from clipcond.cli.variants import open_expansion
from clipcond.errors import PromptWarning


def test_a_slip_in_a_list_is_shown_in_its_line(tmp_path):
    (tmp_path / "colour.txt").write_text("red\ndark __ shade __ blue\n", encoding="utf-8")
    (tmp_path / "shade.txt").write_text("sky\n", encoding="utf-8")
    expansion = open_expansion(tmp_path, combinations=True)
    with pytest.warns(PromptWarning) as caught:
        template = expansion.template("a __colour__ cat")
    assert [str(each.message) for each in caught] == [
        "colour.txt, line 2: '__ shade __' is text: spaces are inside its underscores\n"
        "  dark __ shade __ blue\n"
        "       ^\n"
        r"Write __shade__, or \__ for text."
    ]
    assert [*template.combinations()] == ["a red cat", "a dark __ shade __ blue cat"]
