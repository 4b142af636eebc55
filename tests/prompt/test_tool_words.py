"""Words and tags that extensions and NovelAI act on are warned of; titles and sentences are not."""

import pytest

from clipcond.prompt.notations import EXCEPT_PLAIN
from tests.failures import failures_of
from tests.prompt.test_remedies import issues

REGIONS = [
    *(("COUPLE a cat", "COUPLE"), ("a cat COUPLE a dog", "COUPLE"), ("a cat MASK b", "MASK")),
    *(("STYLE(A1111) cat", "STYLE(A1111)"), ("SHUFFLE(,)", "SHUFFLE(,)"), ("FILL() cat", "FILL()")),
    *(("cat AVG dog", "AVG"), ("cat AVG(0.5) dog", "AVG(0.5)"), ("a cat IMASK(1)", "IMASK(1)")),
    *(("SDXL(1024 1024)", "SDXL(1024 1024)"), ("TE(clip_l=a)", "TE(clip_l=a)")),
    *(("NOISE(0.5)", "NOISE(0.5)"), ("a cat SHIFT(1)", "SHIFT(1)"), ("DEF(X=cat) X", "DEF(X=cat)")),
    *(("a cat MASK(0 0.5)", "MASK(0 0.5)"), ("a AREA(0 1, 0 1)", "AREA(0 1, 0 1)")),
    *(("x COUPLE MASK(0 0.5) b", "COUPLE"), ("a FEATHER(8)", "FEATHER(8)")),
]
TAGS = [
    *(("random-choice", "[choose]a|b[/choose]"), ("random-choice", "[choose 2]a|b|c[/choose]")),
    *(("extension-tag", "[if x]a[/if]"), ("extension-tag", "[repeat 3]cat[/repeat]")),
    *(("extension-tag", "[set y]cat[/set]"), ("extension-tag", "[replace _from='a']a[/replace]")),
    *(
        ("extension-tag", "[/case]"),
        ("extension-tag", "[sets x=3]"),
        ("extension-tag", "[chance 20]"),
    ),
    *(
        ("action-tag", "source#hug"),
        ("action-tag", "target#holding hands"),
        ("action-tag", "mutual#kiss"),
    ),
]
FLAGS = [
    *(("a cat -- ar 16:9", "-- ar 16:9"), ("a cat ar 16:9", "ar 16:9"), ("a cat -v 6", "-v 6")),
    *(("a cat, AR 3:2", "AR 3:2"), ("a cat - ar 16:9", "- ar 16:9"), ("a cat — v 6", "— v 6")),
    *(("a cat -- stylize 250", "-- stylize 250"), ("a cat -niji 5", "-niji 5")),
    *(("a cat -chaos 20, x", "-chaos 20"), ("a cat ar 2:3 --v 6", "ar 2:3")),
]
ORDINARY = [
    *("A COUPLE DANCING", "a COUPLE of cats", "THE MASK", "a poster: FILL THE CUP", "noise (film)"),
    *("aspect ratio 16:9", "an AR 16:9 display", "cold, -5 c 3", "a mask (red)", "style(x)"),
    *("[if] only", "C# source code", "issue #12", "a sign: [set]", "chance of rain", "tea (green)"),
    *("a -- v-neck dress", "SDXL (base model)", "mask, area, couple", "text: hello"),
]


@pytest.mark.parametrize(
    "cases", [[("region", *case) for case in REGIONS], [("midjourney-flag", *c) for c in FLAGS]]
)
def test_words_and_flags(cases):
    """Left out as the remedy says, nothing of the kind is left."""

    def check(case):
        code, prompt, shown = case
        for syntax in sorted(EXCEPT_PLAIN):
            found = [i for i in issues(prompt, syntax, None) if i.code != "doubtful-weight"]
            assert (found[0].code, found[0].words) == (code, (shown,)), (syntax, found)
            assert found[0].remedy.startswith("Leave it out")
            there = prompt.replace(shown, "", 1)
            left = [i for i in issues(there, syntax, None) if shown in i.words]
            assert left == [], (syntax, left)

    assert not failures_of(check, cases)


def test_tags_of_extensions():
    def check(case):
        code, shown = case
        for syntax in sorted(EXCEPT_PLAIN):
            found = [i for i in issues(f"sky, {shown}", syntax, None) if i.words == (shown,)]
            assert [i.code for i in found] == [code], syntax
            there = issues("sky, a", syntax, None)
            assert there == []

    assert not failures_of(check, TAGS)


def test_a_writing_in_the_picture():
    for prompt in ("Text: hello", "a sign. Text: hello", "a cat, Text: hi there", "a\nText: OK"):
        (issue,) = issues(prompt, "novelai", None)
        assert (issue.code, issue.words) == ("text-label", ("Text:",))
        assert issues(prompt.replace("Text:", ""), "novelai", None) == []
        assert issues(prompt, "a1111", None) == []


def test_titles_and_sentences_are_silent():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN - {"compel"}):
            codes = {i.code for i in issues(prompt, syntax, None)}
            wanted = {"region", "extension-tag", "action-tag", "text-label", "midjourney-flag"}
            assert not codes & wanted, (syntax, codes)

    assert not failures_of(check, ORDINARY)


@pytest.mark.parametrize("unit", ["[if x]", "[a ", "COUPLE ", "MASK(", "-- ar ", "source#", "[/if"])
def test_tool_words_are_looked_for_in_linear_time(unit):
    issues(unit * (60_000 // len(unit)), "a1111", None)
