"""Weights in Chinese numerals are named with their number; ratios and labels are not."""

import pytest

from clipcond.prompt import parse
from clipcond.prompt.notations import EXCEPT_PLAIN, plain_number, weight_in
from clipcond.prompt.numeral_values import numeral_value
from tests.failures import failures_of
from tests.prompt.test_misreadings import issues

VALUES = {
    **{"一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "壹": 1, "零": 0, "半": 0.5, "一半": 0.5},
    **{"两倍": 2, "一倍半": 1.5, "两个半": 2.5, "半倍": 0.5, "3倍": 3, "2倍半": 2.5, "1.5倍": 1.5},
    **{"一点二": 1.2, "一点二五": 1.25, "零点八": 0.8, "点八": 0.8, "一點五倍": 1.5},
    **{"百分之八": 0.08, "百分之八十": 0.8, "百分之八十五": 0.85, "百分之十五": 0.15},
    **{"百分之百": 1, "百分之一百二": 1.2, "百分之一百二十": 1.2, "百分之一百零五": 1.05},
    **{"百分之两百": 2, "百分之120": 1.2, "三分之二": 2 / 3, "八成": 0.8, "八成半": 0.85},
    **{"十分之三": 0.3, "二十分之七": 0.35, "八十%": 0.8, "8할": 0.8},
    **{"负一": -1, "负零点五": -0.5, "8割": 0.8},
}
# Weights wherever they are, and those that are only next to another.
SURE = [
    *(
        "两倍",
        "一倍半",
        "半倍",
        "3倍",
        "2倍半",
        "1.5倍",
        "一点二",
        "一点二五",
        "零点八",
        "点八",
        "一點五倍",
    ),
    *(
        "百分之八十",
        "百分之八十五",
        "百分之一百二",
        "百分之一百二十",
        "百分之一百零五",
        "百分之两百",
        "百分之120",
    ),
]
DOUBTFUL = ["二", "两", "兩", "三", "半", "一半", "两个半", "三分之二", "八成", "八成半", "8割"]
NONE = ["十", "一比二", "一只", "四", "百分之", "三点一刻", "1.5倍半", "一二", "倍", "", "两千"]
ORDINARY = [
    *("（比例：一比二）", "（画幅：三比二）", "（图：一）", "（表：二）", "（星期：二）"),
    *("（上：一，下：二）", "（变焦：三倍）", "（速度：两倍）", "（价格：一半）", "（一：二）"),
    *("（十二：三）", "（猫：一只）", "（答案：三）", "（第：一）", "（数量：两倍）"),
    *("（版本：二）", "（湿度：百分之八十）", "（猫：两只狗）", "一加一等于二", "比分：二比一"),
    *("时间：一点五分", "视力：一点二", "猫：二", "两倍大的猫", "一半是猫", "标题：一半是海水"),
    *(
        "（春：一）",
        "（大：一）,（小：二）",
        "（上：一）,（中：二）,（下：三）",
        "（红：三）",
        "（小份：一）",
    ),
    *(
        "（东：三）",
        "（每日：三）",
        "奶茶（糖：半）",
        "（苹果：半）",
        "（水：三分之二）",
        "（语文：九成）",
        "（排：二）",
    ),
    *(
        "（酒精：百分之十二）",
        "（降雨：百分之三十）",
        "（支持：百分之六十）",
        "（反对：百分之五十五）",
    ),
    *("三分之二的天空", "（第三章：二）", "（注：一）", "（步骤：三）"),
]


def test_values():
    def check(case):
        typed, value = case
        assert numeral_value(typed) == pytest.approx(value)
        assert float(plain_number(typed)) == pytest.approx(value, abs=5e-4)

    assert not failures_of(check, VALUES.items())
    assert [typed for typed in NONE if numeral_value(typed) is not None] == []


def test_weights_in_numerals():
    def check(case):
        typed, value = case
        for prompt in (f"a，（猫：{typed}）", f"a, (猫:{typed})", f"a，【a 猫：{typed}】"):
            prompt += "" if typed in SURE else ", (dog:1.2)"
            for syntax in sorted(EXCEPT_PLAIN) if typed in ("二", "半倍") else ("a1111",):
                issue = issues(prompt, syntax, "weight")[0]
                assert issue.message.endswith("is no weight, because it is no plain number")
                assert issue.words == (prompt[2:].removesuffix(", (dog:1.2)").strip(),)
                assert issue.position == prompt.index(issue.words[0])
        near = "" if typed in SURE else "（狗：两倍）"
        issue = issues(f"（一只猫：{typed}）{near}", "a1111", "weight")[0]
        mended = issue.remedy.removeprefix("Write ").removesuffix(".")
        (segment,) = parse(mended).segments
        assert (segment.text, segment.weight) == ("一只猫", pytest.approx(value, abs=5e-4))
        assert issues(mended, "a1111") == []

    assert not failures_of(check, [each for each in VALUES.items() if each[0] in SURE + DOUBTFUL])


def test_a_space_before_the_colon():
    for prompt, words in (
        ("（猫 ：两倍）", "猫"),
        ("(一只猫 : 两倍)", "一只猫"),
        ("狗 ：两倍，b", "狗"),
    ):
        (issue,) = issues(prompt, "a1111", "weight")
        assert issue.remedy == f"Write ({words}:2).", prompt


def test_what_is_no_weight_without_others():
    """A doubtful number is warned of next to a weight; 1, which changes nothing, never."""
    for words, typed in (("语文", "九成"), ("水", "二"), ("红", "三"), ("酒精", "百分之四十")):
        assert issues(f"（{words}：{typed}）", "a1111") == []
    for typed in ("一", "1", "一倍", "百分之百", "百分之一百"):
        assert issues(f"（春：{typed}），（猫：1.3）", "a1111", "weight") == []
    for near in ("（狗：1.3）", "((dog))", "a BREAK b", "（狗：一点三）"):
        found = [i.words[0] for i in issues(f"（糖：半）{near}", "a1111", "weight")]
        assert found[0] == "（糖：半）", near


def test_a_weight_in_two_brackets():
    """The innermost is warned of: what is proposed of it is read."""
    for prompt in ("((猫：两倍))", "a, ((猫 ：两倍))", "((猫：二)), b"):
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            assert issue.message.endswith("is no weight, because it is no plain number")
            assert issue.words[0] in ("(猫：两倍)", "(猫 ：两倍)", "(猫：二)")
            assert issue.remedy.startswith(f"Write {weight_in(syntax, '猫', '2')}.")
    (issue,) = issues("一只((big hat:1.2))猫", "compel", "other-dialect")
    assert issue.words == ("((big hat:1.2))",)
    (issue,) = issues("((变焦：三倍))", "diffusers")
    assert issue.words == ("((变焦：三倍))",)


def test_weights_in_numerals_without_brackets():
    for prompt, shown, meant in (
        ("猫：一点二，狗", "猫：一点二", "(猫:1.2)"),
        ("一只猫，狗：两倍", "狗：两倍", "(狗:2)"),
    ):
        (issue,) = issues(prompt, "a1111", "weight")
        assert issue.message == f"{shown!r} is no weight without brackets"
        assert (issue.position, issue.remedy) == (prompt.index(shown), f"Write {meant}.")


def test_what_is_no_weight_in_numerals():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN):
            assert issues(prompt, syntax) == [], syntax

    assert not failures_of(check, ORDINARY)
