"""No syntax: the whole prompt is one segment of weight 1, brackets and all.

`plain` is for those who want it so; `diffusers` for prompts that its pipelines would read, where a
weight written for another tool is hardly meant as text, and is warned of (see `lookalike`).
"""

from __future__ import annotations

from dataclasses import replace

from clipcond.prompt.segments import ParsedPrompt, Segment


def parse(text: str) -> ParsedPrompt:
    """The prompt as it is."""
    return ParsedPrompt(text, (Segment(text, 1.0, 0, len(text)),), syntax="plain")


def parse_diffusers(text: str) -> ParsedPrompt:
    """The prompt as it is."""
    return replace(parse(text), syntax="diffusers")
