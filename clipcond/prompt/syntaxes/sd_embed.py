"""Read the syntax of sd_embed: A1111's brackets, numbers without spaces, no BREAK.

    (red:1.3)      times 1.3, as in A1111; `(red: 1.3)` is the text `red: 1.3` at 1.1
    a BREAK b      the word "break" at weight -1, and no new chunk

The empty prompt is read as the word "empty".
"""

from __future__ import annotations

from clipcond.prompt.emphasis import read_break_as_word
from clipcond.prompt.segments import ParsedPrompt, Segment


def parse(text: str, *, fullwidth: bool = False) -> ParsedPrompt:
    """Parse a prompt as sd_embed does.

    Args:
        fullwidth: whether full-width punctuation is syntax too.
    Raises:
        PromptSyntaxError: a weight such as 1.2.3 is not a number, or not finite.
    Source: sd_embed 4a47f71.
    """
    if not text:
        return ParsedPrompt(text, (Segment("empty", 1.0, 0, 0),), syntax="sd_embed")
    segments, issues = read_break_as_word(text, fullwidth=fullwidth)
    return ParsedPrompt(text, segments, issues, "sd_embed")
