"""What another syntax reads otherwise than the one that a prompt was written in."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import PromptError, PromptWarning
from clipcond.prompt import SYNTAXES, compose, convert, parse, schedule
from clipcond.prompt.conversion import convert_with_issues
from clipcond.prompt.rendering import weighted_words
from clipcond.prompt.text_layers import take_out
from tests.failures import failures_of

LOST = (
    ("a #1 cat", "comfyui", "a1111", "comment", "#1 cat"),
    ("a cat, item #3, blue", "diffusers", "a1111", "comment", "#3, blue"),
    ("(cat)1.2 # a comment", "compel", "a1111", "comment", "# a comment"),
    ("embedding:EasyNegative, cat", "comfyui", "a1111", "embedding", "embedding:EasyNegative"),
    ("a cat (embedding:bad:1.2)", "comfyui", "a1111", "embedding", "embedding:bad"),
    ("embedding:bad, cat", "comfyui", "compel", "embedding", "embedding:bad"),
)
KEPT = (
    ("a red cat", "comfyui", "a1111"),
    ("a #1 cat", "comfyui", "compel"),
    ("embedding:bad, cat", "comfyui", "comfyui"),
    ("a #1 cat", "a1111", "a1111"),
)


def codes(prompt, source, target):
    return {issue.code: issue for issue in convert_with_issues(prompt, source, target)[1]}


def test_text_that_is_lost_there_is_named():
    def check(case):
        prompt, source, target, code, words = case
        issue = codes(prompt, source, target)[code]
        assert prompt[issue.position :].startswith(words)
        assert issue.remedy

    assert not failures_of(check, LOST)
    assert not [case for case in KEPT if codes(*case).keys() & {"comment", "embedding"}]


SIGNS = ["cat", "<red:blue>", "<", ">", ":", "# x", "\n", " BREAK ", " AND ", "(", ")", "[", "]"]
SIGNS += ["\\", "+", "1.2", "::", "{a|b}", "//", '"', ".", " ", "猫", "<lora:x:1>", "|", "(a:1.3)"]
SIGNS += ["[a:b:0.5]"]
PROMPTS = st.lists(st.sampled_from(SIGNS), min_size=1, max_size=8).map("".join)


@settings(deadline=None, max_examples=100)
@given(PROMPTS, st.sampled_from(list(product(SYNTAXES, SYNTAXES))))
def test_text_survives_or_is_named(prompt, pair):
    source, target = pair
    try:
        written, issues = convert_with_issues(prompt, source, target, fullwidth=False)
    except PromptError:
        return
    kept = take_out(prompt)[0].text if source == "a1111" != target else prompt
    left = take_out(written)[0].text if target == "a1111" != source else written
    before = [word for word, *_ in weighted_words(parse(kept, source))]
    after = [word for word, *_ in weighted_words(parse(left, target))]
    lost = {"extra-network", "comment"} & {issue.code for issue in issues}
    assert before == after or lost, written
    if target == "a1111" != source:
        assert (len(compose(written)), len(schedule(written, 20))) == (1, 1), written


def test_what_a_tool_takes_out_is_escaped_or_named():
    def check(case):
        prompt, source, target, written, *codes_of = case
        text, issues = convert_with_issues(prompt, source, target)
        assert text == written
        assert [issue.code for issue in issues if issue.code in codes_of] == codes_of

    cases = [
        ("<red:blue> dog", "comfyui", "a1111", "<red\\:blue> dog"),
        ("a <b:c:d>, <e:>", "compel", "a1111", "a <b\\:c:d>, <e\\:>"),
        ("<red:(blue:1.2)> x", "comfyui", "a1111", "<red\\:(blue:1.2)> x"),
        ("<red:blue>", "plain", "a1111", "<red\\:blue>"),
        ("<红:蓝>", "diffusers", "a1111", "<红\\:蓝>"),
        ("<lora:x:1> a", "plain", "a1111", "<lora:x:1> a", "extra-network"),
        ("<lora:x:1> a", "a1111", "a1111", "<lora:x:1> a"),
        ("{a|b} // x", "plain", "comfyui", "{a|b} // x", "random-choice", "comment"),
        ("a|b", "a1111", "novelai", "a|b", "prompt-mixing"),
        ("a|b", "comfyui", "novelai", "a|b", "prompt-mixing"),
        ("(cat)", "comfyui_words", "a1111", "(cat:1.1)"),
        ("(cat)", "a1111", "comfyui_words", "(cat:1.1)"),
    ]
    assert not failures_of(check, cases)


def test_every_dialect_is_a_syntax():
    for name in DIALECTS:
        assert parse("cat", name).segments[0].text == "cat"
        assert convert("cat", name, name) == parse("cat").render(name) == "cat"


def test_convert_warns():
    with pytest.warns(PromptWarning, match="part of a word") as warned:
        assert convert("猫BREAK狗", "a1111", "compel") == "猫BREAK狗"
    assert (warned[0].message.position, warned[0].filename) == (1, __file__)
    for case in (("a # b", "a1111", "compel"), ("<lora:x:1> a", "plain", "a1111")):
        with pytest.warns(PromptWarning):
            convert(*case)
