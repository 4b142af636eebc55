"""No syntax: the whole prompt is one segment of weight 1, brackets and all."""

from __future__ import annotations

from clipcond.prompt.segments import ParsedPrompt, Segment


def parse(text: str) -> ParsedPrompt:
    """The prompt as it is."""
    return ParsedPrompt(text, (Segment(text, 1.0, 0, len(text)),), syntax="plain")
