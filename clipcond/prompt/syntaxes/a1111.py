"""The syntax of AUTOMATIC1111's webui: brackets that multiply, and BREAK.

    (x)      times 1.1           (x:1.3)  times 1.3           nested: the product
    [x]      divided by 1.1      \\( \\)    literal brackets    BREAK: a new chunk

The whole grammar stands in `emphasis`. Prompt editing, alternation and AND belong to `schedule` and
`composition`: here `[a:b:0.5]` is what the attention grammar makes of it, `a:b:0.5` at 1/1.1.

Deviations, in sd_embed and lpw too: a weight that is no number, as in `(a:1.2.3)`, is a
PromptSyntaxError with its place, there an exception without one; a weight of so many digits that it
overflows is a PromptSyntaxError too, there infinite; brackets that multiply to more than a number
can hold are held at the largest one, with a warning.
"""

from __future__ import annotations

from clipcond.prompt.emphasis import SPACED_NUMBER, lexicon, read
from clipcond.prompt.segments import MOST_ISSUES, Break, Issue, ParsedPrompt, Part, Segment

LEXICON = lexicon(SPACED_NUMBER)


def parse(text: str, *, fullwidth: bool = False) -> ParsedPrompt:
    """Parse a prompt as A1111 does; whatever that accepts is accepted, with issues.

    Args:
        fullwidth: whether `（猫：1.3）` is `(猫:1.3)`, which A1111 itself reads as text.
    Raises:
        PromptSyntaxError: a weight such as 1.2.3 is not a number, or not finite.
    Source: AUTOMATIC1111 webui 1.10, modules/prompt_parser.py, parse_prompt_attention.
    """
    segments, issues = read(text, LEXICON, fullwidth=fullwidth)
    parts: list[Part] = []
    lost: list[Issue] = []
    for segment in segments:
        if segment.text != "BREAK":
            parts.append(segment)
        elif segment.weight == -1.0:
            parts.append(Break(segment.start, segment.stop))
        else:
            # The brackets have multiplied the -1 by which webui knows a break.
            parts.append(segment)
            lost.append(_lost_break(segment))
    issues = sorted(issues + lost[:MOST_ISSUES], key=lambda issue: issue.position)
    return ParsedPrompt(text, tuple(parts), tuple(issues), "a1111")


def _lost_break(segment: Segment) -> Issue:
    message = "BREAK inside brackets starts no chunk: it is the word 'break' at weight"
    remedy = "Close the brackets before BREAK and open them again behind it."
    return Issue(f"{message} {segment.weight:g}", segment.start, remedy)
