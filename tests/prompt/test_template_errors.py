"""What is wrong with a template is shown in it; work grows with its length."""

import json
import pickle
import time
from contextlib import suppress

import pytest

from clipcond.errors import ArgumentError, PromptError, PromptSyntaxError, PromptTypeError
from clipcond.prompt import Template, Wildcards
from tests.failures import failures_of
from tests.prompt.test_linear import lines_run

LISTS = {"colour": ["red", "2::blue"], "deep/place": ["a __colour__ hill", "{sea|lake}"]}
WRONG = [
    ("a {b|c", 2, "'{' is never closed", r"Close it with '}', or write \{ for text."),
    ("{a|{b|c}", 0, "'{' is never closed", r"Close it with '}', or write \{ for text."),
    ("{2$$a", 0, "'{' is never closed", r"Close it with '}', or write \{ for text."),
    ("x {$$a|b}", 3, "'$$' needs the number of options before it", "Write {2$$a|b|c} or {1-2"),
    ("{1.5$$a|b}", 4, "'$$' needs the number of options before it", "Write {2$$a|b|c} or {1-2"),
    ("{a|x::b|-1::c}", 8, "a weight is a number from 0 on, such as 0.5::", "Write 1:: before"),
    ("{50%::a|b}", 1, "a weight is a number from 0 on, such as 0.5::", "Write 1:: before"),
    ("a {0::b|0.0::c}", 2, "all options have the weight 0", "Give one a weight above 0."),
    ("a ${x=b} c", 2, "variables of Dynamic Prompts are not supported", "Write the text in its"),
    ("{-$$" + "|".join(map(str, range(101))) + "}", 0, "up to 101 options are taken at once", ""),
]


def test_what_cannot_be_read_is_shown():
    def check(case):
        text, position, message, remedy = case
        with pytest.raises(PromptSyntaxError) as caught:
            Template(text)
        error = caught.value
        assert (error.position, error.message[: len(message)]) == (position, message)
        assert error.remedy.startswith(remedy)
        assert error.remedy

    assert not failures_of(check, WRONG)
    with pytest.raises(PromptTypeError):
        Template(5)
    with pytest.raises(ArgumentError, match="seed is a number or a text, not a float"):
        Template("a").random(0.5)


def test_what_looks_wrong_is_an_issue():
    def check(case):
        text, position, message = case
        (issue,) = Template(text).issues
        assert (issue.position, issue.message, issue.code) == (position, message, "template")

    cases = [
        ("a} b", 1, "'}' closes nothing, and stays as text"),
        ("a {b, {c|d}", 2, "'{' is never closed, and stays as text"),
        ("a ｛红｜蓝｝猫", 2, "'｛红｜蓝｝' has full-width signs, which are text"),
        ("{红｜蓝}", 0, "'{红｜蓝}' has full-width signs, which are text"),
        ("x {3$$a|b}", 2, "'{3$$': 3 options are to be taken, and there are 2"),
    ]
    assert not failures_of(check, cases)
    assert len(Template("}" * 5000).issues) == 100
    assert Template("｛红｜蓝｝").issues[0].remedy == "Write {红|蓝}."
    assert Template("{a|b｜c}").issues[0].remedy == "Write {a|b|c}."
    assert Template("｛红｝，｜ {a|b}").issues == ()


def test_what_only_looks_like_a_template():
    def check(case):
        text, position, shown, meant = case
        (issue,) = Template(text).issues
        assert issue.message == f"{shown!r} has full-width signs, which are text"
        assert (issue.position, issue.remedy) == (position, f"Write {meant}.")

    cases = [
        ("＿＿颜色＿＿猫", 0, "＿＿颜色＿＿", "__颜色__"),
        ("a __颜色＿＿", 2, "__颜色＿＿", "__颜色__"),
        ("_＿颜色_＿", 0, "_＿颜色_＿", "__颜色__"),
        ("＿＿ 动物／猫 ＿＿", 0, "＿＿ 动物／猫 ＿＿", "__动物/猫__"),
        ("x {2＄＄红|蓝}", 2, "{2＄＄红|蓝}", "{2$$红|蓝}"),
        ("{2$＄红|蓝}", 0, "{2$＄红|蓝}", "{2$$红|蓝}"),
        ("｛2＄＄红，蓝｜绿。｝", 0, "｛2＄＄红，蓝｜绿。｝", "{2$$红，蓝|绿。}"),
        ("{2$$，＄＄红|蓝}", 0, "{2$$，＄＄红|蓝}", "{2$$，$$红|蓝}"),
        ("{2＄＄{红|蓝}|绿}", 0, "{2＄＄", "{2$$"),
        ("{１－３$$a|b}", 0, "{１－３$$a|b}", "{１-３$$a|b}"),
        ("{1～3$$a|b}", 0, "{1～3$$a|b}", "{1-3$$a|b}"),
        ("{3：：红|蓝}", 0, "{3：：红|蓝}", "{3::红|蓝}"),
        ("{a|{b|c}|.5:：d}", 8, "|.5:：", "|.5::"),
    ]
    assert not failures_of(check, cases)
    for text in ("a __ 颜色 __", "a __ 颜色__", "a __颜色 __"):
        assert Template(text).issues == Template(text, {"形状": ["圆"]}).issues == ()
        (issue,) = Template(text, {"颜色": ["红"]}).issues
        assert issue.message == f"{text[2:]!r} is text: spaces are inside its underscores"
        assert (issue.position, issue.remedy) == (2, r"Write __颜色__, or \__ for text.")
    for text in ("my colour is __ blue __", "def __ init __(self)", "snake__ case __name"):
        assert Template(text).issues == Template(text, {"c": ["red"]}).issues == ()


def test_what_only_looks_like_a_template_in_a_list():
    """A list that was read before is read; what looks wrong in it is an issue of the template."""

    def check(case):
        line, shown, kind, meant = case
        lists = {"c": ["a", line], "blue": ["x"], "all": ["__c__", "__c__ b"]}
        for text in ("__c__", "b __all__, __c__"):
            template = Template(text, lists)
            (issue,) = template.issues
            assert issue.message == f"list 'c', line 2: {shown!r} {kind}"
            assert (issue.prompt, issue.position) == (line, line.index(shown))
            assert issue.remedy.startswith(f"Write {meant}")
            assert line in [*Template("__c__", lists).combinations()]

    spaced, wide = (
        "is text: spaces are inside its underscores",
        "has full-width signs, which are text",
    )
    cases = [
        ("＿＿x＿＿", "＿＿x＿＿", wide, "__x__."),
        ("3：：红", "3：：", wide, "3::."),
        ("fill in __ blue __", "__ blue __", spaced, "__blue__, or"),
    ]
    assert not failures_of(check, cases)
    shared = Wildcards({"c": ["2：：a"]})
    assert [len(Template("__c__ {a|b}", shared).issues) for _ in range(2)] == [1, 1]
    assert Template("a {b|c}", shared).issues == ()
    assert Template("__c__", {"c": ["fill in __ blue __"]}).issues == ()
    assert len(Template("__c__", {"c": ["2：：a"] * 500}).issues) == 100


def test_what_is_ordinary_text_of_a_template():
    def check(text):
        assert Template(text, {"a/b": ["x"], "c": ["y"]}).issues == ()

    texts = [
        *("__a/*__ and __c__", "__c__ __c__", r"\__ 颜色 \__", "____ name ____", "{１$$a|b}"),
        *(
            "the __ jumped over the __",
            "fill __ and __",
            "（＿＿）",
            "(＞＿＜)",
            "＿＿＿＿年龄＿＿＿＿",
        ),
        *(
            "价格＄＄5",
            "{$5|＄5}",
            "{a ＄＄ b|c}",
            "{12：30|x}",
            "[a：：b|c]",
            "a|3：：b",
            "{１::a|b}",
        ),
        *("x_＿y", "他说＿＿这是，一只猫＿＿", "{时间：：3|x}", r"\｛红｜蓝｝", "1－3，2～4"),
    ]
    assert not failures_of(check, texts)


def test_an_error_of_a_variant_is_shown_in_the_template():
    template = Template("a ({red|blue} cat:1.{2.3|5}) x")
    variant = template.combination(0)
    error = PromptSyntaxError("no number", variant, variant.index("1.2.3"), "Write 1.2.")
    shown = variant.error(error)
    assert type(shown) is PromptSyntaxError
    assert str(shown) == (
        "no number\n  a ({red|blue} cat:1.{2.3|5}) x\n" + " " * 20 + "^\nWrite 1.2."
    )
    of_list = Template("(__deep/place__:x)", LISTS).random(0)
    place = of_list.index(" hill") if " hill" in of_list else 1
    assert "list 'deep/place', line " in str(of_list.error(PromptError("x", of_list, place)))
    end = template.combination(0).origin(len(variant))
    assert end.position == len(template.text)


def test_a_variant_is_a_str_that_is_kept_whole():
    variant = Template("a {b|c}").combination(1)
    again = pickle.loads(pickle.dumps(variant))
    assert isinstance(variant, str)
    assert again == variant == "a c"
    assert again.origin(2) == variant.origin(2) == ("a {b|c}", 5, "", 0)
    assert json.dumps(variant) == '"a c"'


def expanded(text):
    with suppress(PromptError):
        template = Template(text, LISTS)
        assert len(template.random(0)) <= len(text)
        assert len(template.combination(0)) <= len(text)


def test_work_grows_with_the_length():
    """Counted in lines of Python, as for parsers; the last are long enough for what backtracks."""
    pieces = [
        *("{a|b}", "{a|", "a|", "{", "}", "|", "__a", "__a ", "__a__", "_", "\\", r"\{", "[a|b] "),
        *("{[a|", "{2$$", "{2$$a", "0.5::", "{1111", "{   ", "{1::", "{1::a::|", "]", "{2$$a|b}"),
        *("{__colour__|x}", "{a|{b|c}}", "{-", "a{b}", "$$", "${"),
    ]

    def check(piece):
        for before, behind in (("", ""), ("{", "|x}")):
            once, twice = (
                lines_run(expanded, before + piece * (n // len(piece)) + behind) for n in (120, 240)
            )
            assert twice <= 2.3 * once + 200
            start = time.process_time()
            expanded(before + piece * (6_000 // len(piece)) + behind)
            assert time.process_time() - start < 2

    assert not failures_of(check, pieces)
    depth = 3_000
    nested = Template("{a|" * depth + "b" + "}" * depth)
    assert nested.count == depth + 1
    assert (nested.combination(depth), nested.combination(depth - 1)) == ("b", "a")
    assert Template("{" * depth + "a|b" + "}" * depth).count == 2


@pytest.mark.slow
def test_a_megabyte_is_read():
    """Text, one list's worth of options, and choices."""
    for text in ("a cat, " * 150_000, "{" + "a cat|" * 170_000 + "}", "a {b|c} cat, " * 77_000):
        start = time.process_time()
        template = Template(text)
        assert template.random(1) != ""
        assert template.count >= 1
        assert time.process_time() - start < 60
