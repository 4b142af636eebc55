"""List full-width signs that mean more where those count, and words that no space parts."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import (
    BRACKETS,
    CJK,
    DECIMAL,
    EXCEPT_PLAIN,
    NO_CJK_MEASURE,
    Notation,
    not_after,
)
from clipcond.prompt.other_dialects import CODE, PART_OF_WORD, SPACES

# Full-width brackets around something short, and a weight or a form with a full-width sign in it.
NO_NOTE = not_after("注 図 图 表 例 頁 页 章 ")
_PAIRS = (("（", "）"), ("【", "】"), ("［", "］"))
# `（笑）` and `彼女（20歳）は` are ordinary; doubled, around Latin words or a form they are none.
_FULLWIDTH_BRACKETS = "|".join(
    rf"{a}{a}[^{a}{b}\n]{{1,60}}{b}{b}"
    rf"|(?<![{CJK}]){a}(?=\s?[A-Za-z])[^{a}{b}{CJK}\n]{{1,60}}{b}(?![{CJK}])"
    for a, b in _PAIRS
) + (
    r"|[【［](?!(?:注|注意|重要|例|参考)[:：]|\d{1,4}[:：]\d{1,4}[】］])[^【】［］\n:：|｜]{1,60}[:：|｜][^【】［］\n]{1,60}[】］]"
    r"|[【［]\s?(?:[:：][^【】［］\n:：]{1,60}[:：]\s?[\d.．。]{1,9}\s?|[|｜][^【】［］\n]{1,60})[】］]"
    rf"|（[^（）\n]{{1,60}}）(?={DECIMAL}|[+\-＋－])"
)
# Round brackets that no option reads, around a tag; single ones are ordinary: 〔Deluxe Edition〕.
_OTHER_ROUND = "|".join(
    rf"(?:\A|(?<=[,，、\n]))\s{{0,3}}{a}{a}[^{a}{b}\n]{{1,60}}{b}{b}(?=\s{{0,3}}(?:[,，、\n]|\Z))"
    for a, b in ("﹙﹚", "﹝﹞", "〔〕", "❨❩", "❲❳", "⦅⦆", "｟｠")
)
# Where full-width syntax is read, and nobody has said whether it is meant.
_FULLWIDTH_ALONE = "|".join(
    rf"(?<![{CJK}]){a}(?![^{a}{b}\n]{{0,9}}\d|[笑泣汗怒爆謎株注略仮]{b})[^{a}{b}\n]{{1,60}}{b}"
    for a, b in _PAIRS
)
_FULLWIDTH_WEIGHT = "|".join(
    # the colon first: what looks ahead of any other sign would read on to the end
    rf"(?={colon}){NO_NOTE}(?:(?<!\d)|(?=.\s*\d*[.．。])){colon}\s*[+\-＋－]?{number}\s*{closing}"
    for colon, number, closing in (
        ("：", r"[.．。\d]+", "[)）]"),
        (":", r"[.．。\d]+", "）"),
        (":", r"\d*[．。]\d+", r"\)"),
    )
)
_FULLWIDTH_FORM = (
    rf"\[(?:[^\[\]\n:：|]{{0,120}}[:：])?[^\[\]\n:：|]{{0,120}}(?<!\d){NO_CJK_MEASURE}"
    r"(?:：\s*[\d.．。]{1,9}|:\s*[\d.]*[０-９．。][\d.．。]*)\s*\]"
    r"|\[(?=\s*[^\s｜|\[\]][^\[\]\n]{0,120}｜)[^\[\]:：\n]{1,120}\]"
)
_NOT_WIDE = "syntax where full-width punctuation counts, but not here"
_BE_WIDE = "Write it in ASCII, or say fullwidth=True; fullwidth=False if it is meant as text."
WIDE_SYNTAX = re.compile(
    "|".join((_FULLWIDTH_BRACKETS, _FULLWIDTH_WEIGHT, _FULLWIDTH_FORM, _FULLWIDTH_ALONE))
)
# Means more with `fullwidth=True`, or, for compel, in ASCII.
FULLWIDTH = (
    Notation(
        "weight",
        "【［",
        re.compile(
            r"[【［](?P<words>[^【】［］()（）:：|｜\n]{1,60})[:：]\s?(?P<number>[0-2]?[.．。]\d{1,3})\s?[】］]"
        ),
        BRACKETS,
        "no weight in such brackets",
        "Write {weight}.",
        folded=False,
    ),
    Notation(
        CODE,
        "（）【［：．。｜０１２３４５６７８９",
        re.compile(rf"{_FULLWIDTH_BRACKETS}|{_FULLWIDTH_WEIGHT}|{_FULLWIDTH_FORM}"),
        BRACKETS,
        _NOT_WIDE,
        _BE_WIDE,
        folded=False,
    ),
    Notation(
        "weight",
        "﹙﹝〔❨❲⦅｟",
        re.compile(_OTHER_ROUND),
        BRACKETS,
        "no weight in such brackets",
        "Write its brackets in ASCII; for text leave them out.",
        folded=False,
    ),
    Notation(
        "weight",
        "（【［）】］",
        re.compile(
            r"[（【［](?P<words>[^()（）\[\]【】［］:：\n]{1,80})[:：]\s?(?P<number>[+-]?[\d.]{1,6})\s?[)\]]"
            r"|[(\[](?P<words_2>[^()（）\[\]【】［］:：\n]{1,80}):\s?(?P<number_2>[+-]?[\d.]{1,6})\s?[）】］]"
        ),
        BRACKETS,
        "no weight: its brackets are of two kinds",
        "Write {weight}.",
        folded=False,
    ),
    Notation(
        "weight",
        "（",
        re.compile(
            rf"（(?P<words>[^（）()\n:：]{{1,60}}){NO_CJK_MEASURE}[:：]\s?(?P<number>[+-]?\d?[.．。]\d{{1,3}})"
            r"(?![\d.])(?![^（）()\n]*[）)])"
        ),
        EXCEPT_PLAIN,
        "no weight: its bracket is never closed",
        "Write {weight}.",
        folded=False,
    ),
    Notation(
        CODE,
        ("AND",),
        re.compile(r"：\s*[+\-＋－]?[.．。\d]+(?=\s*(?:AND(?![A-Za-z])|\Z))"),
        {"a1111"},
        _NOT_WIDE,
        _BE_WIDE,
        folded=False,
    ),
    Notation(
        CODE,
        "（【［",
        re.compile(_FULLWIDTH_BRACKETS),
        {"compel"},
        "a bracket in ASCII, but not here",
        "Write it in ASCII; fullwidth=False if it is meant as text.",
        folded=False,
    ),
    Notation(
        CODE,
        "＋－",
        re.compile(r"\w{1,40}(?:＋{2,9}|－{2,9})(?![\w＋－])"),
        {"compel"},
        "a weight in ASCII, but not here",
        "Write it in ASCII; fullwidth=False if it is meant as text.",
        folded=False,
    ),
)
# BREAK and AND that no space parts from Chinese: words only with `fullwidth=True`.
JOINED, JOINED_UNASKED = (
    tuple(
        Notation(
            CODE,
            "KD",
            re.compile(
                rf"(?<=[{CJK}])(?:{words})(?!\w)|(?<=\S[\s,，])(?:{words})(?=[{CJK}])"
                rf"|(?<=[{CJK}])(?:{words})(?=[{CJK}])"
            ),
            readers,
            PART_OF_WORD,
            remedy,
            folded=False,
        )
        for words, readers in (("BREAK|AND", {"a1111"}), ("BREAK", {"sd_embed", "lpw_xl"}))
    )
    for remedy in (SPACES, "Write spaces around it, or say fullwidth=True.")
)
