"""Full-width signs in conversions and in compel, which has ASCII ones only."""

import pytest

from clipcond.errors import PromptSyntaxError, PromptWarning
from clipcond.prompt import Issue, parse
from clipcond.prompt.conversion import convert, convert_with_issues
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.rendering import weighted_words
from tests.failures import failures_of


def issues(prompt: str, syntax: str = "a1111", *, wide: bool = False) -> tuple[Issue, ...]:
    parsed = parse(prompt, syntax, fullwidth=wide)
    return with_lookalikes(parsed, fullwidth=True if wide else None).issues


def test_full_width_text_stays_text():
    def check(case):
        prompt, source, target, meant = case
        written, found = convert_with_issues(prompt, source, target)
        assert (written, [i for i in found if i.code == "fullwidth"]) == (meant, [])
        for wide in (False, True):
            words = [each[:2] for each in weighted_words(parse(written, target, fullwidth=wide))]
            source_words = [each[:2] for each in weighted_words(parse(prompt, source))]
            assert words == [(w, pytest.approx(x, abs=2e-3)) for w, x in source_words]

    cases = [
        ("{猫}（笑）", "novelai", "a1111", r"(猫:1.05)\（笑\）"),
        ("(一只猫)1.3（可爱）", "compel", "a1111", r"(一只猫:1.3)\（可爱\）"),
        ("猫，【狗】", "novelai", "a1111", r"猫，\【狗\】"),
        ("猫，【狗】", "comfyui", "a1111", r"猫，\【狗\】"),
        ("猫（笑）", "plain", "sd_embed", r"猫\（笑\）"),
        ("猫［红］", "novelai", "lpw", r"猫\［红\］"),
        ("(猫)1.3＼（狗）", "compel", "a1111", r"(猫:1.3)\＼\（狗\）"),
    ]
    assert not failures_of(check, cases)
    for text in ("（笑）", "彼女（20歳）は笑う"):
        assert convert(text, "a1111", "a1111") == convert(text, "a1111", "comfyui") == text
    for text, source in (
        (r"\（笑\），猫", "a1111"),
        ("{猫}（笑）", "novelai"),
        ("(猫)1.3，狗（红）", "compel"),
    ):
        with pytest.warns(PromptWarning, match="text here") as caught:
            written = convert(text, source, "comfyui")
        assert "fullwidth=False" in str(caught[0].message)
        assert convert(text, source, "comfyui", fullwidth=False) == written


def test_calls_of_compel_in_other_signs():
    def check(case):
        prompt, meant = case
        try:
            (issue,) = issues(prompt, "compel")
            remedy = issue.remedy
        except PromptSyntaxError as error:
            remedy = error.remedy
        assert remedy == f"Write {meant}."
        assert parse(meant, "compel").mixture is not None
        assert issues(meant, "compel") == ()

    cases = [
        ('("猫"，"狗").blend (1，1)', '("猫", "狗").blend(1, 1)'),
        ('("cat", "dog").blend(1，1)', '("cat", "dog").blend(1, 1)'),
        ('("猫"，"狗").blend(1, 1)', '("猫", "狗").blend(1, 1)'),
        ("(“cat”，“dog”).blend(1,1)", '("cat", "dog").blend(1, 1)'),
        ("(“猫”，“狗”).blend(1,1)", '("猫", "狗").blend(1, 1)'),
        ('("a cat"，"a dog").blend（0.7，0.3）', '("a cat", "a dog").blend(0.7, 0.3)'),
    ]
    assert not failures_of(check, cases)
    for text in ('("cat", "dog").blend (1,1)', "(“cat”, “dog”).blend(1,1)", "(猫, 狗).blend(1,2)"):
        assert parse(text, "compel").mixture is not None
        assert issues(text, "compel") == (), text


def test_signs_of_compel():
    def check(case):
        prompt, remedy = case
        (issue,) = issues(prompt, "compel")
        assert issue.remedy == remedy

    space, below = (
        "Write a space behind it, or ",
        "No weight is below 0 here: write one from 0 to 1",
    )
    cases = [
        *(("猫+，狗", f"{space}(猫)1.1."), ("猫-，狗", f"{space}(猫)0.9.")),
        *(("cat-，dog", f"{space}(cat)0.9."), ("a dog+。", f"{space}(dog)1.1.")),
        *(("红猫+、狗", f"{space}(红猫)1.1."), ("hat+；a", f"{space}(hat)1.1.")),
        *((text, f"{below}, or give a negative prompt.") for text in ("(cat)-1, dog", "(a b)-2")),
        ("(castle)-1.3", "Write (castle)1.3."),
    ]
    assert not failures_of(check, cases)
    valid = (
        "a++ ((c))+",
        "((a cat))++ and dog",
        "((c))1.2",
        "((a b))-, x",
        "((c)).5",
        "C+，",
        "猫++，",
    )
    for text in valid:
        assert issues(text, "compel") == (), text
    assert [i.code for i in issues("((a cat)) dog", "compel")] == ["other-dialect"]


def test_what_is_shown():
    cases = [
        ("（猫：1.3），狗", "（猫：1.3）"),
        ("a （cat:1.2）", "（cat:1.2）"),
        ("x，(猫：1.3)", "(猫：1.3)"),
    ]
    for prompt, shown in cases:
        _, found = convert_with_issues(prompt, "a1111", "comfyui")
        assert [i.message for i in found if i.code == "fullwidth"] == [
            f"{shown!r} is read as syntax"
        ]
    (label,) = issues("(white background:1.2), neg: blurry")
    assert (label.words, label.position) == (("neg: blurry",), 24)
