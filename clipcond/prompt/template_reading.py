"""Read a template's text into literals and choices, in one pass and without recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

import clipcond.lazy_re as re
from clipcond.errors import PromptError, PromptSyntaxError, excerpt
from clipcond.prompt.choices import Body, Choice, Literal, Source, choice_of, longest
from clipcond.prompt.segments import MOST_ISSUES, Issue
from clipcond.prompt.template_options import choice_of_options, joined, weight_of
from clipcond.prompt.template_slips import find_slips

MOST_TAKEN = 100  # options at once
MOST_CHARACTERS = 4_000_000  # of the longest text
JOINER = ","

_TOKENS = re.compile(
    r"\\(?:\\|\[|\])|\\(?P<escaped>[{}|]|\$\$|__)|(?P<variable>\$\{)|(?P<sign>[{}|\[\]])"
    r"|__(?![\s_])(?P<name>(?:(?!__)[^\n{}|])+)(?<!\s)__"
)
_HEAD = re.compile(
    r"\{\s*(?:(?P<exact>\d{1,9})|(?P<least>\d{0,9})\s*-\s*(?P<most>\d{0,9}))\s*\$\$"
    r"(?:(?P<joiner>(?:[^$\\{}]|\\[\s\S]|\$(?!\$))*)\$\$)?"
)
_WRONG_HEAD = re.compile(r"\{[\s\d.,~\-–—@!]*\$\$")
_ESCAPE = re.compile(r"\\([{}|\\]|\$\$)")

Find = Callable[[str, int], Choice]
HasList = Callable[[str], bool]


@dataclass(slots=True)
class _Open:
    """A brace that is not closed yet.

    Args:
        start: its position.
        n_items: how many items are before it.
        first: where its first option begins.
        head: "2$$, $$"; None = there is none.
        bars: of each `|` its item's index and position.
        squares: of each open square bracket, how many bars are before it.
    """

    start: int
    n_items: int
    first: int
    head: re.Match[str] | None
    bars: list[tuple[int, int]] = field(default_factory=list)
    squares: list[int] = field(default_factory=list)

    @property
    def is_choice(self) -> bool:
        return self.head is not None or bool(self.bars)


def names_in(source: Source) -> Iterator[tuple[str, int]]:
    """Yield the lists that a text names, and where."""
    for token in _TOKENS.finditer(source.text):
        if token["name"] is not None:
            yield token["name"], token.start()


def read_template(source: Source, find: Find, has_list: HasList) -> tuple[Body, list[Issue]]:
    """Read the text of a template.

    Args:
        find: returns the list of a name; it is given the position, too.
        has_list: whether there is a list of a name.
    Returns:
        its parts, and what looks wrong about it.
    Raises:
        PromptSyntaxError: a choice cannot be read.
        PromptError: a text of it would be too long.
    """
    reader = _Reader(source, find, has_list)
    body = reader.read()
    return body, [*reader.issues, *reader.slips][:MOST_ISSUES]


def read_option(source: Source, find: Find, has_list: HasList) -> tuple[int, Body, list[Issue]]:
    """Read a line of a list: its weight, its parts, and what only looks like a template's syntax.

    Raises:
        PromptSyntaxError: a brace is never closed, or closes nothing.
    """
    start, weight = weight_of(source, 0, len(source.text))
    reader = _Reader(source, find, has_list, start)
    body = reader.read()
    for issue in reader.issues:
        message = f"{source.place}{issue.message}"
        raise PromptSyntaxError(message, source.text, issue.position, issue.remedy)
    return weight, body, reader.slips


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, source: Source, find: Find, has_list: HasList, start: int = 0) -> None:
        self.source, self.find, self.has_list = source, find, has_list
        self.at = start  # where text goes on
        self.items: list[Literal | Choice] = []
        self.opened: list[_Open] = []
        self.issues: list[Issue] = []
        self.slips: list[Issue] = []

    def read(self) -> Body:
        """Read up to the end."""
        text, place = self.source.text, self.at
        while token := _TOKENS.search(text, place):
            place = token.end()
            if token["name"] is not None:
                self._text_until(token.start())
                self.items.append(self.find(token["name"], token.start()))
                self.at = place
            elif token["variable"]:
                raise self._wrong(
                    "variables of Dynamic Prompts are not supported",
                    token.start(),
                    r"Write the text in its place, or $\{ for a brace that is text.",
                )
            elif token["escaped"]:
                self._escape(token)
            elif token["sign"] == "{":
                place = self._open(token.start())
            elif token["sign"]:
                self._sign(token["sign"], token.start())
        self._text_until(len(text))
        for opened in self.opened:
            if opened.is_choice:
                raise self._wrong(
                    "'{' is never closed", opened.start, r"Close it with '}', or write \{ for text."
                )
            self._add_issue("'{' is never closed, and stays as text", opened.start)
        self._find_slips()
        body = joined(self.items)
        self._check_length([body], 0)
        return body

    def _find_slips(self) -> None:
        source, is_line = self.source, bool(self.source.file)
        found = find_slips(source.text, self.has_list, is_line=is_line)
        for message, position, remedy in islice(found, MOST_ISSUES):
            message = f"{source.place}{message}"
            prompt = source.text if is_line else ""
            self.slips.append(Issue(message, position, remedy, "template", prompt=prompt))

    def _check_length(self, bodies: Sequence[Body], position: int) -> None:
        """Refuse what would be too long, before it is counted or made.

        Args:
            bodies: those that would be in one text.
        """
        if sum(map(longest, bodies)) > MOST_CHARACTERS:
            message = (
                f"{self.source.place}a text of it may have over {MOST_CHARACTERS:,} characters"
            )
            remedy = "Name fewer lists, or lists that name fewer."
            raise PromptError(message, self.source.text, position, remedy)

    def _text_until(self, stop: int) -> None:
        if self.at < stop:
            self.items.append(Literal(self.source, self.at, stop))
            self.at = stop

    def _escape(self, token: re.Match[str]) -> None:
        """Leave the backslash out, where it is one of templates: `[a\\|b]` keeps it."""
        if token["escaped"] in {"|", "$$"} and not self.opened:
            return
        self._text_until(token.start())
        self.at = token.start("escaped")

    def _open(self, start: int) -> int:
        """Open a brace; return where its first option begins."""
        text = self.source.text
        head = _HEAD.match(text, start)
        if head is None and _WRONG_HEAD.match(text, start):
            raise self._wrong(
                "'$$' needs the number of options before it",
                text.index("$$", start),
                r"Write {2$$a|b|c} or {1-2$$a|b|c}, or \$$ for text.",
            )
        self._text_until(start)
        first = start + 1 if head is None else head.end()
        self.opened.append(_Open(start, len(self.items), first, head))
        self.items.append(Literal(self.source, start, first))
        self.at = first
        return first

    def _sign(self, sign: str, position: int) -> None:
        if not self.opened:
            if sign == "}":
                self._add_issue("'}' closes nothing, and stays as text", position)
            return
        opened = self.opened[-1]
        if sign == "[":
            opened.squares.append(len(opened.bars))
        elif sign == "]" and opened.squares:  # bars in square brackets are alternation
            del opened.bars[opened.squares.pop() :]
        elif sign == "|":
            self._text_until(position)
            opened.bars.append((len(self.items), position))
            self._text_until(position + 1)
        elif sign == "}":
            self.opened.pop()
            if opened.is_choice:
                self._text_until(position)
                choice = self._choice(opened, position)
                del self.items[opened.n_items :]
                self.items.append(choice)
                self.at = position + 1

    def _choice(self, opened: _Open, stop: int) -> Choice:
        """Make a choice of what is between a brace and its end."""
        bars = [(opened.n_items, opened.first - 1), *opened.bars, (len(self.items), stop)]
        options: list[tuple[int, Body]] = []
        for (item, bar), (next_item, next_bar) in pairwise(bars):
            start, weight = weight_of(self.source, bar + 1, next_bar)
            body = joined(self.items[item + 1 : next_item])
            if start > bar + 1 and isinstance(first := body[0], Literal):
                cut = (Literal(self.source, start, first.stop),) if start < first.stop else ()
                body = (*cut, *body[1:])
            self._check_length([body], opened.start)
            options.append((weight, body))
        made = choice_of_options(options)
        if made is None:
            raise self._wrong(
                "all options have the weight 0", opened.start, "Give one a weight above 0."
            )
        return made if opened.head is None else self._taking(made, opened.head)

    def _taking(self, made: Choice, head: re.Match[str]) -> Choice:
        """Make a choice of several of the options."""
        options, weights = made.options, made.weights
        (only, *others) = options[0] if len(options) == 1 and options[0] else (None,)
        if isinstance(only, Choice) and not others and (only.least, only.most) == (1, 1):
            options, weights = only.options, only.weights  # {2$$__name__} takes two lines
        bounds = [head["exact"]] * 2 if head["exact"] else [head["least"], head["most"]]
        least, most = (int(each) if each else None for each in bounds)
        least = 1 if least is None else least
        asked, most = sorted((least, max(least, len(options)) if most is None else most))
        least, most = min(asked, len(options)), min(most, len(options))
        if asked > len(options):
            written = excerpt(head[0].strip())
            message = f"{written!r}: {asked} options are to be taken, and there are {len(options)}"
            self._add_issue(message, head.start(), "Name more, or fewer to take.")
        if most > MOST_TAKEN:
            raise self._wrong(
                f"up to {most} options are taken at once; at most {MOST_TAKEN} can be",
                head.start(),
                "Write a range such as 1-3$$.",
            )
        joiner: Body = (Literal(self.source, head.start(), head.start() + 1, JOINER),)
        if head["joiner"] is not None:
            joiner = tuple(self._unescaped(*head.span("joiner")))
        self._check_length(sorted(options, key=longest)[-most:] if most else (), head.start())
        return choice_of(options, weights, joiner, least, most)

    def _unescaped(self, start: int, stop: int) -> Iterator[Literal]:
        for escape in _ESCAPE.finditer(self.source.text, start, stop):
            if start < escape.start():
                yield Literal(self.source, start, escape.start())
            start = escape.start() if escape[1] == "\\" else escape.start(1)
            yield Literal(self.source, start, escape.end())
            start = escape.end()
        if start < stop:
            yield Literal(self.source, start, stop)

    def _wrong(self, message: str, position: int, remedy: str) -> PromptSyntaxError:
        return PromptSyntaxError(
            f"{self.source.place}{message}", self.source.text, position, remedy
        )

    def _add_issue(self, message: str, position: int, remedy: str = "") -> None:
        if len(self.issues) < MOST_ISSUES:
            remedy = remedy or rf"Write \{self.source.text[position]} for text."
            self.issues.append(Issue(message, position, remedy, "template"))
