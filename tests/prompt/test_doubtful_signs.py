"""What convert does with full-width signs of A1111: read, said to be text, or ordinary text."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PromptError
from clipcond.prompt import compose, parse, reduce_to_one_text
from clipcond.prompt.conversion import convert_with_issues
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.notations import EXCEPT_PLAIN
from tests.failures import failures_of

TARGETS = ("compel", "lpw", "plain", "comfyui", "novelai", "sd_embed", "diffusers", "lpw_xl")
WORDS = st.text("猫狗红色的女孩花", min_size=2, max_size=6)


def said(prompt: str, target: str, **choices: bool) -> list[tuple[str, int, str]]:
    _, found = convert_with_issues(prompt, "a1111", target, **choices)
    return [(i.message, i.position, i.remedy) for i in found if i.code == "fullwidth"]


def test_an_edit_in_full_width_signs_is_refused_as_one_in_ascii_is():
    def check(case):
        prompt, target = case
        with pytest.raises(PromptError, match="cannot be converted"):
            convert_with_issues(prompt, "a1111", target)
        convert_with_issues(prompt, "a1111", target, fullwidth=False)

    edits = [
        "【：猫：0.5】",
        "［：猫：0.5］",
        "【猫：：0.5】",
        "【猫：狗：5】",
        "【：猫：１０】",
        "【｜猫】",
    ]
    edits += [
        "一只【：猫：0.5】狗",
        "一只【猫：狗：0.5】",
        "【猫｜狗】",
        "【猫|狗】",
        "一只［猫｜狗］",
    ]
    assert not failures_of(check, list(product(edits, TARGETS)))


@given(pair=st.sampled_from(["【】", "［］"]), before=WORDS, inside=WORDS, after=WORDS)
@pytest.mark.parametrize("target", TARGETS)
def test_square_brackets_between_chinese_words_are_said_to_be_text(
    pair, target, before, inside, after
):
    words = pair[0] + inside + pair[1]
    message = f"{words!r} is text here, and a weight where full-width punctuation counts"
    remedy = "Say fullwidth=True if it is meant as syntax."
    prompt = before + words + after
    assert said(prompt, target) == [(message, len(before), remedy)]
    if target not in {"plain", "diffusers"}:  # which have no weights
        assert said(prompt, target, fullwidth=True) == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_full_width_bracket_that_is_never_closed_is_said(target):
    for prompt, sign, closing in (
        ("一只（红色的猫", "（", "）"),
        ("（猫，1.3", "（", "）"),
        ("一只【红色的猫，狗", "【", "】"),
        ("［猫：狗：0.5", "［", "］"),
        ("a cat, （red", "（", "）"),
    ):
        remedy = f"Close it with {closing!r}; fullwidth=False if it is meant as text."
        shown = (f"{sign!r} is never closed", prompt.find(sign), remedy)
        assert said(prompt, target) == [shown], prompt
        if target not in {"comfyui", "lpw", "lpw_xl", "sd_embed"}:  # which may read them
            assert said(prompt, target, fullwidth=False) == []


@pytest.mark.parametrize("syntax", sorted(EXCEPT_PLAIN))
def test_a_weight_whose_full_width_bracket_is_never_closed(syntax):
    def check(case):
        prompt, shown, words, number = case
        (issue,) = [
            i
            for i in with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
            if shown in i.words
        ]
        assert issue.message == f"{shown!r} is no weight: its bracket is never closed"
        assert words in issue.remedy
        assert number in issue.remedy
        assert prompt.find(shown) == issue.position

    cases = [
        ("一只（红色的：1.3猫", "（红色的：1.3", "红色的", "1.3"),
        ("（猫：1.3", "（猫：1.3", "猫", "1.3"),
        ("（红色的:0.8猫，狗", "（红色的:0.8", "红色的", "0.8"),
        ("a （red cat：１．２, x", "（red cat：１．２", "red cat", "1.2"),
        ("（猫：1.3，（狗）", "（猫：1.3", "猫", "1.3"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("例（比例：1.5", "（猫：3", "嬉しい :（", "（1.5", "（猫：1.3米）"):
        found = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
        assert not [i for i in found if "never closed" in i.message]


def test_ordinary_full_width_brackets_are_not_spoken_of():
    def check(case):
        prompt, target = case
        assert convert_with_issues(prompt, "a1111", target)[1] == ()

    prompts = [
        "（笑）",
        "彼女（20歳）は笑う",
        "你好（世界）",
        "猫（子猫）",
        "猫（；ω；）",
        "嬉しい :（",
    ]
    prompts += ["【注】猫", "［注］", "猫【注：1】"]
    assert not failures_of(check, list(product(prompts, ("compel", "novelai"))))


def test_the_call_for_conditions_reads_full_width_weights():
    def check(prompt):
        advice = "compose(prompt, fullwidth=True)"
        is_ascii = compose(prompt) == compose(prompt, fullwidth=True)
        assert is_ascii == (prompt in plain)
        wanted = "compose(prompt)" if is_ascii else advice
        (remedy,) = [i.remedy for i in reduce_to_one_text(prompt)[1] if i.code == "and"]
        assert wanted in remedy
        for target in TARGETS:
            with pytest.raises(PromptError) as caught:
                convert_with_issues(prompt, "a1111", target)
            assert wanted in caught.value.remedy

    plain = ["猫 AND 狗", "猫 :1.2 AND 狗 :0.8", "a AND b", "猫，狗 AND 鸟"]
    wide = ["猫：1.2 AND 狗：0.8", "猫 AND 狗：0.5", "猫：１.2 AND 狗", "a :1.2 AND b ：0.8"]
    assert not failures_of(check, [*plain, *wide])


@pytest.mark.parametrize("syntax", ["a1111", "sd_embed", "lpw_xl"])
def test_a_word_joined_to_chinese_names_what_helps(syntax):
    """Spaces, or `fullwidth=True`, which makes it the word."""

    def check(prompt):
        for wide, remedy in (
            (None, "Write spaces around it, or say fullwidth=True."),
            (False, "Write spaces around it."),
        ):
            (issue,) = with_lookalikes(parse(prompt, syntax), fullwidth=wide).issues
            assert (issue.message[-24:], issue.remedy) == ("is a part of a word here", remedy)
        _, (issue,) = convert_with_issues(prompt, syntax, "compel")
        assert issue.remedy == "Write spaces around it, or say fullwidth=True."
        assert parse(prompt, syntax, fullwidth=True).parts != parse(prompt, syntax).parts

    breaks = ["猫BREAK狗", "猫，BREAK狗", "cat BREAK狗", "猫BREAK, x", "猫 BREAK狗"]
    assert not failures_of(check, breaks)


@pytest.mark.parametrize("target", TARGETS)
def test_and_joined_to_chinese(target):
    for prompt in ("猫AND狗", "猫AND dog", "cat AND狗", "猫，AND狗"):
        _, found = convert_with_issues(prompt, "a1111", target)
        assert [i.remedy for i in found] == ["Write spaces around it, or say fullwidth=True."]
        with pytest.raises(PromptError, match="AND cannot be converted"):
            convert_with_issues(prompt, "a1111", target, fullwidth=True)


@pytest.mark.parametrize("syntax", sorted(EXCEPT_PLAIN - {"a1111"}))
def test_and_joined_to_chinese_in_other_dialects(syntax):
    for prompt in ("猫AND狗", "猫AND dog", "cat AND狗", "猫，AND狗"):
        (issue,) = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
        assert issue.message == "'AND' is several conditions in dialect 'a1111', but a word here"
