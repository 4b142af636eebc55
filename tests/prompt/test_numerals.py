"""Weights in Chinese numerals are named with their number; ratios and labels are not."""

import pytest

from clipcond.prompt import parse
from clipcond.prompt.notations import EXCEPT_PLAIN, plain_number
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
    **{"负一": -1, "负零点五": -0.5, "8割": 0.8},
}
NONE = ["十", "一比二", "一只", "四", "百分之", "三点一刻", "一二", "倍", "", "两千"]
ORDINARY = [
    *("（比例：一比二）", "（画幅：三比二）", "（图：一）", "（表：二）", "（星期：二）"),
    *("（上：一，下：二）", "（变焦：三倍）", "（速度：两倍）", "（价格：一半）", "（一：二）"),
    *("（十二：三）", "（猫：一只）", "（答案：三）", "（第：一）", "（数量：两倍）"),
    *("（版本：二）", "（湿度：百分之八十）", "（猫：两只狗）", "一加一等于二", "比分：二比一"),
    *("时间：一点五分", "视力：一点二", "猫：二", "两倍大的猫", "一半是猫", "标题：一半是海水"),
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
            for syntax in sorted(EXCEPT_PLAIN) if typed in ("二", "半倍") else ("a1111",):
                (issue,) = issues(prompt, syntax, "weight")
                assert issue.message.endswith("is no weight, because it is no plain number")
                assert issue.words == (prompt[2:].strip(),)
                assert issue.position == prompt.index(issue.words[0])
        (issue,) = issues(f"（一只猫：{typed}）", "a1111", "weight")
        mended = issue.remedy.removeprefix("Write ").removesuffix(".")
        (segment,) = parse(mended).segments
        assert (segment.text, segment.weight) == ("一只猫", pytest.approx(value, abs=5e-4))
        assert issues(mended, "a1111") == []

    assert not failures_of(check, [each for each in VALUES.items() if each[1] >= 0.5])


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
