"""What a syntax cannot express is refused with its place."""

import pytest

from clipcond.errors import PromptError
from clipcond.prompt import ParsedPrompt, Segment, convert
from clipcond.prompt.writing import WRITERS
from tests.failures import failures_of


def test_what_cannot_be_said():
    def check(case):
        prompt, source, target, expected = case
        with pytest.raises(PromptError) as error:
            convert(prompt, source, target)

        assert str(error.value) == expected

    cases = [
        (
            "a cat\nBREAK b",
            "a1111",
            "comfyui",
            "only dialects 'a1111' and 'compel' can start a new chunk at a place\n"
            "  line 2: BREAK b\n"
            "          ^\n"
            "Leave it out.",
        ),
        (
            "a (b)",
            "a1111",
            "plain",
            "a plain prompt has no weight such as 1.1\n  a (b)\n     ^",
        ),
        (
            "a (b:-1)",
            "a1111",
            "compel",
            "compel has no weight below 0, such as -1\n  a (b:-1)\n     ^\nLeave this out.",
        ),
        (
            '("a","b").blend(1,1)',
            "compel",
            "a1111",
            "only dialect 'compel' can mix prompts by weights\n"
            '  ("a","b").blend(1,1)\n  ^\nConvert the prompts one by one.',
        ),
        (
            "a cat.swap(dog)",
            "compel",
            "a1111",
            ".swap() cannot be converted\n  a cat.swap(dog)\n    ^\nLeave it out.",
        ),
        (
            "a withLora(x, 0.5)",
            "compel",
            "comfyui",
            "a LoRA cannot be converted\n  a withLora(x, 0.5)\n    ^\nLeave it out.",
        ),
        (
            "(wow...:1.2)",
            "a1111",
            "compel",
            "syntax 'compel' has no way to write this\n  (wow...:1.2)\n      ^\n"
            "It would read '(wow...)1.2' otherwise. Leave it out.",
        ),
        (
            "a [b|c]",
            "a1111",
            "comfyui",
            "'[b|c]' cannot be converted\n  a [b|c]\n    ^\n"
            "Convert the texts of schedule(prompt, steps) one by one.",
        ),
        (
            "a AND b",
            "a1111",
            "a1111",
            "AND cannot be converted\n  a AND b\n    ^\n"
            "Write 'and' in small letters for the word. For several conditions, convert the parts "
            "of compose(prompt) one by one.",
        ),
    ]
    assert not failures_of(check, cases)


def test_the_caret_is_under_the_first_word_that_cannot_be_written():
    def check(case):
        prompt, source, target, words = case
        with pytest.raises(PromptError, match="no way to write this") as error:
            convert(prompt, source, target)
        assert error.value.position == prompt.index(words)

    cases = [
        ("1girl {smile} :: cat++", "a1111", "novelai", "{smile}"),
        ("红色的猫 {狗}", "a1111", "novelai", "{"),
        ("a cat, 1.3::dog, x", "a1111", "novelai", "1.3"),
        ("(a cat:1.2), two {dogs}", "a1111", "novelai", "{"),
        ("a fox, see [it]", "comfyui", "novelai", "["),
    ]
    assert not failures_of(check, cases)


def test_what_is_written_wrong_is_found_by_reading_it_back(monkeypatch):
    monkeypatch.setitem(WRITERS, "a1111", lambda parsed: "a cat (sat:1.2)")

    parsed = ParsedPrompt("a cat, sat", (Segment("a cat", 1.0, 0, 5), Segment("sat", 1.3, 7, 10)))
    with pytest.raises(PromptError) as error:
        parsed.render("a1111")
    assert str(error.value) == (
        "syntax 'a1111' has no way to write this\n"
        "  a cat, sat\n"
        "         ^\n"
        "It would read 'a cat (sat:1.2)' otherwise. Leave it out."
    )
