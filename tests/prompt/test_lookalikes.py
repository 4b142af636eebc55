"""A prompt that looks like another dialect's is warned of; ordinary text is not."""

from itertools import product

from clipcond.errors import PromptError
from clipcond.prompt import SYNTAXES, Issue, ParsedPrompt, parse
from clipcond.prompt.lookalikes import with_lookalikes
from tests.conditioning.conditioners import single, warnings_of
from tests.failures import failures_of

BRACKETS = ("a1111", "comfyui", "lpw", "lpw_xl", "sd_embed")


def issues(text: str, syntax: str) -> tuple[Issue, ...]:
    return with_lookalikes(ParsedPrompt(text, (), syntax=syntax)).issues


def test_it_is_warned_of_at_its_place():
    def check(case):
        syntax, text, shown, position = case
        (issue,) = issues(text, syntax)

        assert issue.message.startswith(f"{shown!r} is a") or "prompt editing" in issue.message
        assert issue.message.startswith(repr(shown))
        assert issue.message.endswith(", but not here")
        assert issue.position == position
        assert issue.remedy

    cases = [
        ("compel", "a (cat:1.3)", "(cat:1.3)", 2),
        ("compel", "a (cat:2)", "(cat:2)", 2),
        ("compel", "(4k:1.2)", "(4k:1.2)", 0),
        ("compel", "(a (b) c:1.2)", "(a (b) c:1.2)", 0),
        ("compel", "(cat: 1.3)", "(cat: 1.3)", 0),
        ("lpw", "(cat: 1.3 )", "(cat: 1.3 )", 0),
        ("sd_embed", "(cat:1.3 )", "(cat:1.3 )", 0),
        *((syntax, "a cat++", "cat++", 2) for syntax in (*BRACKETS, "diffusers")),
        ("diffusers", "a (cat:1.3)", "(cat:1.3)", 2),
        ("diffusers", "a (cat: 1.3 )", "(cat: 1.3 )", 2),
        ("diffusers", "BREAK", "BREAK", 0),
        ("diffusers", "a ((big cat))", "((big cat))", 2),
        ("compel", "(((cat)))", "(((cat)))", 0),
        ("a1111", "a 1girl--, b", "1girl--", 2),
        ("a1111", "a (big cat)1.3 b", "(big cat)1.3", 2),
        ("comfyui", "a (big cat)+", "(big cat)+", 2),
        ("a1111", '("a","b").blend(1,1)', ".blend(", 9),
        ("comfyui", '("a","b").and()', ".and(", 9),
        ("a1111", "a cat.swap(dog)", ".swap(", 5),
        ("comfyui", "a BREAK b", "BREAK", 2),
        ("compel", "BREAK", "BREAK", 0),
        ("lpw", "a BREAK", "BREAK", 2),
        ("comfyui", "a [cat:dog:0.5]", "[cat:dog:0.5]", 2),
        ("compel", "[cat:5]", "[cat:5]", 0),
        ("comfyui", "a [cat|big dog|]", "[cat|big dog|]", 2),
        ("a1111", "a, embedding:easy-neg b", "embedding:easy-neg", 3),
        ("compel", "embedding:x", "embedding:x", 0),
        ("a1111", "a <lora:foo:0.8> b", "<lora:foo:0.8>", 2),
    ]
    assert not failures_of(check, cases)


def test_a_smiley_in_front_hides_nothing():
    def check(case):
        syntax, smiley, text = case
        found = with_lookalikes(parse(f"{smiley} {text}", syntax)).issues

        assert [issue.words for issue in found] == [(text,)]
        assert found[0].position == len(smiley) + 1

    smileys = ("smile :)", "a ;)", "=)", "happy :-)", "a cat, :)", "猫 ：）")
    cases = product((*BRACKETS, "diffusers"), smileys, ("cat:1.3", "cat++"))
    assert not failures_of(check, cases)


def test_a_sign_over_and_over_makes_no_number_beyond_all():
    def check(case):
        syntax, prompt = case
        try:
            found = with_lookalikes(parse(prompt, syntax)).issues
        except PromptError:
            return
        assert all("inf" not in issue.remedy for issue in found)

    prompts = [
        *('"cat"' + "+" * 8000, "cat" + "-" * 8000, '"a cat" ' + "+" * 8000, "[" * 8000 + "cat]"),
        *("{" * 15000 + "cat}}", "cat:" + "1" * 999, "(cat:" + "9" * 999, "1" * 999 + "::cat::"),
    ]
    assert not failures_of(check, product(SYNTAXES, prompts), lambda case: (case[0], case[1][:9]))


def test_ordinary_text_is_not():
    def check(case):
        syntax, text = case
        assert issues(text, syntax) == ()

    cases = product(
        [*BRACKETS, "compel", "diffusers"],
        [
            "C++ code, c++ too",
            "(16:9)",
            "at (10:30), John (3:16)",
            "well-known, sci-fi, red+green, -5 degrees, 18+",
            "wait -- what, a--b, a + b",
            "a [b] c, e.g. this (and that), break, BREAKING",
            "(version 2) 1.3, x.blend, bland.and",
            "an embedding: how, reembedding:x",
            "a < b, <token>, <lora> <lora:>",
            "(()), ( ( ) )",
            "((a) and (b)), [|], a | b, [x] | [y]",
            "",
        ],
    )
    assert not failures_of(check, cases)


def test_what_a_syntax_reads_itself_is_not():
    assert issues("(cat:1.3) (cat: 1.3) a BREAK b [a:b:0.5]", "a1111") == ()
    assert issues("(cat:1.3) (cat: 1.3) embedding:x", "comfyui") == ()
    assert issues("cat++ (a b)1.3", "compel") == issues('("a","b").blend(1,1)', "compel") == ()
    assert issues("(cat:1.3) cat++ BREAK embedding:x <lora:x:1>", "plain") == ()


FULLWIDTH = "syntax where full-width punctuation counts"


def test_full_width_syntax_is_warned_of_unless_somebody_chose():
    def check(case):
        syntax, text, shown, position = case
        parsed = ParsedPrompt(text, (), syntax=syntax)
        (issue,) = with_lookalikes(parsed, fullwidth=None).issues

        meaning = "a bracket in ASCII" if syntax == "compel" else FULLWIDTH
        assert issue.message == f"{shown!r} is {meaning}, but not here"
        assert issue.position == position
        assert with_lookalikes(parsed, fullwidth=True).issues == ()
        assert with_lookalikes(parsed, fullwidth=False).issues == ()

    cases = [
        *((syntax, "一（猫：1.3）", "（猫：1.3）", 1) for syntax in BRACKETS),
        ("a1111", "a 【cat】", "【cat】", 2),
        ("a1111", "［猫：狗：0.5］", "［猫：狗：0.5］", 0),
        ("a1111", "a (cat：1.3)", "(cat：1.3)", 2),
        ("a1111", "a (cat:1.3）", "(cat:1.3）", 2),
        ("a1111", "a (cat:1。3)", "(cat:1。3)", 2),
        ("compel", "（猫）1.3", "（猫）", 0),
    ]
    assert not failures_of(check, cases)


def test_ordinary_full_width_text_is_not():
    def check(case):
        syntax, text = case
        parsed = ParsedPrompt(text, (), syntax=syntax)

        issues = with_lookalikes(parsed, fullwidth=None).issues
        assert [i for i in issues if "full-width" in i.message] == []

    cases = product(
        ["a1111", "comfyui", "compel", "plain"],
        ["一只猫，狗。", "早上：10：30", "：）", "一（只", "【】"],
    )
    assert not failures_of(check, cases)


def test_issues_stay_in_order_and_in_bounds():
    parsed = with_lookalikes(parse("(a cat++ ) )"))
    assert [issue.position for issue in parsed.issues] == [3, 11]

    assert len(issues("cat++ " * 1000, "a1111")) == 100


def test_a_conditioner_warns_and_explains():
    message = (
        "'cat++' is a weight in dialect 'compel', but not here\n"
        "  a cat++\n"
        "    ^\n"
        "Write (cat:1.2), or choose dialect 'compel'."
    )

    assert warnings_of(lambda: single()("a cat++")) == [message]
    (issue,) = single().explain("a cat++").json()["issues"]
    said = (issue["message"], issue["position"], issue["code"], issue["remedy"])
    assert said == (message.splitlines()[0], 2, "other-dialect", message.splitlines()[-1])
