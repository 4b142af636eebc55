"""What a syntax reads otherwise than it is meant is warned of, and its remedy reads as meant."""

import re
from pathlib import Path

import pytest

from clipcond.prompt import Break, Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import BRACKETS, EXCEPT_PLAIN
from clipcond.prompt.parsing import SYNTAXES
from clipcond.prompt.reduction import reduce
from tests.failures import failures_of

CAPTIONS = Path(__file__).with_name("ordinary_captions.txt").read_text(encoding="utf-8")
SPACED = {"a1111", "comfyui"}  # read a number with spaces around it


def issues(prompt: str, syntax: str, code: str = "") -> list[Issue]:
    found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    return [issue for issue in found if code in ("", issue.code)]


def texts(prompt: str, syntax: str = "a1111") -> list[tuple[str, float]]:
    return [(s.text.strip(), pytest.approx(s.weight)) for s in parse(prompt, syntax).segments]


def proposed(issue: Issue, prefix: str = "Write ") -> str:
    (found,) = re.findall(rf"{prefix}(.+?)(?:;|, or|, if| for | in dialect|\.?\Z)", issue.remedy)
    return found


def test_a_smiley_a_ratio_or_a_number_is_a_weight():
    def check(case):
        prompt, words = case
        for syntax in sorted(SPACED if " :" in prompt and "3 " in prompt else BRACKETS):
            (issue,) = issues(prompt, syntax)
            assert "ends in a weight" in issue.message, syntax
            assert issue.position == prompt.index("(")
            there = prompt.replace(issue.words[0], proposed(issue, "For a weight of 1.1 write "))
            assert issues(there, syntax) == [], there
            assert (words, pytest.approx(1.1)) in texts(there, syntax)

    cases = [
        ("(1girl, smile, :3)", "1girl, smile, :3"),
        ("(xD :3)", "xD :3"),
        ("(happy :0)", "happy :0"),
        ("a (cat, >:3), hat", "cat, >:3"),
        ("a (fox :-3)", "fox :-3"),
        ("(kitten |:3)", "kitten |:3"),
        ("(2:1)", "2:1"),
        ("(1:0)", "1:0"),
        ("a poster (4:1), wide", "4:1"),
        ("(2.35:1)", "2.35:1"),
        ("(match 3:0)", "match 3:0"),
        ("(square 1:1)", "square 1:1"),
        ("(1:1), cat", "1:1"),
        ("cat (1:1)", "1:1"),
        ("(at 1:00)", "at 1:00"),
        ("(chapter:2)", "chapter:2"),
        ("(Episode:3)", "Episode:3"),
    ]
    assert not failures_of(check, cases)
    for syntax in BRACKETS - {"comfyui"}:
        assert "ends in a weight" in issues("a cat (:3)", syntax)[0].message
    (issue,) = issues(f"({'a red cat, ' * 9}:3)", "a1111")
    assert issue.remedy.startswith("Write ':1.1' before its last bracket")
    for prompt in ("(cat:2)", "(score_9:1)", "(1girl:1.2)", "\\(2:1\\)", "(:3:1.1)", "(2b:1)"):
        assert issues(prompt, "a1111") == []


def test_the_bracket_of_a_smiley():
    def check(case):
        prompt, smiley, text = case
        for syntax in sorted(BRACKETS | {"compel"}):
            if syntax == "compel" and "=" in smiley:  # opens no group
                continue
            issue = next(i for i in issues(prompt, syntax, "bracket") if "smiley" in i.message)
            assert prompt[issue.position :].startswith(smiley)
            there = prompt.replace(smiley, proposed(issue))
            assert not [i for i in issues(there, syntax) if "smiley" in i.message]
            read = "".join(s.text for s in parse(there, syntax).segments)
            assert text.replace(" ", "") in read.replace(" ", "")

    cases = [
        ("(happy cat :)", ":)", "happy cat :)"),
        ("(happy cat :) in the snow)", ":)", "happy cat :) in the snow"),
        ("(a dog, ;-) on grass)", ";-)", "a dog, ;-) on grass"),
        ("(cat =)", "=)", "cat =)"),
        ("sad :( cat) ", ":(", "sad :( cat"),
        ("(crying :') baby)", ":')", "crying :') baby"),
        ("(>:) devil)", ":)", ">:) devil"),
    ]
    assert not failures_of(check, cases)
    assert "smiley" in issues(":( or :)", "a1111")[0].message
    assert "smiley" in issues("(: hi :)", "a1111")[0].message
    assert "smiley" in issues("[happy :]", "a1111")[0].message
    for prompt in ("happy :) cat", "(^_^)", "(cat) :)", "(a:1.2) ;)", "(cat \\:\\))"):
        assert not [i for i in issues(prompt, "a1111") if "smiley" in i.message]


def test_a_group_behind_a_colon_is_no_smiley():
    """`hair:(red:1.2)` is read as it is meant."""

    def check(case):
        prompt, wide = case
        for syntax in ("a1111", "comfyui", "lpw", "sd_embed", "compel"):
            if wide and syntax == "compel":
                continue
            parsed = with_lookalikes(parse(prompt, syntax, **({"fullwidth": True} if wide else {})))
            assert not [i for i in parsed.issues if "smiley" in i.message], (syntax, parsed.issues)

    cases = [
        *(("一只猫，背景：（绿色：1.2）", True), ("主体：（猫），背景：（绿色）", True)),
        *(("猫:(狗:1.2)", False), ("hair color :(red:1.2)", False), ("cat =(red:1.2)", False)),
        *(("(red:1.2);(blue:1.1)", False), ("hair :( red : 1.2 )", False), ("a :[red]", False)),
        *(("cat ;(a dog (brown):0.9), x", False), ("眼睛：【蓝色】", True)),
    ]
    assert not failures_of(check, cases)


def test_words_without_a_space_become_one():
    def check(case):
        prompt, word, at = case
        for syntax in sorted(BRACKETS):
            found = issues(prompt, syntax, "glued")
            assert bool(found) == (syntax != "comfyui"), syntax
            for issue in found[:1]:
                assert issue.message == f"{word!r} is one word: no space is between"
                assert issue.position == at
                assert word in "".join(s.text for s in parse(prompt, syntax).segments)

    cases = [
        ("(cat)(dog)", "catdog", 1),
        ("a (red:1.2)(fox:1.2) b", "redfox", 3),
        ("((big cat))((dog))", "catdog", 6),
        ("[cat][dog]", "catdog", 1),
        ("[a cat](dog)[fox]", "", 0),
        ("(cat)(dog)(fox)", "catdog", 1),
        ("a, (hat :1.3)(red coat:1.3)", "", 0),
    ]
    assert not failures_of(check, [case for case in cases if case[1]])
    for prompt in ("(cat) (dog)", "(cat:1.2)(dog:1.3)", "(cat)[dog]", "(猫)(狗)", "a(b)c"):
        assert issues(prompt, "a1111", "glued") == []


def test_break_in_capitals():
    def check(prompt):
        (issue,) = issues(prompt, "a1111")
        assert issue.code == "break-in-capitals"
        assert prompt[issue.position :].startswith("BREAK")
        there = prompt.replace("BREAK", "Break")
        assert issues(there, "a1111") == []
        assert not any(isinstance(part, Break) for part in parse(there).parts)

    cases = [
        "TAKE A BREAK",
        "PRISON BREAK SEASON 1",
        "BREAK THE ICE",
        "a sign that says COFFEE BREAK",
        'neon letters "TEA BREAK", night',
        "a poster of PRISON BREAK, four men",
        "a banner “BREAK A LEG”",
        "BREAK THE RULES poster",
        "GIVE ME A BREAK, poster",
        "taylor swift, BREAK UP song",
        "DO NOT BREAK, fragile",
        "a box, BREAK IN CASE of fire",
        "BREAK A LEG poster",
        "a mug, TEA BREAK",
    ]
    assert not failures_of(check, cases)
    for prompt in (
        "a cat BREAK a dog",
        "4K, HDR BREAK a dog",
        "BREAK",
        "1girl, NSFW BREAK 2boys",
        "a cat, UHD BREAK HDR photo",
        "a cat BREAK A dog",
        "1girl BREAK I am a dog",
        "a TV BREAK RAW photo",
    ):
        assert issues(prompt, "a1111") == []
    assert issues("(CAT:1.2) BREAK DOG", "a1111") == []


def test_and_of_other_dialects_is_a_word():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN - {"a1111"}):
            (issue,) = [i for i in issues(prompt, syntax) if "several conditions" in i.message]
            assert issue.position == prompt.index("AND")
            there = prompt.replace("AND", "and")
            assert not issues(there, syntax, "other-dialect")

    cases = [
        "a cat AND a dog",
        "a cat, hat AND a dog, coat",
        "猫 AND 狗",
        "a cat AND a dog AND a fox",
        "night sky,\nstars AND\nthe sea",
        "Paris AND London",
    ]
    assert not failures_of(check, cases)
    for prompt in ("BLACK AND WHITE CAT", "an AND gate", "AND", "ROCK AND ROLL", "a band, andes"):
        for syntax in EXCEPT_PLAIN - {"a1111"}:
            assert issues(prompt, syntax) == []


def test_brackets_of_a1111_have_a_form_in_each_dialect():
    def check(case):
        prompt, words, weight, syntaxes = case
        for syntax in syntaxes:
            (issue,) = issues(prompt, syntax)
            assert "a weight in dialect 'a1111', but not here" in issue.message
            there = prompt.replace(issue.words[0], proposed(issue))
            assert issues(there, syntax) == []
            assert (words, pytest.approx(weight, abs=0.01)) in texts(there, syntax)

    cases = [
        ("[castle]", "castle", 1 / 1.1, ("comfyui", "compel")),
        ("a king, [castle], night", "castle", 1 / 1.1, ("comfyui", "compel")),
        ("[[trees]]", "trees", 1 / 1.21, ("comfyui", "compel")),
        ("[[red trees]], sky", "red trees", 1 / 1.21, ("comfyui", "compel")),
        ("(cat:1.3), [tall trees]", "tall trees", 1 / 1.1, ("comfyui",)),
        ("((castle))", "castle", 1.21, ("compel", "novelai")),
        ("a ((red castle)) b", "red castle", 1.21, ("compel", "novelai")),
    ]
    assert not failures_of(check, cases)
    for prompt in ("[a cat]", "a photo [sic]", "[intro] calm", "x [link](y)"):
        assert issues(prompt, "comfyui") == []


def test_captions_are_ordinary():
    assert len(CAPTIONS.splitlines()) > 60

    def check(prompt):
        for syntax in SYNTAXES:
            parsed = parse(prompt, syntax)
            new = [i for i in with_lookalikes(parsed).issues if i not in parsed.issues]
            assert {i.code for i in new} <= {"doubtful-weight"}, syntax  # of compel: C++ is one
        assert not {i.code for i in reduce(prompt)[1]} - {"and", "and-in-capitals"}

    assert not failures_of(check, CAPTIONS.splitlines())


def test_the_number_of_a_sequel_is_a_weight():
    def check(prompt):
        for syntax in ("a1111", "comfyui"):
            (issue,) = issues(prompt, syntax, "weight")
            assert "ends in a weight" in issue.message, syntax
            assert "for text write \\\\(" in repr(issue.remedy)

    titles = "The Witcher: 3|Iron Man: 2|toy story: 2|Dune: 2|Kill Bill: 2|portal:2|the witcher:3"
    titles += "|Lord of the Rings: 2|Star Wars: 3|巫师: 3|哪吒: 2|Half-Life: 2|Spider-Man: 3"
    assert not failures_of(check, [f"a ({title}) poster" for title in titles.split("|")])

    def silent(prompt):
        assert issues(prompt, "a1111") == []

    weights = "cat:2|cat: 1.3|red hair:2|best quality: 2|Masterpiece: 2|Emma Stone:2"
    assert not failures_of(silent, [f"a ({words})" for words in weights.split("|")])


def test_brackets_with_a_colon_alone():
    def check(prompt):
        parsed = parse(prompt, "a1111", fullwidth=True)
        (issue,) = with_lookalikes(parsed, fullwidth=True).issues
        assert "bracket of the smiley" in issue.message

    assert not failures_of(check, ["（：）", "(:)", "【：】", "a （：） b", "（： 猫）", "(: cat)"])
