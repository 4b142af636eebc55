"""Describe a notation that a syntax does not know: how it looks, and what to say of it.

`weight_slips` has slips of the hand in a weight, `other_tools` what user interfaces and image
services act on before any syntax is read, `other_dialects` the syntaxes that are dialects here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from math import isfinite
from typing import NamedTuple

from clipcond.prompt.numeral_values import TO_DIGITS, numeral_value, share_in

BRACKETS = frozenset({"a1111", "comfyui", "lpw", "lpw_xl", "sd_embed"})
WITHOUT_BRACKETS = frozenset({"compel", "diffusers"})
EXCEPT_PLAIN = BRACKETS | WITHOUT_BRACKETS | {"novelai"}
ALL = EXCEPT_PLAIN | {"plain"}

# Chinese, Japanese and Korean letters: no space is between words.
CJK = r"\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
# A word of those right behind a number: 1.3猫, but not 1.3米, 1.3倍 or 2比1.
CJK_BEHIND = (
    r"(?!米|元|円|圆|圓|倍|[岁歳]|年(?![轻輕])|月(?![亮光])|日(?![落本出])|[时時分秒厘毫千百万萬亿億斤克吨噸升度级級版次个個号號"
    r"章集话話点點层層楼寸尺亩台本件辆只隻匹枚名位张張比对對巻卷話]|公[里斤分尺顷]|[头頭](?![发髮])|人(?![物形类])|メートル|キロ"
    rf"|センチ|グラム|リットル|パーセント|インチ|미터|원|배|년|월|일|시간|분|초|층|개|살)(?=[{CJK}])"
)
DECIMAL = r"[+-]?(?:\d+\.\d*|\.\d+)"
SMALL = r"[+-]?[0-2]?\.\d{1,3}"  # a number as weights are
MOST_WEIGHT = 3.0  # a dozen brackets of A1111
WHEN = r"(?:\d+(?:\.\d*)?|\.\d+)"  # of prompt editing
OPTION = r"(?:[^\[\]():|\n]|\([^()\[\]\n]{0,80}\)){0,120}"  # of a form
# What people write before the number: (cat: weight 1.3), （猫：权重1.3）
WEIGHT_WORD = (
    r"(?i:weight|权重|權重|重み|重さ|比重|强度|強度|가중치|비중|gewicht|poids|peso)"
    r"(?:为|是|は|가)?\s?[=:]?\s?"
)
NUMBER = r"[+-]?(?:\d{1,3}(?:\.\d{1,3})?|\.\d{1,3})"

# Words before a number that is no weight: (version1.5), ratio:1.85
MEASURED = (
    "v ver version ratio aspect scale http usb sdxl sd gpt web score rating size zoom factor crop "
    "speed lens aperture iso diffusion blender python windows chapter page pages part figure fig "
    "verse verses gamma alpha beta sigma delta opacity strength cfg price time model release type "
    "temperature rate top_p threshold probability accuracy precision recall lr "
    "level magnification exposure iou loss pi mach tomography volume season episode mm focal patch "
    "area mass force energy power voltage frequency vol volumes ch no nr fps ios ipados macos "
    "android linux ubuntu debian "
    "fedora chrome firefox safari kernel firmware software app java php ruby perl node opengl "
    "vulkan directx bluetooth wifi "
    "css http torch cuda numpy api driver patch edition "
    "update build shutter gain ev fps view angle portrait profile panel step scene take radius "
    "width "
    "height length weight depth distance margin padding blur spacing duration delay odds f größe "
    "höhe breite länge preis maßstab gewicht zeit taille hauteur prix tamaño altura precio escala"
)
MEASURED_CJK = (
    "比例 价格 版本 光圈 长度 身高 温度 时间 评分 分数 体重 面积 速度 厚度 画幅 "
    "缩放 尺寸 大小 "
    "高度 宽度 重量 章节 曝光 售价 视力 系数 步数 "
    "価格 身長 가격 비율 버전 浓度 湿度 密度 亮度 海拔 数字 率 值 比 价 距 径 龄"
)


def not_after(words: str) -> str:
    """Make a pattern that does not match behind one of these words; CJK ones may end a longer.

    It looks at the last letter first, so that behind any other text it costs little.
    """
    by_last: dict[str, list[str]] = {}
    for word in dict.fromkeys(words.split()):
        start = r"(?<![^\W\d_])" if word.isascii() else ""
        by_last.setdefault(word[-1], []).append(f"(?<={start}{word})")
    groups = [f"(?<={last})(?:{'|'.join(behind)})" for last, behind in by_last.items()]
    return f"(?!(?<=[{''.join(by_last)}])(?:{'|'.join(groups)}))"


NO_CJK_MEASURE = not_after(MEASURED_CJK)
NO_MEASURE_BEFORE = f"(?i:{not_after(MEASURED)}){NO_CJK_MEASURE}"
NO_MEASURE = f"(?=:){NO_MEASURE_BEFORE}"

_PARTS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}
FRACTIONS = "".join(_PARTS)
_MIXED = re.compile(rf"([0-2]?)\s?([{FRACTIONS}])")
_RANGE = re.compile(r"(\d?\.\d{1,3}|\d)\s?(?:[/|~–—\-至到]|\.{2,3}|to)\s?(\d?\.\d{1,3}|\d)")
_RELATIVE = re.compile(r"([+-])\s?(\d{1,2})\s?%")
_NEGATIVE = re.compile(r"[-–—―−‒‐]\s?(\d{0,2}\.\d{1,3}|\d{1,2})")  # a dash, or a space behind
_SHARES = {
    **dict.fromkeys("half halb hälfte moiti mitad medio 절반".split(), 0.5),
    **{"quarter": 0.25, "third": 1 / 3},
}
_LISTED = re.compile(r"([^:,;、|\n]+?)\s*:\s*([+-]?\d*[.,]?\d+)(?!\d)|([^:,;、|\n]+)")
# As a program lists them: ("cat", 1.2), "dog": 0.8
_PAIRED = re.compile(r"([\"'])([^\n]+?)\1\s*[,:]\s*([+-]?\d*\.?\d+)()")
_AROUND = " /\"'"
_WEIGHTED = re.compile(
    r"(?P<words>[^:()]*?)(?<!\d)\s?:\s?(?P<number>[0-2]?\.\d{1,3}|[0-2])\s*|.*", re.DOTALL
)
_EDIT = re.compile(rf"(?P<texts>{OPTION}:{OPTION}:)\s*(?P<when>{WHEN})\s*")
_FREE_COLON = re.compile(r"(?<!\\):(?![^()]*\))")  # outside of brackets
_HAS_NUMBER = re.compile(rf"[\d.{''.join([*TO_DIGITS, *_PARTS])}]")
_TO_DIGITS = str.maketrans({**TO_DIGITS, "o": "0", "O": "0", "l": "1", "I": "1"})
_READ = re.compile(r"(-?)(\d*)(?:\s{0,2}[^\d\s]{0,2}\s{0,2}(\d+))?")
_FRACTION = re.compile(r"\s*(\d{1,2})\s*/\s*(\d{1,2})\s*")
MOST_SIGNS = 99  # that multiply: more would be beyond what numbers can hold
_NO_GROUP = re.compile(r"=|(?<!\S)[+-](?!\S)")  # what no group of compel holds
_SIGNS = {"+": 1.1, "-": 0.9}  # of compel, for each sign
HEADLINE = re.compile(r"(?m:^)\s{0,9}\+{2,9}\s")  # +++ breaking news +++


class Notation(NamedTuple):
    """Something that means more elsewhere than to the syntax that reads it.

    Args:
        code: the kind, for programs.
        signs: characters, or words, of which the prompt holds one wherever the pattern matches; it
            is looked for only then.
        pattern: linear in the prompt's length. If it has a group `shown`, that is what is shown.
            Groups `words` and `number` are what the weight in the remedy is made of; without
            `words` it is what is in the brackets.
        readers: the syntaxes that read it as text.
        meaning: completes the sentence "... is ...", and says what it is here; {odd} names the
            characters that no syntax reads.
        remedy: what to do instead; {weight} is the weight as the syntax has it, {name} a group of
            the pattern.
        unless: where this occurs anywhere in the prompt, nothing is found.
        known: a match of this at the same place means that the syntax does read it: then there is
            no issue.
        folded: whether it is looked for in the prompt folded to ASCII, else as it is typed.
        hint: a cheaper pattern that is found wherever the other is.
        bare: search only before the first unclosed bracket, which is then the mistake.
    """

    code: str
    signs: Collection[str]
    pattern: re.Pattern[str]
    readers: Collection[str]
    meaning: str
    remedy: str
    unless: re.Pattern[str] | None = None
    known: re.Pattern[str] | None = None
    folded: bool = True
    hint: re.Pattern[str] | None = None
    bare: bool = False


def weight_in(syntax: str, words: str, number: str) -> str:
    """Write a weight as a syntax has it, for a remedy.

    Args:
        words: what gets the weight.
        number: as it was typed, with whatever is wrong about it; or the signs of compel.
    """
    is_numeral = numeral_value(number) is not None
    number = plain_number(number)
    if is_numeral and number in ("0", "3"):  # behind a title they are no weight
        number += ".0"
    if syntax == "compel" and number[:1] != "-" and not _NO_GROUP.search(words):
        return f"({words}){number}"
    if syntax == "novelai":
        return f"{number}::{words}{' ' * words[-1:].isdigit()}::"  # `2023::` would be a weight
    return f"({words}:{number})" + (" in dialect 'a1111'" if syntax in WITHOUT_BRACKETS else "")


def weights_in(syntax: str, listed: str) -> str:
    """Write a list such as `cat:0.8, dog:1.1` as a syntax has it, each in its own brackets."""
    found = _PAIRED.findall(listed) if listed[-1:] in ("]", ")", "}") else _LISTED.findall(listed)
    is_foreign = any(n.startswith("-") or _NO_GROUP.search(words) for *_, words, n, _ in found)
    target = "a1111" if syntax == "diffusers" or (syntax == "compel" and is_foreign) else syntax
    written = [
        weight_in(target, words.strip(_AROUND), number)
        if number
        else plain.strip(_AROUND).removeprefix(". ")
        for *_, words, number, plain in found
    ]
    text = ", ".join(filter(None, written))
    return text + (" in dialect 'a1111'" if target != syntax else "")


def alternation_of(options: str) -> str:
    """Write the options of an alternation, such as `cat:1.2|re:zero`, as A1111 reads them."""
    return "|".join(
        f"[{edit['texts']}{plain_share(edit['when'])}]"
        if (edit := _EDIT.fullmatch(option))
        else f"({words}:{number})"
        if (words := found["words"]) and (number := found["number"])
        else _FREE_COLON.sub(r"\\:", option)
        for option in options.split("|")
        if (found := _WEIGHTED.fullmatch(option))
    )


def plain_share(typed: str) -> str:
    """Write when an edit takes place: a share of all steps, or the number of a step."""
    share = share_in(typed)
    if share is None:
        share = next((s for word, s in reversed(_SHARES.items()) if word in typed.lower()), None)
    if share is None and (percent := re.fullmatch(r"\s*(\d{1,3})(?:\.\d+)?\s*[%％]\s*", typed)):
        share = int(percent[1]) / 100
    when = plain_number(typed, "0.5") if share is None else f"{share:.2g}"
    is_over = float(when) <= 0 or (("." in when or share is not None) and float(when) >= 1)
    return "0.5" if is_over else when  # one that never changes was hardly meant


_LESS = re.compile(r"(?:low|weak|less|min)\w*\Z|[低弱]\Z", re.IGNORECASE)  # of how much, in words
_CALCULATED = re.compile(r"(\d?\.\d{1,3}|\d)\s?([*×xX+])\s?(\d?\.\d{1,3})")
SCIENTIFIC = r"[+-]?(?:\d{1,6}\.?\d{0,6}|\.\d{1,6})[eE][+-]?\d{1,3}"
_SCIENTIFIC = re.compile(SCIENTIFIC)


def plain_number(typed: str, default: str = "1.2") -> str:
    """Write a number plainly, whatever is wrong about it."""
    signs = typed.strip()
    if signs and not signs.strip("–—"):  # a phone makes one dash of two
        signs = "-" * max(2, len(signs))
    if signs and not signs.strip("+-"):
        return f"{_SIGNS[signs[0]] ** min(len(signs), MOST_SIGNS):.2g}"
    if (fraction := _FRACTION.fullmatch(typed)) and int(fraction[2]):
        return f"{int(fraction[1]) / int(fraction[2]):.3g}"
    if (value := numeral_value(signs)) is not None:
        return f"{value:.3g}"
    if negative := _NEGATIVE.fullmatch(signs):
        return f"{-float(negative[1]):g}"
    if relative := _RELATIVE.fullmatch(signs):  # of the usual weight
        return f"{1 + int(relative[1] + relative[2]) / 100:g}"
    if _SCIENTIFIC.fullmatch(signs):  # beyond all measure, nobody meant it
        value = float(signs)
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) <= MOST_WEIGHT else default
    if mixed := _MIXED.fullmatch(signs):  # 1½
        return f"{int(mixed[1] or 0) + _PARTS[mixed[2]]:.3g}"
    if (ends := _RANGE.fullmatch(signs)) and "." in ends[1] + ends[2]:  # one that is a weight
        return f"{float(ends[1] if float(ends[1]) != 1 else ends[2]):g}"
    if result := _CALCULATED.fullmatch(signs):  # 1.2*1.1
        first, second = float(result[1]), float(result[3])
        return f"{first + second if result[2] == '+' else first * second:.3g}"
    if not _HAS_NUMBER.search(typed):
        return "0.8" if _LESS.search(signs) else default
    plain = typed.translate(_TO_DIGITS)
    start = re.search(r"-?\.?\d|-?\.", plain)
    found = _READ.match(plain, start.start()) if start else None
    if found is None or not (found[2] or found[3]):
        return default
    value = float(f"{found[1]}{found[2] or 0}.{found[3] or 0}")
    if not isfinite(value):
        return default
    return f"{value / 100 if '%' in plain and value >= MOST_WEIGHT else value:g}"
