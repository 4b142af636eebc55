"""Edits whose number is outside, first, or missing are warned of, and the remedy is an edit."""

from clipcond.prompt import schedule
from clipcond.prompt.notations import EXCEPT_PLAIN
from tests.failures import failures_of
from tests.prompt.test_misreadings import issues


def test_edits_with_a_number_elsewhere():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = [i for i in issues(prompt, syntax) if i.code != "other-dialect"]
            there = prompt.replace(issue.words[0], issue.remedy.split(" in dialect")[0][6:])
            assert (there, "'a1111'" in issue.remedy) == (wanted, True), syntax
        assert issues(wanted, "a1111") == []
        assert len(schedule(wanted, 20)) > 1

    cases = [
        ("[dog:fox]:0.5", "[dog:fox:0.5]"),
        ("a [red dog:fox]0.3, b", "a [red dog:fox:0.3], b"),
        ("[dog:fox](0.5)", "[dog:fox:0.5]"),
        ("[dog:fox] .5", "[dog:fox:0.5]"),
        ("[dog:fox]@0.25", "[dog:fox:0.25]"),
        ("[dog:0.5:fox]", "[dog:fox:0.5]"),
        ("[dog:10:fox]", "[dog:fox:10]"),
        ("a [0.5:dog:a red fox]", "a [dog:a red fox:0.5]"),
    ]
    assert not failures_of(check, cases)
    for syntax in ("comfyui", "compel", "diffusers"):
        (issue,) = issues("a [cat:dog:0.5, fox", syntax)
        assert issue.remedy == "Write [cat:dog:0.5] in dialect 'a1111'."


def test_edits_without_a_number():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            assert issue.message.endswith("its number is missing"), syntax
            begins, ends = issue.remedy.split("Write ")[1].split(" in dialect")[0], "::0.5]"
            assert ends in issue.remedy
            assert len(schedule(begins, 20)) == 2

    assert not failures_of(check, ["[dog:]", "[:dog]", "[:dog:]", "[red hat:]", "[:a red hat]"])
    for prompt in ("[mood:]", "[name:]", "[narrator:]", "[Verse 1:]", "[John:]", "x[:dog]"):
        for syntax in sorted(EXCEPT_PLAIN):
            assert issues(prompt, syntax) == [], (prompt, syntax)
