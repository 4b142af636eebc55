"""Find the values of numbers in Chinese numerals: 一点二, 两倍半, 百分之八十, 三分之一."""

from __future__ import annotations

import clipcond.lazy_re as re

_VALUES = {
    sign: str(value)
    for value, signs in enumerate(
        ("零〇", "一壹", "二两兩贰貳", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
    )
    for sign in signs
}
DIGIT = f"[{''.join(_VALUES)}]"
_FEW = "[零〇一二两兩三壹贰貳叁參]"  # what a weight is
_HALF = "[个個]?半"
_BELOW_100 = f"(?:{DIGIT}?十{DIGIT}?|{DIGIT})"
_BELOW_300 = f"[一二两兩]?百(?:[零〇]{DIGIT}|{DIGIT}十?{DIGIT}?)?"
_FORMS = {
    "half": "一?半[倍分]?",
    "percent": rf"百分之(?:{_BELOW_300}|{_BELOW_100}|[12]?\d{{1,2}})|(?:{_BELOW_100}|\d十)\s?%",
    "fraction": f"{_BELOW_100}分之{_BELOW_100}",
    "tenths": rf"(?:{DIGIT}|\d)[成割할]半?",
    "times": rf"[1-3]\s?倍(?:{_HALF})?|[1-3]\.\d\s?倍",
    "decimal": rf"{_FEW}?[点點.]{DIGIT}{{1,3}}倍?",
    "plain": rf"{_FEW}(?:倍{_HALF}|倍|{_HALF})?",
}
# Weights wherever they are, and what is one only next to others: （糖：半）, （春：二）. 1 changes
# nothing, so nobody means 一 or 一倍 as a weight.
TIMES = rf"(?:[二两兩三2-3]\s?倍(?:{_HALF})?|[一1]\s?倍{_HALF}|[1-3]\.\d\s?倍|半倍)"
_50_TO_200 = (
    rf"百分之(?:[五伍六陆陸七柒八捌九玖]十{DIGIT}?|一?百(?:[零〇]{DIGIT}|{DIGIT}十?{DIGIT}?)"
    r"|[二两兩]百|[5-9]\d|1(?!00)\d\d|200)"
)
SURE_NUMERAL = f"[负負]?(?:{_FORMS['decimal']}|{TIMES}|{_50_TO_200})"
DOUBTFUL_NUMERAL = (
    r"(?!百分之(?:一?百|100)[\s)\]}])"
    rf"[负負]?(?:{'|'.join(_FORMS[name] for name in ('half', 'percent', 'fraction', 'tenths'))}"
    rf"|[零〇二两兩三贰貳叁參]|{_FEW}{_HALF})|[负負][一壹]"
)
_READ = re.compile(
    f"(?P<minus>[负負])?(?:{'|'.join(f'(?P<{name}>{form})' for name, form in _FORMS.items())})"
)
# What is a part of a whole, wherever it is written: 在三分之一处
_SHARE = re.compile("|".join(_FORMS[name] for name in ("percent", "fraction", "tenths", "half")))
_TENS = re.compile(rf"(?:{DIGIT}|\d)?十{DIGIT}?")
TO_DIGITS = {**_VALUES, "点": ".", "點": "."}
_DIGITS = str.maketrans(TO_DIGITS)


def numeral_value(typed: str) -> float | None:
    """Find the value of a number in Chinese numerals; None if it is none."""
    found = _READ.fullmatch(typed.strip())
    if found is None:
        return None
    text = found[found.lastgroup or 0].translate(_DIGITS).replace(" ", "")
    more = 0.5 if text.endswith("半") else 0.0
    if found["half"]:
        value = 0.5
    elif found["percent"]:
        value = _whole(text.removeprefix("百分之").rstrip("%")) / 100
    elif found["fraction"]:
        below, above = text.split("分之")
        value = _whole(above) / _whole(below) if _whole(below) else 0.0
    elif found["tenths"]:
        value = (int(text[0]) + more) / 10
    elif found["decimal"]:
        value = float(text.rstrip("倍"))
    else:
        value = float(text.rstrip("倍个個半").strip()) + more
    return -value if found["minus"] else value


def share_in(typed: str) -> float | None:
    """Find the part of a whole that a text names in Chinese numerals; 八十 alone is one of 100."""
    if tens := _TENS.fullmatch(typed.strip()):
        return numeral_value(f"{tens[0]}%")
    found = _SHARE.search(typed)
    return None if found is None else numeral_value(found[0])


def _whole(text: str) -> int:
    """Read a whole number below 300, its digits in ASCII: 1百2十, 百05, 2百5, 8十."""
    hundreds, is_over, rest = text.rpartition("百")
    n_hundreds = int(hundreds or 1) if is_over else 0
    tens, is_ten, ones = rest.rpartition("十")
    value = int(tens or 1) * 10 + int(ones or 0) if is_ten else int(ones or 0)
    if is_over and not is_ten and len(ones) == 1:  # 一百二 is 120
        value *= 10
    return 100 * n_hundreds + value
