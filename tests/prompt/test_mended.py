"""Prompts with several slips, or with brackets that fail, are read as meant once mended."""

import pytest

from clipcond.prompt import Issue, parse
from clipcond.prompt.compel_slips import CALL
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN
from tests.failures import failures_of
from tests.prompt.test_remedies import followed, issues

ROUND = ("a1111", "lpw", "sd_embed")


def mended(prompt: str, syntax: str) -> tuple[str, str]:
    """Follow remedies until there are no issues; return the prompt, and what it is in."""
    for _ in range(5):
        if not issues(prompt, syntax, None):
            break
        prompt, syntax = followed(prompt, syntax, None)
        syntax = "a1111" if syntax == "diffusers" else syntax
    return prompt, syntax


def issues_of_all(prompt: str, syntax: str) -> list[Issue]:
    return list(with_lookalikes(parse(prompt, syntax)).issues)


def weights(prompt: str, syntax: str) -> list[tuple[str, float]]:
    segments = [
        (s.text.strip(" ,"), pytest.approx(s.weight)) for s in parse(prompt, syntax).segments
    ]
    return [(text, weight) for text, weight in segments if text]


def test_weights_that_are_several():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN - {"novelai"}):
            there, target = mended(prompt, syntax)
            assert issues(there, target, None) == [], (syntax, there)
            assert weights(there, target) == wanted, (syntax, there)

    cases = [
        ("(freckles:0.8, tan:1.1)", [("freckles", 0.8), ("tan", 1.1)]),
        ("(red hair:1.2,eyes: 0.9, hat:1.3)", [("red hair", 1.2), ("eyes", 0.9), ("hat", 1.3)]),
        ("（猫：1.2，狗：0.8）", [("猫", 1.2), ("狗", 0.8)]),
        ("(cat:1.3/dog:1.2)", [("cat", 1.3), ("dog", 1.2)]),
        ("(cat:1.2:dog)", [("cat", 1.2), ("dog", 1.0)]),
        ("(cat, dog:1.2, fox)", [("cat", 1.0), ("dog", 1.2), ("fox", 1.0)]),
        ("(cat:1.2, dog)", [("cat", 1.2), ("dog", 1.0)]),
        ("[red:1.2, blue:0.8]", [("red", 1.2), ("blue", 0.8)]),
        ("{red:1.2, blue:0.8}", [("red", 1.2), ("blue", 0.8)]),
        ("(red:1,2, blue:0,8)", [("red", 1.2), ("blue", 0.8)]),
        ("(red:1.2; blue:0.8)", [("red", 1.2), ("blue", 0.8)]),
        ("(红：1.2、蓝：0.8)", [("红", 1.2), ("蓝", 0.8)]),
        ("(red hat:1.2 blue:0.8)", [("red hat", 1.2), ("blue", 0.8)]),
        ("1.2::castle, 1.3::tree::", [("castle", 1.2), ("tree", 1.3)]),
        ("1.2::castle 0.7::red tree::", [("castle", 1.2), ("red tree", 0.7)]),
        ("1.5::a cat:: and 1.3::tree", [("a cat", 1.5), ("and", 1.0), ("tree", 1.3)]),
    ]  # fmt: skip
    assert not failures_of(check, cases)


def test_brackets_in_brackets_stay_balanced():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN):
            remedy = issues(prompt, syntax, None)[0].remedy
            assert (wanted in remedy) == (syntax in {*ROUND, "comfyui", "diffusers", "lpw_xl"})
            assert remedy.count("(") == remedy.count(")")
            there, target = followed(prompt, syntax, None)
            assert issues(there, target, None) == [], (syntax, there)

    cases = [
        ("(miku (vocaloid)):1.2", "(miku (vocaloid):1.2)"),
        ("(saber (fate) (red)):0.8", "(saber (fate) (red):0.8)"),
        ("((a cat) on (a mat)):1.3", "((a cat) on (a mat):1.3)"),
        ("((cat)):1.3", "(cat:1.3)"),
        ("(x (y) z)*1.3", "(x (y) z:1.3)"),
    ]
    assert not failures_of(check, cases)


def test_brackets_that_cross():
    def check(prompt):
        for syntax in ROUND:
            (issue,) = issues_of_all(prompt, syntax)
            there = prompt.replace(issue.words[0], issue.remedy[len("Write ") : -1])
            assert issues_of_all(there, syntax) == []
            assert weights(there, syntax) == weights(prompt, syntax)

    cases = [
        "(cat [dog) fox]",
        "[cat (dog] fox)",
        "a (b[c)d] e",
        "(red [hat) on a] x",
        "x [a(b]c) y",
    ]
    assert not failures_of(check, cases)
    assert issues_of_all("(cat [dog]) [fox]", "a1111") == []


def test_calls_of_compel():
    def check(case):
        prompt, members, mode, numbers = case
        for syntax in sorted(EXCEPT_PLAIN):
            assert [i.code for i in issues_of_all(prompt, syntax)] == [CALL], syntax
            there, target = followed(prompt, syntax, None)
            parsed = parse(there, target)
            assert target == "compel"
            assert issues_of_all(there, target) == []
            assert parsed.mixture is not None
            assert [m.segments[0].text for m in parsed.mixture.prompts] == list(members)
            assert (parsed.mixture.mode, parsed.mixture.weights) == (mode, numbers), syntax

    both, halves = ("a cat", "a dog"), (0.5, 0.5)
    cases = [
        ('("a cat","a dog").blend(1,2', both, "mean", (1.0, 2.0)),
        ('("a cat","a dog").blend(0.5;0.5)', both, "mean", halves),
        ('("a cat","a dog").blend 0.5,0.5', both, "mean", halves),
        ('("a cat","a dog").Blend(0.5, 0.5)', both, "mean", halves),
        ("(“a cat”,“a dog”).blend(0.5,0.5)", both, "mean", halves),
        ('("a cat","a dog").adn()', both, "join", (1.0, 1.0)),
        ('("a cat","a dog").AND()', both, "join", (1.0, 1.0)),
        ('("a cat","a dog").blnd(1,1)', both, "mean", (1.0, 1.0)),
        ('("a cat","a dog").blend[1,1]', both, "mean", (1.0, 1.0)),
        ('("a cat","a dog").blend(0.5 0.5)', both, "mean", halves),
        ('("a cat","a dog").blend(0,5;0,5)', both, "mean", halves),
        ('("a cat" "a dog").blend(0.5,0.5)', both, "mean", halves),
        ('("a cat"; "a dog").and()', both, "join", (1.0, 1.0)),
        ('"a cat" and "a dog".blend(0.5,0.5)', both, "mean", halves),
        ('"a cat", "a dog".blend(0.5,0.5)', both, "mean", halves),
        ('("a cat","a dog")blend(0.5,0.5)', both, "mean", halves),
        ('("a cat","a dog").and', both, "join", (1.0, 1.0)),
        ("(a cat, a dog).blend(0.5,0.5)", both, "mean", halves),
        ("（“a cat”，“a dog”）.blend（0.5，0.5）", both, "mean", halves),
    ]
    assert not failures_of(check, cases)
    for right in ('("a cat","a dog").blend(1,2)', '("a", "b").and()', "(cat, dog).blend( 1 , 2 )"):
        assert issues_of_all(right, "compel") == []
        assert [i.code for i in issues_of_all(right, "a1111")] == ["other-dialect"]


def test_a_break_has_no_weight():
    for prompt in (
        "a BREAK:1.2 b",
        "a cat, BREAK:0.8, b",
        "BREAK: 1.3",
        "a BREAK:1",
        "BREAK (1.2)",
    ):
        (issue,) = issues_of_all(prompt, "a1111")
        assert (issue.remedy, issue.words[0][:5]) == ("Write BREAK.", "BREAK")
        for syntax in ("comfyui", "compel", "diffusers", "novelai", "lpw"):
            (issue,) = issues_of_all(prompt, syntax)
            assert issue.remedy == "Leave it out, or choose dialect 'a1111'."


def test_full_width_signs_in_dialect_diffusers():
    def check(case):
        prompt, wanted = case
        (issue,) = issues(prompt, "diffusers", None)
        assert issue.remedy == f"Write {wanted} in dialect 'a1111'."
        assert issues(wanted, "a1111", None) == []

    cases = [
        ("（猫：1.3）", "(猫:1.3)"),
        ("（cat：0.8）", "(cat:0.8)"),
        ("（（猫））", "((猫))"),
        ("【【猫】】", "[[猫]]"),
        ("［猫：狗：0.5］", "[猫:狗:0.5]"),
        ("［cat｜dog］", "[cat|dog]"),
        ("(猫：1.3)", "(猫:1.3)"),
    ]
    assert not failures_of(check, cases)


def test_quotation_marks_within_a_prompt_of_a_blend():
    def check(case):
        prompt, members = case
        for syntax in sorted(EXCEPT_PLAIN):
            there, target = followed(prompt, syntax, None)
            parsed = parse(there, target)
            assert [m.segments[0].text for m in parsed.members] == list(members), (syntax, there)
            assert issues_of_all(there, target) == []

    cases = [
        ('("a "quoted" cat", "dog").blend(1,1)', ('a "quoted" cat', "dog")),
        ('("cat", "the "big" dog", "a "b" c").blend(1,1,2)', ("cat", 'the "big" dog', 'a "b" c')),
        ('("a" "b", "c").blend(1,1,1)', ("a", "b", "c")),
    ]
    assert not failures_of(check, cases)
    assert issues_of_all('("a \\"quoted\\" cat", "dog").blend(1,1)', "compel") == []


def test_text_before_a_blend():
    """It makes text of the blend; the prompt of the remedy is one."""

    def check(case):
        prompt, words = case
        (issue,) = issues_of_all(prompt, "compel")
        assert (issue.code, issue.words) == (CALL, (words,))
        before = prompt[: issue.position].strip()
        there = words.replace('"', f'"{before} ', 1).replace(', "', f', "{before} ')
        parsed = parse(there, "compel")
        assert issues_of_all(there, "compel") == []
        assert all(m.segments[0].text.startswith(before) for m in parsed.members)
        assert len(parsed.members) == words.count('"') // 2

    cases = [
        ('a photo of ("cat", "dog").blend(0.5,0.5)', '("cat", "dog").blend(0.5,0.5)'),
        ('红色的 ("猫", "狗").and()', '("猫", "狗").and()'),
    ]
    assert not failures_of(check, cases)
    for prompt in ('("a", "b").blend(1, 2)', ' ("a", "b").and()'):
        assert issues_of_all(prompt, "compel") == []
    loaded = issues_of_all('withLora(x,1) ("a", "b").blend(1, 2)', "compel")
    assert [issue.code for issue in loaded] != [CALL]
