"""Read the syntaxes of diffusers' "long prompt weighting" pipelines, for SD1 and for SDXL.

Both have A1111's brackets, with numbers without spaces: `(red: 1.3)` is text at 1.1. BREAK is text
like any other for SD1; for SDXL it is the word "break" at weight -1. Neither starts a chunk at it.
"""

from __future__ import annotations

from clipcond.prompt.emphasis import TIGHT_NUMBERS, read_break_as_word, read_emphasis
from clipcond.prompt.segments import ParsedPrompt


def parse(text: str, *, fullwidth: bool = False) -> ParsedPrompt:
    """Parse a prompt as lpw_stable_diffusion does.

    Args:
        fullwidth: whether full-width punctuation is syntax too.
    Raises:
        PromptSyntaxError: a weight such as 1.2.3 is not a number, or not finite.
    Source: diffusers 58eb52c, examples/community/lpw_stable_diffusion.py, parse_prompt_attention.
    """
    segments, issues = read_emphasis(text, TIGHT_NUMBERS, has_breaks=False, fullwidth=fullwidth)
    return ParsedPrompt(text, segments, issues, "lpw")


def parse_xl(text: str, *, fullwidth: bool = False) -> ParsedPrompt:
    """Parse a prompt as lpw_stable_diffusion_xl does.

    Args:
        fullwidth: whether full-width punctuation is syntax too.
    Raises:
        PromptSyntaxError: a weight such as 1.2.3 is not a number, or not finite.
    Source: diffusers 58eb52c, examples/community/lpw_stable_diffusion_xl.py.
    """
    segments, issues = read_break_as_word(text, fullwidth=fullwidth)
    return ParsedPrompt(text, segments, issues, "lpw_xl")
