"""Find the values of numbers in Chinese numerals: 一点二, 两倍半, 百分之八十, 三分之一."""

from __future__ import annotations

import clipcond.lazy_re as re

_VALUES = {
    sign: value
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
TIMES = rf"(?:[一二两兩三]|[1-3](?:\.\d)?)\s?倍(?:{_HALF})?"
_FORMS = {
    "half": "一?半[倍分]?",
    "percent": rf"百分之(?:{_BELOW_300}|{_BELOW_100}|[12]?\d{{1,2}})",
    "fraction": f"{DIGIT}分之{DIGIT}",
    "tenths": rf"(?:{DIGIT}|\d)[成割]半?",
    "times": rf"[1-3](?:\.\d)?\s?倍(?:{_HALF})?",
    "decimal": rf"{_FEW}?[点點.]{DIGIT}{{1,3}}倍?",
    "plain": rf"{_FEW}(?:倍{_HALF}|倍|{_HALF})?",
}
NUMERAL = f"[负負]?(?:{'|'.join(_FORMS.values())})"
_READ = re.compile(
    f"(?P<minus>[负負])?(?:{'|'.join(f'(?P<{name}>{form})' for name, form in _FORMS.items())})"
)
_DIGITS = str.maketrans({sign: str(value) for sign, value in _VALUES.items()})


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
        value = _whole(text.removeprefix("百分之")) / 100
    elif found["fraction"]:
        below, above = text.split("分之")
        value = int(above) / int(below) if int(below) else 0.0
    elif found["tenths"]:
        value = (int(text[0]) + more) / 10
    elif found["decimal"]:
        value = float(text.rstrip("倍").replace("点", ".").replace("點", "."))
    else:
        value = float(text.rstrip("倍个個半").strip()) + more
    return -value if found["minus"] else value


def _whole(text: str) -> int:
    """Read a whole number below 300, its digits in ASCII: 1百2十, 百05, 2百5, 8十."""
    hundreds, is_over, rest = text.rpartition("百")
    n_hundreds = int(hundreds or 1) if is_over else 0
    tens, is_ten, ones = rest.rpartition("十")
    value = int(tens or 1) * 10 + int(ones or 0) if is_ten else int(ones or 0)
    if is_over and not is_ten and len(ones) == 1:  # 一百二 is 120
        value *= 10
    return 100 * n_hundreds + value
