"""Full-width punctuation, as Chinese input methods type it, in the place of ASCII syntax.

    （ ）  【 】 ［ ］  ：  ，  ｜  ＼  ＋ －  ０ .. ９  ．  。     ( ) [ ] : , | \\ + - 0 .. 9 . .

A syntax that knows this looks for its signs in `signs(source)`, which is as long as the source,
so that places are the same in both; what is text it takes from the source, as it was typed. So
`，` stays the comma that a Chinese tower was trained on, and `（猫：１。３）` is 猫 at 1.3. In
Chinese no space parts words, so `猫BREAK狗` and `猫AND狗` hold the word too: only ASCII letters,
digits and `_` belong to a word there.
"""

from __future__ import annotations

__all__ = ["CLOSING", "SIGNS", "signs", "word"]

_WIDE = "（）【】［］：，｜＼＋－０１２３４５６７８９．。"
_ASCII = "()[][]:,|\\+-0123456789.."
SIGNS: dict[str, str] = dict(zip(_WIDE, _ASCII, strict=True))
CLOSING = {"(": ")", "[": "]", "（": "）", "【": "】", "［": "］"}

_TABLE = str.maketrans(SIGNS)


def signs(source: str, *, fullwidth: bool = True) -> str:
    """The source with its full-width signs as ASCII, character for character; or the source."""
    return source.translate(_TABLE) if fullwidth else source


def word(name: str, *, fullwidth: bool = False) -> str:
    r"""A pattern for a word with borders; `fullwidth`: Chinese characters are borders too."""
    return rf"(?a:\b{name}\b)" if fullwidth else rf"\b{name}\b"
