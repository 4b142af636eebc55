"""Prompts to parts: the text side of clipcond, standard library only."""

from clipcond.prompt.segments import Break, Issue, ParsedPrompt, Part, Segment

__all__ = ["Break", "Issue", "ParsedPrompt", "Part", "Segment"]
