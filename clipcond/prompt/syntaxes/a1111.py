"""Read the syntax of AUTOMATIC1111's webui: brackets that multiply, and BREAK.

    (x)      times 1.1           (x:1.3)  times 1.3           nested: the product
    [x]      divided by 1.1      \\( \\)    literal brackets    BREAK: a new chunk

`emphasis` has the whole grammar. Prompt editing, alternation and AND belong to `editing` and
`composition`: here `[a:b:0.5]` is what the attention grammar makes of it, `a:b:0.5` at 1/1.1.

Deviations, in sd_embed and lpw too: a weight that is no number, as in `(a:1.2.3)`, is a
PromptSyntaxError with its place, there an exception without one; a weight of so many digits that it
overflows is a PromptSyntaxError too, there infinite; brackets that multiply to more than a number
can hold are held at the largest one, with a warning.
"""

from __future__ import annotations

from clipcond.prompt.emphasis import BREAK, SPACED_NUMBERS, break_issues, read_emphasis
from clipcond.prompt.segments import Break, ParsedPrompt, in_order


def parse(text: str, *, fullwidth: bool = False) -> ParsedPrompt:
    """Parse a prompt as A1111 does, which accepts almost anything; what is odd becomes an issue.

    Args:
        fullwidth: whether `（猫：1.3）` is read as `(猫:1.3)`; A1111 itself reads it as text.
    Raises:
        PromptSyntaxError: a weight such as 1.2.3 is not a number, or not finite.
    Source: AUTOMATIC1111 webui 1.10, modules/prompt_parser.py, parse_prompt_attention.
    """
    segments, issues = read_emphasis(text, SPACED_NUMBERS, fullwidth=fullwidth)
    # webui knows a break by its weight -1, which brackets around it multiply.
    parts = tuple(
        Break(s.start, s.stop) if s.text == BREAK and s.weight == -1.0 else s for s in segments
    )
    remedy = "Close the brackets before BREAK and open them again behind it."
    breaks = break_issues(parts, "BREAK inside brackets starts no chunk", remedy)
    return ParsedPrompt(text, parts, in_order([*issues, *breaks]), "a1111")
