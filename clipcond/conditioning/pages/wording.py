"""Word a page in the reader's language, and count what it may still show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape

from clipcond.conditioning.pages.style import PAGE, STYLE
from clipcond.conditioning.pages.text import visible
from clipcond.errors import excerpt

# What is shown of each report. A page with two of a pair of towers has about 4 MB at most.
MAX_TOKENS = 2000
MAX_CHARACTERS = 20_000
MAX_ITEMS = 50  # issues, parts of a step
MAX_NAME = 200  # characters of a token


@dataclass
class Wording:
    """How a page says what it says.

    Args:
        words: what stands for its English words, sentences with {} for what they are about; "en" is
            its language.
        reword: changes the text of an issue, whose remedy is in the lines behind its first.
    """

    words: Mapping[str, str] = field(default_factory=dict)
    reword: Callable[[str], str] | None = None
    n_tokens: int = MAX_TOKENS
    n_characters: int = MAX_CHARACTERS

    def plain(self, template: str, *values: object) -> str:
        """Word a sentence."""
        return self.words.get(template, template).format(*values)

    def say(self, template: str, *values: object) -> str:
        """Word a sentence as HTML; the values are escaped, too."""
        return visible(self.plain(template, *values))

    def issue(self, text: str) -> list[str]:
        """Word an issue: the lines of what is wrong and what to do."""
        return (text if self.reword is None else self.reword(text)).splitlines()

    def begin(self) -> None:
        """Begin another report, of which as much is shown as of the first."""
        self.n_tokens, self.n_characters = MAX_TOKENS, MAX_CHARACTERS

    def text(self, text: str) -> str:
        """Write a text as HTML as far as the page has room, and say how much is missing."""
        shown = text[: self.n_characters]
        self.n_characters -= len(shown)
        return visible(shown) + self.more(len(text) - len(shown), "… and {} more characters")

    def token(self, token: str) -> str:
        """Write a token as HTML; a long name of a textual inversion shortened."""
        return visible(excerpt(token, MAX_NAME))

    def more(self, n: int, template: str) -> str:
        """Say how many are not shown, if any."""
        return f' <span class="cc-soft">{self.say(template, n)}</span>' if n > 0 else ""

    def page(self, title: str, content: str) -> str:
        """Write a page of its own."""
        language, heading = self.words.get("en", "en"), escape(title)
        content = self.fragment(f"<h1>{heading}</h1>\n{content}")
        return PAGE.format(language=language, title=heading, content=content)

    def fragment(self, content: str) -> str:
        """Write what is put into another page: its style counts for nothing else there."""
        language = self.words.get("en", "en")
        return (
            f'<div class="clipcond-report" lang="{language}">\n<style>{STYLE}</style>\n{content}\n'
            "</div>"
        )
