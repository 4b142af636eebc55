r"""Read the brackets of A1111, which several syntaxes share with variations.

`(x)` multiplies by 1.1, `[x]` by 1/1.1, `(x:1.3)` by 1.3 instead; nesting multiplies, and round
and square brackets may cross. `\(` `\)` `\[` `\]` `\\` are the bare character; any other backslash
vanishes. Brackets that do not match are accepted: an opening one acts to the end of the prompt, a
closing one is text. Both become issues.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace

import clipcond.lazy_re as re
from clipcond.prompt.scanner import (
    FACTORS,
    OPENING,
    Brackets,
    ascii_signs,
    read_weight,
    segments_of,
    unmatched_brackets,
    word_pattern,
)
from clipcond.prompt.segments import MOST_ISSUES, Issue, Part, Segment, in_order

BREAK = "BREAK"
_BREAK = {wide: re.compile(word_pattern(BREAK, fullwidth=wide)) for wide in (False, True)}
_SPACE = re.compile(r"\s*")
_ESCAPE = {
    False: re.compile(r"\\([\\()\[\]]?)"),
    True: re.compile(r"[\\＼]([\\＼()\[\]（）【】［］]?)"),
}


def emphasis_lexicon(number: str) -> re.Pattern[str]:
    """Make a pattern for one lexeme of the grammar; its named groups are the kinds of lexemes.

    It matches every character and does not backtrack over more than one lexeme: a scan is linear.
    Brackets of one kind in a row are one lexeme, and so are up to 64 pieces of text.

    Args:
        number: a pattern for what is between `:` and `)`.
    """
    return re.compile(
        rf"(?P<text>(?:[^\\()\[\]:]+|\\[\\()\[\]]?|:(?!{number}\))){{1,64}})"
        r"|(?P<open>\(+|\[+)"
        r"|(?P<close>\)+|\]+)"
        rf"|(?P<weight>:{number}\))"
    )


# Digits and dots only, so `1.2.3` and `.` are numbers here and fail as such.
NUMBER = r"[+-]?[.\d]+"
SPACED_NUMBERS = emphasis_lexicon(rf"\s*{NUMBER}\s*")
TIGHT_NUMBERS = emphasis_lexicon(NUMBER)


class _Texts:
    """The texts of one prompt: where each is, and the innermost brackets of each kind around it."""

    def __init__(self) -> None:
        self._numbers = array("i")  # five of each text

    def add(self, start: int, stop: int, a: int, b: int, sign: int = 1) -> None:
        """Add source[start:stop], inside brackets a and b; the sign of BREAK is -1."""
        self._numbers.extend((start, stop, a, b, sign))

    def weighted(self, brackets: Brackets) -> Iterator[tuple[float, int, int]]:
        """Yield (weight, start, stop) of each."""
        for start, stop, a, b, sign in zip(*[iter(self._numbers)] * 5, strict=True):
            yield brackets.weight(a, b) * sign, start, stop


def read_emphasis(
    source: str, lexicon: re.Pattern[str], *, has_breaks: bool = True, fullwidth: bool = False
) -> tuple[tuple[Segment, ...], tuple[Issue, ...]]:
    """Read a prompt as segments, neighbours of equal weight joined, and issues in order.

    The word BREAK comes as a segment of that text, at -1.0, or minus the weight of the brackets
    around it; each syntax decides what that means. A prompt without text is one empty segment.

    Args:
        lexicon: from `emphasis_lexicon`.
        has_breaks: False where BREAK is a word like any other.
        fullwidth: whether full-width punctuation is syntax too; text stays as it is typed.
    Raises:
        PromptSyntaxError: a weight is not a finite number.
    """
    brackets = Brackets(len(source))
    texts = _scan(source, lexicon, brackets, has_breaks and BREAK in source, fullwidth)

    def unescaped(segment: Segment) -> Segment:
        if "\\" not in segment.text and "＼" not in segment.text:
            return segment
        return replace(segment, text=_ESCAPE[fullwidth].sub(r"\1", segment.text))

    # `(a)(b)` is one text, and one token if `ab` is one
    segments, issues = segments_of(source, texts.weighted(brackets), unescaped)
    issues += unmatched_brackets(source, brackets.unmatched(), brackets.n_unmatched)
    return segments, in_order(issues)


def _scan(
    source: str,
    lexicon: re.Pattern[str],
    brackets: Brackets,
    has_breaks: bool,
    fullwidth: bool,
) -> _Texts:
    """Walk the source once, opening and closing brackets; return its texts."""
    signs = ascii_signs(source, fullwidth=fullwidth)
    texts = _Texts()
    for lexeme in lexicon.finditer(signs):
        kind, (start, stop) = lexeme.lastgroup, lexeme.span()
        a, b = brackets.innermost.values()
        if kind == "open":
            brackets.open(signs[start], start, stop)
        elif kind == "weight" and a:
            brackets.close("(", start, start + 1, read_weight(source, start + 1, stop - 1, signs))
        elif kind == "text" and has_breaks:
            for begin, end, sign in _cut_at_break_words(source, start, stop, fullwidth):
                texts.add(begin, end, a, b, sign)
        elif kind == "text":
            texts.add(start, stop, a, b)
        else:
            opening = OPENING[signs[stop - 1]]
            if kind == "close":
                start = brackets.close(opening, start, stop, FACTORS[opening])
            if start < stop:
                brackets.add_stray(start if kind == "close" else stop - 1, stop)
                texts.add(start, stop, *brackets.innermost.values())
    return texts


def _cut_at_break_words(
    source: str, start: int, stop: int, fullwidth: bool
) -> Iterator[tuple[int, int, int]]:
    """Cut source[start:stop] at every BREAK, and drop the whitespace around it.

    Yields:
        (start, stop, sign); of BREAK the sign is -1. A piece, maybe empty, is on both sides.
    """
    run = source[start:stop]
    begin = 0
    # Whitespace is not part of the pattern: looking for it at every place would be quadratic.
    for match in _BREAK[fullwidth].finditer(run):
        yield start + begin, start + begin + len(run[begin : match.start()].rstrip()), 1
        yield start + match.start(), start + match.end(), -1
        space = _SPACE.match(run, match.end())
        begin = space.end() if space else match.end()
    yield start + begin, stop, 1


def read_break_as_word(
    source: str, *, fullwidth: bool = False
) -> tuple[tuple[Segment, ...], tuple[Issue, ...]]:
    """Read a prompt as do parsers that know BREAK but start no chunk at it.

    Numbers are without spaces. BREAK stays the word "break", at minus the weight around it, and
    becomes an issue.
    """
    segments, issues = read_emphasis(source, TIGHT_NUMBERS, fullwidth=fullwidth)
    remedy = "Leave it out, or use dialect 'a1111'."
    breaks = break_issues(segments, "BREAK starts no chunk in this dialect", remedy)
    return segments, in_order([*issues, *breaks])


def break_issues(parts: Sequence[Part], message: str, remedy: str) -> list[Issue]:
    """Make an issue of each BREAK that is no break but a word, up to MOST_ISSUES."""
    breaks = [part for part in parts if isinstance(part, Segment) and part.text == BREAK]
    message += ": it is the word 'break' at weight"
    return [
        Issue(f"{message} {part.weight:g}", part.start, remedy, "break-weight")
        for part in breaks[:MOST_ISSUES]
    ]
