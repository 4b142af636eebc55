"""Work grows with the length of a prompt, whatever it is made of.

Counted, not timed: the lines of our Python that run for a prompt and for one twice as long. What
the regular expressions do inside is not counted, so the last test gives them prompts on which one
that backtracks needs several times the limit, and the room's own a tenth of it.
"""

import sys
import time
import tracemalloc
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

import clipcond.prompt
from clipcond.errors import PromptError
from clipcond.prompt import SYNTAXES, compose, parse, reduce_to_one_text, schedule
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.syntaxes import comfyui
from clipcond.prompt.text_layers import take_out
from clipcond.prompt.wide_signs import with_ascii_signs
from clipcond.prompt.writing import WRITERS
from tests.failures import failures_of

ROOM = str(Path(clipcond.prompt.__file__).parent)

GROWING = {
    "half closed": lambda n: "((a)" * n,
    "embeddings": lambda n: "embedding:a, " * n,
    "nested": lambda n: "(" * n + "a" + ")" * n,
    "nested text": lambda n: "(a " * n + ")" * n,
    "nested numbers": lambda n: "(a " * n + ":1.2)" * n,
    "different numbers": lambda n: "(a " * n + "".join(f":1.{i})" for i in range(n)),
    "unclosed": lambda n: "(a " * n,
    "unclosed squares": lambda n: "[a " * n,
    "mixed": lambda n: "[a (b " * n,
    "crossed": lambda n: "([a" * n + ")]" * n,
    "crossed late": lambda n: "([a" * n + ")" * n + "]" * n,
    "weighted inside unclosed": lambda n: "".join(f"((a:1.{i})" for i in range(n)),
    "unmatched": lambda n: ")" * n,
    "escaped": lambda n: "\\(" * n,
    "backslashes": lambda n: "\\" * n,
    "weighted": lambda n: "(red cat:1.3), " * n,
    "equal neighbours": lambda n: "(a)" * n,
    "commas": lambda n: "a," * n,
    "colons": lambda n: "a:" * n,
    "breaks": lambda n: "a BREAK " * n,
    "edits": lambda n: "[a:b:0.5]" * n,
    "nested edits": lambda n: "[a:" * n + ":3]" * n,
    "alternations": lambda n: "[a|b]" * n,
    "unclosed alternations": lambda n: "[a|" * n,
    "ands": lambda n: "a :2 AND " * n,
    "networks": lambda n: "<lora:a:1>" * n,
    "unclosed networks": lambda n: "<lora:a" * n,
    "comments": lambda n: "a # b\n" * n,
    "braces": lambda n: "{a " * n + "}" * n,
    "numbers": lambda n: "1.3::a::" * n,
    "unclosed brackets": lambda n: "(" * n,
    "quotes": lambda n: '"a" ' * n,
    "signs": lambda n: "a++ " * n,
}


def lines_run(function, argument):
    """How many lines of clipcond.prompt run; a comprehension's every item is at least one."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(argument)
    finally:
        sys.settrace(before)
    return count


WORK = {  # name -> what comes first and is not counted, and what is counted
    "parse": (str, parse),
    "parse comfyui": (str, lambda prompt: parse(prompt, "comfyui")),
    "parse compel": (str, lambda prompt: parse(prompt, "compel")),
    "parse novelai": (str, lambda prompt: parse(prompt, "novelai")),
    "parse lpw": (str, lambda prompt: parse(prompt, "lpw")),
    "take out": (str, take_out),
    "words of comfyui": (str, lambda prompt: comfyui.parse_groups(prompt, words=True)),
    "render": (parse, lambda parsed: parsed.render()),
    "comfyui to a1111": (
        lambda prompt: parse(prompt, "comfyui"),
        lambda parsed: parsed.render("a1111"),
    ),
    "write compel": (lambda prompt: parse(prompt, "lpw"), WRITERS["compel"]),
    "lookalikes": (lambda prompt: parse(prompt, "lpw"), with_lookalikes),
    "compose": (str, compose),
    "schedule": (str, lambda prompt: schedule(prompt, 5)),
    "reduce to one text": (str, reduce_to_one_text),
}


@pytest.mark.parametrize("work", WORK)
def test_twice_the_prompt_is_twice_the_work(work):
    prepare, function = WORK[work]

    def check(name):
        once, twice = (lines_run(function, prepare(GROWING[name](n))) for n in (200, 400))
        assert twice <= 2.1 * once + 100

    assert not failures_of(check, GROWING)


@pytest.mark.slow
def test_expressions_do_not_backtrack():
    """Of this length, expressions that backtrack were measured to take 6 to 14 seconds."""

    def check(prompt):
        start = time.process_time()
        parse(prompt)
        take_out(prompt)
        for syntax in ("compel", "novelai"):
            with suppress(PromptError):
                parse(prompt, syntax)
        comfyui.parse_groups(prompt)
        with_ascii_signs(prompt)
        compose(prompt)
        schedule(prompt, 5)
        parsed = parse(prompt, "lpw")
        with_lookalikes(parsed)
        with_lookalikes(parse(prompt, "diffusers"))
        for target in ("a1111", "compel"):
            with suppress(PromptError):  # compel has no way to write `,,`
                parsed.render(target)

        assert time.process_time() - start < 2

    cases = [
        *(sign * 50_000 for sign in " \t\n\u3000\u00a01.：（，"),
        "a" + " " * 50_000 + "b BREAK c",
        "(:" + " " * 50_000 + "x)",
        "(:" + "1" * 50_000 + "x)",
        "(:1" + " " * 50_000 + "x)",
        "[:" + "1" * 50_000 + "x]",
        "[:" + " " * 50_000 + "x]",
        "a:" + " " * 50_000 + "x AND",
        "BREAK " * 7_500,
        "embedding:" + "," * 50_000,
        "a" * 50_000 + "+" * 50_000 + "x",
        "[a" + " " * 50_000 + ":",
        "<lora:" * 12_500,
        "((a" + "a " * 50_000,
        "[a" + "a " * 50_000 + "|" * 50_000,
        "[" + " " * 50_000 + "((" + " " * 50_000,
        "a " + "-" * 50_000 + "x",
        "\\x" * 25_000,
        "[a:" + "1" * 50_000 + ".x]",
        "(a)1" + "0" * 50_000 + "x",
        '"' * 50_000,
        "\\" * 50_000,
        "a" + "\\" * 50_000 + "b",
        "1" * 50_000 + "::",
        "1." * 25_000 + "::",
        "{" * 50_000,
        "{{a" * 15_000,
        "{a|" * 15_000,
        "__a" * 15_000,
        " //" * 15_000,
        "/*" * 25_000,
        "<a:" * 15_000,
        "# " * 25_000,
        ", embedding" + " " * 50_000,
        "--ar" + " " * 50_000,
        "a::" * 15_000,
        "Steps: 2, " * 5_000,
        *(")1.3猫" * 10_000, "[::a" * 12_500, "1.3:a" * 10_000, "\\n" * 25_000, "（a：.5" * 10_000),
        *(
            "cat 1." * 8_000,
            "red " * 12_500 + "1.2",
            "(: .5 " * 8_000,
            "1.3::a:" * 7_000,
            "/(" * 25_000,
        ),
    ]
    assert not failures_of(check, cases)


# One character, or a few, over and over: what a prompt by accident or malice is made of.
PIECES = (
    *'()[]{}\\:"a ,|+-.<#_1猫（',
    *("(a", "a)", "()", "(a)", "(a:1.2)", "(a:1.2", "[a", "[a:b:0.5]", "[a|", "([", "([a", "(a[b"),
    *("a ", "a, ", "a+ ", "(a)++", "(a b)1.1 ", '"a"', '("', "( ", ") ", '" ', "(,)", "\\(", '\\"'),
    *("BREAK ", "AND ", "1.2::", "::", "1::a::", "{a", "{a}", "{[a", "a|", "(: ", "+("),
    *("a.swap(b) ", "a.swap(", "withLora(a) ", '("a", "b").and() ', "<a:b>", "embedding:a "),
)
MOST_BYTES = 40  # for a character
MOST_LINES = 120  # of Python for a character; crossed brackets take most of them


def parsed_or_refused(prompt, syntax):
    with suppress(PromptError):
        return parse(prompt, syntax)


def test_any_repeated_piece_is_read_in_a_few_lines_for_each_character():
    def check(case):
        syntax, piece = case
        once, twice = (
            lines_run(lambda prompt: parsed_or_refused(prompt, syntax), piece * (n // len(piece)))
            for n in (120, 240)
        )
        assert twice <= 2.3 * once + 100
        assert twice <= MOST_LINES * 240

    assert not failures_of(check, product(SYNTAXES, PIECES))


@pytest.mark.slow
def test_any_repeated_piece_takes_little_memory():
    """The arrays and lists on the way, apart from the segments that are the result."""

    def check(case):
        syntax, piece = case
        prompt = piece * (3_000 // len(piece))
        tracemalloc.start()
        try:
            result = parsed_or_refused(prompt, syntax)
            size, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert result is None or result.source == prompt
        assert peak - size <= MOST_BYTES * len(prompt) + 20_000

    assert not failures_of(check, product(SYNTAXES, PIECES))


def test_unmatched_brackets_in_a_row_keep_their_places():
    prompt = "a" + ")" * 300 + "[" + "(" * 300
    for syntax in ("a1111", "lpw", "lpw_xl", "sd_embed"):
        issues = parse(prompt, syntax).issues

        assert [issue.position for issue in issues] == [*range(1, 102)]
        assert issues[-1].message == "501 more brackets that do not match"
