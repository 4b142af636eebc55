"""What is said of prompts is said in Chinese as a whole, message and remedy, or not at all."""

import re
from pathlib import Path

import pytest

from clipcond.cli.console import Console
from clipcond.cli.entry import main
from clipcond.cli.messages import in_locale, with_options
from clipcond.errors import PromptSyntaxError, PromptWarning
from clipcond.prompt import SYNTAXES, Template, parse, reduce_to_one_text
from clipcond.prompt.bracket_slips import BRACKET_SLIPS
from clipcond.prompt.compel_slips import COMPEL_SLIPS
from clipcond.prompt.compel_weights import COMPEL_WEIGHTS
from clipcond.prompt.editing_slips import EDITING_SLIPS, READ_WIDE
from clipcond.prompt.escapes import ESCAPES
from clipcond.prompt.fullwidth_notations import FULLWIDTH, JOINED, JOINED_UNASKED
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.novelai_slips import NOVELAI_SLIPS
from clipcond.prompt.other_dialects import LOOKALIKES
from clipcond.prompt.other_tools import OTHER_TOOLS
from clipcond.prompt.reduction import misread_forms, undrawn_edits
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.square_groups import SQUARE_GROUPS
from clipcond.prompt.text_layers import network_issues, take_out
from clipcond.prompt.tool_words import TOOL_WORDS
from clipcond.prompt.unfinished_forms import UNFINISHED_FORMS
from clipcond.prompt.weight_slips import WEIGHT_SLIPS
from tests.failures import failures_of

OPTIONS = ["--dialect", "--fullwidth", "--extra-networks"]
ORDINARY = Path(__file__).parents[1] / "prompt" / "ordinary.txt"


@pytest.fixture(autouse=True)
def chinese(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


def test_every_notation_is_translated():
    def check(kind):
        message = "'x' is " + kind.meaning.replace("{odd}", "U+200B")
        for weight in ("(cat:1.3)", "(cat:1.3) in dialect 'a1111'"):
            remedy = kind.remedy.replace("{weight}", weight).replace("{plain}", "'&'.")
            for options in (OPTIONS, []):
                text = with_options(f"{message}\n{remedy}", options)
                assert in_locale(text) != text

    kinds = (*WEIGHT_SLIPS, *OTHER_TOOLS, *LOOKALIKES, *FULLWIDTH, *JOINED, *JOINED_UNASKED)
    kinds = (
        *kinds,
        *NOVELAI_SLIPS,
        *EDITING_SLIPS,
        *READ_WIDE,
        *BRACKET_SLIPS,
        *COMPEL_SLIPS,
        *COMPEL_WEIGHTS,
        *ESCAPES,
        *SQUARE_GROUPS,
        *TOOL_WORDS,
        *UNFINISHED_FORMS,
    )
    assert not failures_of(check, kinds)


def test_issues_of_prompts_are_translated():
    def check(prompt):
        left, networks, issues = take_out(prompt)
        found = [*issues, *network_issues(prompt, networks)]
        found += network_issues(prompt, networks, negative=True)
        found += reduce_to_one_text(left.text)[1]
        found += misread_forms(Remainder.whole(left.text))
        for steps in (2, 4, 20):
            found += undrawn_edits(Remainder.whole(left.text), steps)
        for syntax in SYNTAXES:
            found += with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
        for issue in found:
            for options in (OPTIONS, []):
                text = with_options(f"{issue.message}\n{issue.remedy}".strip(), options)
                assert in_locale(text) != text, text

    cases = [
        "a cat <lora:x:0.8>, dog # hi",
        "a cat <lora:x:0.8> <lora:y:0,5>",
        "a <hypernet:x:1> <wildcard:y> <cat:1.3>",
        "(cat",
        "cat)",
        "[cat",
        "（猫：1.3），【狗】",
        "(masterpiece:13)",
        "a | [cat:dog:0.5]",
        "[cat:dog:0.5] [cat|dog] [cat:1.3] [a:b:1.5] [cat:0.8]",
        *("[a:[b:c:0.3]:0.5]", "[[a:b:5]:c:1]", "a, [hat:0.8], [2:3]", "[artist:wlop:0.8]"),
        "a cat AND a dog [b:1.5] [c:30]",
        *("[cat:0:5]", "[fox|cat:dog:0.5|bear]", "a cat, [smile:0.8]"),
        "BLACK AND WHITE",
        "1.3::cat::, {{dog}}, fox::, a|b",
        "a cat --ar 16:9",
        *("{1.2::cat}, dog", "[2::a b], c", "it&#39;s", "(a (red:1.2) hat:0.8)"),
        *("C++ code", "a :-) b", "(C++)1.2", "C\\+\\+"),
        *("saber_(fate)", "\\(a\\)", "AC\\DC", "caf\\u00e9", "(Re:0)"),
        *("(smile, :3) (2:1)", "(happy :)", "sad :( cat)", "(cat)(dog)", "TAKE A BREAK"),
        *("BLACK AND WHITE cat", "a AND b:0,5", "10:30 AND b", "(castle)-1.3", "(cat 1.3)"),
        *("[cat:50%]", "[cat:dog|fox]", "(cat:)", "(cat:1.3]", "BREAKforest", "(cat) ++"),
        *(
            "a cat dog:1.3)",
            "(dog\\:1.3)",
            "[dog:fox]:0.5",
            "0: a cat\n24: a dog",
            "a cat <break> b",
        ),
        *("[:dog]", "(dog|:1.3)", "a cat, steps=20", "(dog:1.3 fox", "[0.5:cat:dog]"),
        *ORDINARY.read_text(encoding="utf-8").splitlines(),
    ]
    assert not failures_of(check, cases)


def test_issues_of_templates_are_translated():
    for template in ("｛红｜蓝｝ {2＄＄红|蓝} ＿＿颜色＿＿", "__ 颜色 __", "a} {b"):
        for issue in Template(template).issues:
            text = f"{issue.message}\n{issue.remedy}"
            assert in_locale(text) != text, text


def test_nothing_is_half_translated():
    text = "'(' is never closed\nDo something that no table has."
    assert in_locale(text) == text
    half = "Write 'and' in small letters for the word. Do something that no table has."
    assert in_locale(half) == half
    assert in_locale("Write (a cat. A dog:1.2).") == "请写 (a cat. A dog:1.2)。"
    assert in_locale("'(' is never closed\n  (a\n  ^").startswith("'(' 没有闭合\n  (a")


def test_a_number_that_is_none():
    with pytest.raises(PromptSyntaxError) as caught:
        parse("(cat:1.2.3)")
    shown = in_locale(str(caught.value)).split("\n")
    assert (shown[0], shown[-1]) == ("'1.2.3' 不是数字", "请写小数，例如 1.2。")


def test_a_warning_is_one_line(capsys):
    issue = with_lookalikes(parse("cat:1.3")).issues[0]
    console = Console(OPTIONS)
    console.warn(PromptWarning(issue.message, "cat:1.3", 0, issue.remedy))
    said = capsys.readouterr().err
    assert said == "clipcond: 警告：'cat:1.3' 没有括号，不是权重。请写 (cat:1.3)\n"


def test_inspect_speaks_it_too(capsys):
    def shown(*argv):
        assert main(["inspect", *argv]) == 0
        return capsys.readouterr().out.replace("\n", "")

    out = shown("cat:1.3 and (dog")
    assert "位置 0：'cat:1.3' 没有括号，不是权重  请写 (cat:1.3)。" in out
    assert "'(' 没有闭合" in out
    assert "issue at" not in out
    assert "；管线会全部绘制" in shown("a cat AND a dog")
    for prompt in ("猫 AND 狗：0.5，背景", "a [cat:dog:0.5]", "[猫|狗]", "a AND b :0.5"):
        assert not re.search(r"[a-z]{3} [a-z]{2} [a-z]{3}", shown(prompt)), shown(prompt)
    assert "读不懂" in shown("a xylophone")
    assert "中文请用 --tower embedded-zh" in shown("一只猫")
    assert "位置 0" in shown("a cat", "-n", "(a")
