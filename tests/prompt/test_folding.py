"""Folding keeps every position, and all that is ASCII."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from clipcond.prompt.folding import fold, odd_signs


@given(st.text())
def test_positions_stay(text):
    assert len(fold(text)) == len(text)
    assert all(new == old for old, new in zip(text, fold(text), strict=True) if old.isascii())
    assert fold(fold(text)) == fold(text)


def test_what_is_folded():
    assert fold("（猫：１．３）｛Ａ｜ｂ｝＿＜》∶꞉﹕٫") == "(猫:1.3){A|b}_<>:::."
    assert fold("a\u200b\u00ad\u00a0\ufeffb") == "a    b"
    assert fold("春·夏—秋、冬×") == "春·夏—秋、冬×"


def test_odd_signs_are_named():
    assert odd_signs("（猫∶1.3\u200b）", "(猫∶1.3\u200b)") == (
        "U+2236 RATIO, U+200B ZERO WIDTH SPACE"
    )
    assert odd_signs("cat", "cat") == ""


def test_every_space_and_separator_of_unicode_is_a_space():
    kinds = {"Zs", "Zl", "Zp"}
    spaces = [c for c in map(chr, range(0x3001)) if unicodedata.category(c) in kinds]

    assert len(spaces) > 15
    assert {ascii(c) for c in spaces if fold(c) != " "} == set()
