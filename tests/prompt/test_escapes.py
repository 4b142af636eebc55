r"""Backslashes that are lost, or text where an escape was meant, are named: `\(` and `AC\DC`."""

from clipcond.prompt import SYNTAXES, Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import BRACKETS
from tests.failures import failures_of

SWALLOWING = sorted(BRACKETS - {"comfyui"})


def escapes(prompt: str, syntax: str) -> list[Issue]:
    found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    return [issue for issue in found if issue.code == "escape"]


def followed(prompt: str, syntax: str) -> str:
    """Do what the issues of escapes say, the last one first."""
    for issue in reversed(escapes(prompt, syntax)):
        (words,) = issue.words
        assert prompt[issue.position :].startswith(words)
        text = issue.remedy.removeprefix("Write ").removesuffix(".")
        prompt = prompt[: issue.position] + text + prompt[issue.position + len(words) :]
    return prompt


def text(prompt: str, syntax: str) -> str:
    return "".join(s.text for s in parse(prompt, syntax).segments)


def test_escapes_where_there_are_none():
    """A prompt that A1111 reads as text is that text, once the remedies are followed."""

    def check(case):
        prompt, wanted, syntaxes = case
        for syntax in sorted(SYNTAXES):
            assert bool(escapes(prompt, syntax)) == (syntax in syntaxes), syntax
            there = followed(prompt, syntax)
            assert not escapes(there, syntax)
            if syntax in syntaxes:
                assert text(there, syntax) == wanted.get(syntax, wanted[""]), syntax
                assert {s.weight for s in parse(there, syntax).segments} == {1.0}

    none = {"novelai", "diffusers", "plain"}
    squares = {*none, "comfyui", "compel"}
    cases = [
        ("saber \\(fate\\)", {"": "saber (fate)"}, none),
        ("1girl, miku \\(vocaloid\\), solo", {"": "1girl, miku (vocaloid), solo"}, none),
        ("2b_\\(nier\\) \\(cosplay\\)", {"": "2b_(nier) (cosplay)"}, none),
        ("a \\(red, big\\) cat", {"": "a (red, big) cat"}, none),
        ("saber \\\\(fate\\\\)", {"": "saber (fate)"}, none),
        ("sad :\\(", {"": "sad :("}, none),
        # the very signs, where no weight looks like them; in novelai they are one
        ("a \\[sic\\] x", {"": "a [sic] x", "novelai": "a (sic) x"}, squares),
        (
            "a \\{1,2\\} b",
            {"": "a {1,2} b", "compel": "a {1, 2} b", "novelai": "a (1,2) b"},
            squares,
        ),
        ("a \\[big cat\\] x", {"": "a [big cat] x", "novelai": "a (big cat) x"}, squares),
        ("x \\[1\\], \\[2\\]", {"": "x [1], [2]", "novelai": "x (1), (2)"}, squares),
        ("\\[Live\\] poster", {"": "[Live] poster", "novelai": "(Live) poster"}, squares),
        ("\\{x, y\\} set", {"": "{x, y} set", "novelai": "(x, y) set"}, squares),
        ("\\[cat\\]", {"": "(cat)", "plain": "[cat]"}, squares),
        ("\\[\\[cat\\]\\]", {"": "(cat)", "plain": "[[cat]]"}, squares),
        (
            "\\[one \\{two\\}\\] x",
            {"": "(one (two)) x", "plain": "[one {two}] x"},
            squares,
        ),
        (
            "\\[sic\\], \\[cat\\]",
            {"": "[sic], (cat)", "plain": "[sic], [cat]", "novelai": "(sic), (cat)"},
            squares,
        ),
        ("\\{cat\\}", {"": "(cat)", "plain": "{cat}"}, squares),
        ("a cat, \\{x y\\}", {"": "a cat, (x y)", "plain": "a cat, {x y}"}, squares),
    ]
    assert not failures_of(check, cases)
    silent = ["a \\\\\\(b\\\\\\) c", "a / b", "\\o/", "(a)", "[a b]"]
    assert [p for p in silent for s in ("novelai", "plain", "comfyui") if escapes(p, s)] == []


def test_a_backslash_that_is_left_out():
    def check(prompt):
        for syntax in SWALLOWING:
            assert text(prompt, syntax) != prompt
            (issue,) = escapes(prompt, syntax)
            assert "without its backslash" in issue.message
            assert text(followed(prompt, syntax), syntax) == prompt
            assert not with_lookalikes(parse(followed(prompt, syntax), syntax)).issues
        assert not escapes(prompt, "comfyui")  # where it is text

    cases = ["AC\\DC poster", "either\\or", "C:\\Users\\me\\cat.png", "C:\\new\\table"]
    cases += ["¯\\_(ツ)_/¯", "\\d+ on a shirt", "cats\\dogs\\foxes", "a\\b"]
    cases += ["either \\ or", "C:\\ drive", "C:\\", "a cat \\"]
    cases += ["the letter \\alpha", "D:\\temp"]
    assert not failures_of(check, cases)
    silent = ["BLACK AN\\D WHITE", "BREA\\K it", "hatsune\\_miku", "a\\\\b", "50\\%", "\\(a\\)"]
    silent += ["C:\\\\Users\\\\me", "a\\nb", "re\\:zero", "a\\,b"]
    assert [p for p in silent for s in SWALLOWING if escapes(p, s)] == []


def test_characters_as_a_program_writes_them():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(SYNTAXES):
            (issue,) = escapes(prompt, syntax)
            assert "as a program writes them" in issue.message
            assert followed(prompt, syntax) == wanted

    cases = [("caf\\u00e9 cat", "café cat"), ("\\ud83d\\ude00 x", "😀 x"), ("na\\xefve", "naïve")]
    cases += [("\\u732b", "猫"), ("a \\u201ccat\\u201d", "a “cat”")]
    assert not failures_of(check, cases[:4])
    assert followed(cases[4][0], "a1111") == cases[4][1]
    assert not escapes("\\user", "plain")
    assert not escapes("\\u00zz", "plain")


def test_many_backslashes_take_linear_time():
    for piece in ("a\\b", "\\\\a", "\\", "C:\\a", "\\u00e", "\\(a", "a\\b,"):
        assert len(with_lookalikes(parse(piece * 10_000)).issues) <= 101


def test_what_is_followed_gives_no_other_warning():
    """Brackets that are text stay so: no remedy leads to what another remedy is for."""

    def check(prompt):
        for syntax in sorted(SYNTAXES):
            there = followed(prompt, syntax)
            assert with_lookalikes(parse(there, syntax), fullwidth=None).issues == (), there
            assert {s.weight for s in parse(there, syntax).segments} == {1.0}

    cases = ["\\[dog\\]", "a \\{red dog\\}, fox", "\\(dog\\)", "a \\[one, two\\] dog"]
    cases += ["\\[dog\\] and \\[fox\\]", "1girl, \\{dog\\}, \\[fox\\]", "a \\[dog\\]."]
    cases += ["a \\[sic\\] note", "\\{1,2\\}, \\[dog\\]", "\\[\\[dog\\]\\], \\{\\{fox\\}\\}"]
    cases += ["\\[red dog\\] \\{a \\[b\\] fox\\}", "\\[dog\\]\\[fox\\]", "\\[1\\]\\{fox\\}"]
    assert not failures_of(check, cases)
