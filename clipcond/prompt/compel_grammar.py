r"""Read the inside of compel's prompts: words, brackets and quotes, with what follows them.

    word++  (two words)1.3  "quoted"-      a weight; nesting multiplies
    (red).attend(1.3)                      the same
    cat.swap(dog, s_start=0.2)             `cat` is read, `dog` is kept as an extra
    withLora(name, 0.5)                    kept as an extra, and no text

A bracket or quote holds words, brackets, quotes, and the pieces `.` and `,`. With anything else in
it, or without an end, the bracket is text up to the next space at the top level, and makes text of
the bracket around it elsewhere. Reading is a packrat parse without recursion: each position is read
once for each role, and the result is looked up when an outer bracket has failed. So the work grows
with the length, however deep a prompt is nested and however much of it is broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import clipcond.lazy_re as re
from clipcond.prompt.compel_nodes import Enclosed, Found, LoraCall, Node, Piece, Swapped, Weighted

SPACE = " \t\n\r\v\f"  # only these of the Unicode spaces separate words
_SYNTAX = r"()\",.+\-="
# In the reference floats may have digits of any script, whole numbers may not.
NUMBER = r"(?:\d+\.\d*|\.\d+|[0-9]+)"
NAME = r"[A-Za-z0-9_\-]+"
# Whether it is a number is decided by its beginning: `2x` is no name.
NUMBER_OR_NAME = rf"(?:-?{NUMBER}|(?!-?(?:\d|\.\d)){NAME})"

_SPACES = re.compile(rf"[{SPACE}]*")
_RUN = re.compile(rf"[^{SPACE}]+")
_PLAIN_WORD = rf"[^{SPACE}{_SYNTAX}\\]+"
# Up to 64 parts of a word at a time: each part takes memory while it is matched.
_PARTS = 64
_WORD = re.compile(
    rf"(?:\\+[{_SYNTAX}]?|[+\-](?![{_SYNTAX}{SPACE}]|\Z)|{_PLAIN_WORD}){{1,{_PARTS}}}"
)
# For speed only: several plain words at a time, without a suffix; brackets and quotes of plain
# words. What begins with `,` or `=` is text up to the next space.
_TEXT = rf"(?:{_PLAIN_WORD}[.,]?|[,=][^{SPACE}()]*)"
_PLAIN = re.compile(rf"((?:{_TEXT}[{SPACE}]+){{0,63}}{_TEXT})[{SPACE}]+(?=[^{SPACE}.(])")
_BLANK = SPACE.replace("\n", "").replace("\r", "")
_PLAIN_BRACKET = re.compile(
    "|".join(
        rf"{opens}[{space}]*({_PLAIN_WORD}(?:[{space}]+{_PLAIN_WORD})*|)[{space}]*{closes}"
        for opens, space, closes in ((r"\(", SPACE, r"\)"), ('"', _BLANK, '"'))
    )
)
_SIGNS = re.compile(r"\++|-+")
_NUMBER = re.compile(NUMBER)
_METHOD = re.compile(
    rf"[{SPACE}]*\.(?:swap[{SPACE}]*\(|attend[{SPACE}]*\([{SPACE}]*(\++|-+|{NUMBER})[{SPACE}]*\))"
)
_OPTION = re.compile(
    rf",[{SPACE}]*(?:({NAME})[{SPACE}]*=[{SPACE}]*({NUMBER_OR_NAME})|({NUMBER_OR_NAME}))"
    rf"[{SPACE}]*(?=[,)])"
)
_NO_OPTION = re.compile(rf",[{SPACE}]*(?=\))")
_LORA = re.compile(
    rf"(?:with|use)Lora[{SPACE}]*\([{SPACE}]*({NAME})[{SPACE}]*"
    rf"(?:,[{SPACE}]*(-?{NUMBER})[{SPACE}]*)?\)"
)
_QUOTE_OR_END = re.compile(r'(?<!\\)"|[\n\r]|\Z')


TOP, ROUND, QUOTED, ARGUMENTS = "top", "(", '"', "swap("


@dataclass(slots=True)
class _Frame:
    """A bracket being read: its kind, where it opens, how far it is read, and where it must end."""

    kind: str
    opens: int
    at: int
    end: int
    nodes: list[Node] = field(default_factory=list)
    key: tuple[str, int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.kind, self.opens, self.end


class PhraseReader:
    """The phrases of one text; no position is read twice in the same role."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._last = text.rfind(")")
        self._known: dict[tuple[str, int, int], Found | None] = {}
        self._reached = 0  # as far as something was read for `_known`

    def prompt(self, start: int, end: int) -> Iterator[Node]:
        """Read text[start:end] as a prompt; what is neither word nor bracket is text.

        Yields:
            its nodes one by one: those of a long prompt take a hundred times its length.
        """
        frame = _Frame(TOP, start, start, end)
        while (at := self.skip(frame.at, end)) < end:
            frame.at = at
            if plain := _PLAIN.match(self.text, at, end):
                frame.at = plain.end()
                yield Piece(*plain.span(1))
                continue
            item = self._item(frame)
            while isinstance(item, _Frame):
                self._read(item)
                item = self._item(frame)
            node, frame.at = item or self._run(frame)
            self._forget(frame.at)
            yield node

    def member(self, at: int) -> Found | None:
        """Read one member of a blend or conjunction: a bracket, a quote or a word, unweighted.

        The inside of quotes that cannot be read as a quote is read as a prompt of its own.
        """
        if self.text.startswith(("(", '"'), at):
            frame = self._opened(at, len(self.text))
            if frame is None:
                return None
            found = self._read(frame)
            if found is None and frame.kind == QUOTED:
                return Enclosed(tuple(self.prompt(at + 1, frame.end))), frame.end + 1
            self._forget(found[1] if found else at)
            return found
        return self._word(at, len(self.text))

    def _word(self, at: int, end: int) -> Found | None:
        """Read a word at a position; None if there is none."""
        stop = at
        while part := _WORD.match(self.text, stop, end):
            stop = part.end()
            if stop - part.start() < _PARTS:
                break
        return (Piece(at, stop), stop) if at < stop else None

    def lora(self, at: int, end: int | None = None) -> Found | None:
        """Read the call for a LoRA at a position; None if there is none."""
        if not self.text.startswith(("with", "use"), at):
            return None
        found = _LORA.match(self.text, at, len(self.text) if end is None else end)
        if found is None:
            return None
        weight = None if found[2] is None else found.span(2)
        return LoraCall(found[1], weight, *found.span()), found.end()

    def skip(self, at: int, end: int | None = None) -> int:
        """Find where the white space at a position ends."""
        space = _SPACES.match(self.text, at, len(self.text) if end is None else end)
        assert space is not None, "it matches the empty string, too"
        return space.end()

    def _read(self, first: _Frame) -> Found | None:
        """Read a frame and the frames inside that it waits for, with a stack."""
        stack = [first]
        while stack:
            inner = None if stack[-1].key in self._known else self._advance(stack[-1])
            if inner is None:
                stack.pop()
            else:
                stack.append(inner)
        return self._known[first.key]

    def _advance(self, frame: _Frame) -> _Frame | None:
        """Read on in a frame until it ends or fails; return the frame that must be read first."""
        while True:
            frame.at = self.skip(frame.at, frame.end)
            found = self._closed(frame)
            item = self._item(frame) if found is None and frame.at < frame.end else None
            if isinstance(item, _Frame):
                return item
            if item is None:
                break
            node, frame.at = item
            frame.nodes.append(node)
        self._known[frame.key] = found
        self._reached = max(self._reached, found[1] if found else frame.at + 1)
        return None

    def _forget(self, at: int) -> None:
        """Drop what is known if all of it is before a position: it is not read again."""
        if self._reached <= at:
            self._known.clear()

    def _closed(self, frame: _Frame) -> Found | None:
        """Make a node of the whole frame, if it ends here; None if not."""
        at = frame.at
        options: list[tuple[str, str]] = []
        if frame.kind == QUOTED:
            if at < frame.end:
                return None
            if not frame.nodes:
                frame.nodes.append(Piece(frame.opens + 1, frame.opens + 1))
        else:
            if frame.kind == ARGUMENTS:
                at = self._options(at, frame.end, options)
            if not self.text.startswith(")", at, frame.end):
                return None
        return Enclosed(tuple(frame.nodes), tuple(options)), at + 1

    def _options(self, at: int, end: int, options: list[tuple[str, str]]) -> int:
        """Append the options after a swap's replacement; return where they end."""
        if comma := _NO_OPTION.match(self.text, at, end):
            return comma.end()
        while option := _OPTION.match(self.text, at, end):
            options.append((option[1] or option[3], option[2] or ""))
            at = option.end()
        return at

    def _run(self, frame: _Frame) -> Found:
        run = _RUN.match(self.text, frame.at, frame.end)
        assert run is not None, "white space was skipped, and the end is not reached"
        return Piece(*run.span(), is_run=True), run.end()

    def _item(self, frame: _Frame) -> Found | _Frame | None:
        """Read a node with its suffix; return the frame to read first, if any; None: no node."""
        at, end = frame.at, frame.end
        if lora := self.lora(at, end):
            return lora
        is_bracket = self.text[at] in '("'
        found: Found | None
        if is_bracket and (plain := _PLAIN_BRACKET.match(self.text, at, end)):
            words = plain[1] or plain[2]
            span = plain.span(plain.lastindex or 0) if words else (at + 1, at + 1)
            is_empty = not words and plain[2] is None
            found = Enclosed(()) if is_empty else Piece(*span), plain.end()
        elif is_bracket:
            inner = self._opened(at, end)
            if inner is None or inner.key not in self._known:
                return inner
            found = self._known[inner.key]
        else:
            found = self._word(at, end)
        if found is None:
            # within brackets, full stops and commas are pieces of their own
            is_stop = frame.kind in (ROUND, QUOTED) and self.text[at] in ".,"
            return (Piece(at, at + 1), at + 1) if is_stop else None
        return self._with_suffix(found, is_bracket, frame)

    def _with_suffix(self, found: Found, is_bracket: bool, frame: _Frame) -> Found | _Frame | None:
        """Add the swap or weight after a node."""
        node, stop = found
        method = _METHOD.match(self.text, stop, frame.end)
        if method and method[1]:
            return Weighted(node, *method.span(1)), method.end()
        if method:
            inner = _Frame(ARGUMENTS, method.end() - 1, method.end(), frame.end)
            if inner.key not in self._known:
                return inner
            if arguments := self._known[inner.key]:
                replacement, after = arguments
                assert isinstance(replacement, Enclosed)
                return Swapped(node, replacement, frame.at, stop, after), after
        factor = _SIGNS.match(self.text, stop, frame.end)
        if factor is None and is_bracket:
            factor = _NUMBER.match(self.text, stop, frame.end)
        if factor is not None:
            return Weighted(node, *factor.span()), factor.end()
        # a bare word at the top level is text up to the next space, whatever that is
        return found if is_bracket or frame.kind != TOP else None

    def _opened(self, at: int, end: int) -> _Frame | None:
        """Make the frame of a bracket or quote that opens here; None if it can have no end."""
        if self.text[at] == "(":
            return _Frame(ROUND, at, at + 1, end) if at < self._last else None
        # The next quote of the line closes it, or else the last `\"`.
        found = _QUOTE_OR_END.search(self.text, at + 1)
        closing = found.start() if found else len(self.text)
        if not self.text.startswith('"', closing):
            closing = self.text.rfind('\\"', at + 1, closing) + 1
        return _Frame(QUOTED, at, at + 1, closing) if closing else None
