"""Write prompts in another dialect, and say what is lost."""

from __future__ import annotations

from dataclasses import dataclass

from clipcond.app.settings import MOST_CHARACTERS
from clipcond.app.wording import Language
from clipcond.errors import ArgumentError, ClipcondError, PromptWarning
from clipcond.prompt import SYNTAXES
from clipcond.prompt.conversion import convert_with_issues

TARGETS = tuple(SYNTAXES)


@dataclass(frozen=True, slots=True)
class Converted:
    """A prompt in another dialect, or None, and what is said of it."""

    text: str | None
    notes: tuple[str, ...]


def convert_prompt(text: str, source: str, target: str, language: Language) -> Converted:
    """Convert a prompt; what cannot be is said with a caret."""
    try:
        if len(text) > MOST_CHARACTERS:
            raise ArgumentError(f"a prompt has at most {MOST_CHARACTERS:,} characters here")
        written, issues = convert_with_issues(text, source, target)
    except ClipcondError as error:
        return Converted(None, (language.message(error),))
    notes = (PromptWarning(i.message, text, i.position, i.remedy) for i in issues)
    return Converted(written, tuple(language.message(note) for note in notes))
