"""Brackets of smileys and of tags' names that are read as more than text are named."""

import re

import pytest

from clipcond.prompt import Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import BRACKETS
from clipcond.prompt.scanner import ascii_signs
from tests.failures import failures_of

JOINING = sorted(BRACKETS - {"comfyui"})


def issues(prompt: str, syntax: str, *, fullwidth: bool = False) -> tuple[Issue, ...]:
    return with_lookalikes(parse(prompt, syntax, fullwidth=fullwidth), fullwidth=fullwidth).issues


def text(prompt: str, syntax: str, *, fullwidth: bool = False) -> str:
    return "".join(s.text for s in parse(prompt, syntax, fullwidth=fullwidth).segments)


def followed(prompt: str, issue: Issue) -> str:
    """Write what an issue proposes in place of what it is about."""
    (words,) = issue.words
    assert prompt[issue.position :].startswith(words)
    proposal = issue.remedy.removeprefix("Write ").rsplit(" for the ", 1)[0]
    return prompt[: issue.position] + proposal + prompt[issue.position + len(words) :]


def test_names_of_tags():
    """Followed, the name is text with its brackets, and nothing is left to say."""

    def check(case):
        prompt, name = case
        for syntax in sorted(BRACKETS):
            (issue,) = issues(prompt, syntax)
            assert issue.words == (name,)
            assert issue.message == f"the brackets of {name!r} are no text: they make a group"
            there = followed(prompt, issue)
            assert issues(there, syntax) == ()
            assert name in text(there, syntax)

    cases = [
        ("saber_(fate)", "saber_(fate)"),
        ("(saber_(fate):1.2)", "saber_(fate)"),
        ("((hatsune_miku_(vocaloid)))", "hatsune_miku_(vocaloid)"),
        ("cu_chulainn_(fate), 1boy", "cu_chulainn_(fate)"),
        ("cu_chulainn_(fate/stay night), 1boy", "cu_chulainn_(fate/stay night)"),
        ("1girl, ganyu_(genshin_impact), solo", "ganyu_(genshin_impact)"),
        ("artoria_pendragon_(lancer)_(fate)", "artoria_pendragon_(lancer)_(fate)"),
        ("k/da_(league_of_legends)", "k/da_(league_of_legends)"),
        ("2b_(nier:automata)", "2b_(nier:automata)"),
        ("2b_(nier)", "2b_(nier)"),
        ("red-haired_(artist), a cat", "red-haired_(artist)"),
    ]
    assert not failures_of(check, cases)
    silent = ["saber_\\(fate\\)", "hair_(red:1.2)", "x_(i)", "a (fate) b", "saber (fate)", "_(a)"]
    assert [(p, s) for p in silent for s in BRACKETS if issues(p, s)] == []
    for syntax in ("novelai", "diffusers", "plain"):  # where they are text
        assert issues("saber_(fate)", syntax) == ()


def test_names_of_tags_in_groups_of_compel():
    for prompt in ("(saber_(fate))1.2", "a (red miku_(vocaloid))++"):
        (issue,) = issues(prompt, "compel")
        there = followed(prompt, issue)
        assert issues(there, "compel") == ()
        assert issue.words[0] in text(there, "compel")
    assert issues("saber_(fate), a cat", "compel") == ()  # text there


def test_names_of_tags_with_full_width_brackets():
    for prompt in ("saber_（fate）", "初音ミク_（VOCALOID）", "猫娘_（原神）, 1girl"):
        (issue,) = issues(prompt, "a1111", fullwidth=True)
        there = followed(prompt, issue)
        assert issues(there, "a1111", fullwidth=True) == ()
        assert text(there, "a1111", fullwidth=True) == prompt


def test_a_smiley_at_the_end_that_opens_a_bracket():
    def check(case):
        prompt, face = case
        for syntax in JOINING:
            assert text(prompt, syntax) != prompt  # the bracket is lost
            (issue,) = issues(prompt, syntax)
            assert issue.words == (face,)
            assert issue.message.startswith(f"the bracket of the smiley {face!r} opens others")
            there = followed(prompt, issue)
            assert issues(there, syntax) == ()
            assert text(there, syntax) == prompt

    cases = [
        ("sad :(", ":("),
        ("a sad face :-(", ":-("),
        ("1girl, :(", ":("),
        ("angry cat >:(", ">:("),
        ('text that says ":("', ":("),
        ("a sign „:(“", ":("),
        ("crying :'(", ":'("),
        ("sad =( !", "=("),
    ]
    assert not failures_of(check, cases)
    assert issues("sad :(", "comfyui") == ()  # it stays text there
    (issue,) = issues("a cat ;) (dog:1.2) :(", "a1111")
    there = followed("a cat ;) (dog:1.2) :(", issue)
    assert [s.weight for s in parse(there).segments] == [1.0, 1.2, 1.0]
    for prompt in ("难过：（", "很伤心 ：（", "sad :（"):
        (issue,) = issues(prompt, "a1111", fullwidth=True)
        assert text(followed(prompt, issue), "a1111", fullwidth=True) == prompt
    assert len(issues("a (cat :(", "a1111")) == 2  # the other is open as well


@pytest.mark.parametrize("syntax", sorted(BRACKETS))
def test_a_smiley_in_a_weight(syntax):
    """The smiley is named whole, and only it: followed, the last bracket has its partner again."""

    def check(case):
        prompt, face, wanted = case
        (issue,) = issues(prompt, syntax)
        assert issue.words == (face,)
        there = followed(prompt, issue)
        assert issues(there, syntax) == ()
        found = [(s.text.strip(), s.weight) for s in parse(there, syntax).segments]
        assert (wanted[0], pytest.approx(wanted[1])) in found, found

    cases = [
        ("(:):1.2)", ":)", (":)", 1.2)),
        ("(;):1.1)", ";)", (";)", 1.1)),
        ("(=):1.3)", "=)", ("=)", 1.3)),
        ("(>:):1.2)", ">:)", (">:)", 1.2)),
        ("(:-):0.9)", ":-)", (":-)", 0.9)),
        ("((:))", ":)", ("", 1.0)),
        ("(:)), cat", ":)", (":)", 1.1)),
        ("(happy :) girl:1.2)", ":)", ("happy :) girl", 1.2)),
        ("a, (cat ;) hat:0.8)", ";)", ("cat ;) hat", 0.8)),
    ]
    assert not failures_of(check, [case for case in cases if case[0] != "((:))"])
    assert "smiley ':)'" in issues("((:))", syntax)[0].message


def test_a_score_or_a_title_is_no_weight():
    def check(case):
        prompt, fullwidth = case
        (issue,) = issues(prompt, "a1111", fullwidth=fullwidth)
        assert issue.message.startswith(f"{prompt!r} ends in a weight")
        said = re.fullmatch(
            r"(?:For a weight of 1.1 write (.*); for|For) text write (.*)\.", issue.remedy
        )
        assert said is not None
        for written, weight in zip(said.groups(), (1.1, 1.0), strict=True):
            if written is None:
                continue
            assert issues(written, "a1111", fullwidth=fullwidth) == (), written
            (segment,) = parse(written, "a1111", fullwidth=fullwidth).segments
            assert segment.weight == weight
            assert ascii_signs(prompt)[1:-1] in ascii_signs(segment.text)

    wide = ["（比分2：1）", "（进击的巨人：3）", "（Re：0）", "（评分：2）", "（从零开始：0）"]
    narrow = ["(Re:0)", "(Attack on Titan:3)", "(score 2:1)", "(Alien: 3)", "(比分2:1)"]
    narrow += ["(進撃の巨人:3)", "(Red Dead Redemption:0)"]
    assert not failures_of(check, [*((p, True) for p in wide), *((p, False) for p in narrow)])
    silent = [
        "(cat:2)",
        "(cat:0)",
        "(猫:2)",
        "（猫：1.3）",
        "（红色的猫：2）",
        "(Cat:2)",
        "(Red Hat:2)",
    ]
    silent += ["(猫:3)", "（红色的帽子：1.2）", "(Attack on Titan:1.3)"]
    assert [p for p in silent if issues(p, "a1111", fullwidth=True)] == []
