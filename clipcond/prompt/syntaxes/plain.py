"""Read a prompt without any syntax: one segment of weight 1, brackets and all.

`plain` is for those who want that; `diffusers` for prompts as its pipelines read them. There a
weight written for another tool is hardly meant as text, so it becomes an issue (see `lookalikes`).
"""

from __future__ import annotations

from dataclasses import replace

from clipcond.prompt.segments import ParsedPrompt, Segment


def parse(text: str) -> ParsedPrompt:
    """Make one segment of the whole prompt."""
    return ParsedPrompt(text, (Segment(text, 1.0, 0, len(text)),), syntax="plain")


def parse_diffusers(text: str) -> ParsedPrompt:
    """Make one segment of the whole prompt, for `lookalikes` to look at."""
    return replace(parse(text), syntax="diffusers")
