"""Hold a parsed prompt: weighted segments and breaks, with their positions.

Positions are indices into the original prompt, which is never edited: `source[start:stop]` is what
the user typed, `text` is what gets tokenized. The two differ where an escape was resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import ClassVar, Literal, TypeAlias, TypeVar

from clipcond.errors import PromptSyntaxError


@dataclass(frozen=True, slots=True)
class Segment:
    """A text with one weight, taken from `source[start:stop]`, brackets not included.

    Args:
        text: what gets tokenized, or the name of a textual inversion.
        weight: dimensionless; 1.0 is unweighted.
        start, stop: the place; after neighbours were joined, the first start and the last stop.
        is_name: whether the text is such a name.
    """

    text: str
    weight: float
    start: int
    stop: int
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """The start of a new chunk, demanded by the word at `source[start:stop]`."""

    start: int
    stop: int


Item = TypeVar("Item")


def split_at_breaks(items: Iterable[Item | Break]) -> list[list[Item]]:
    """Split parts or tokens at breaks: one run more than there are breaks, empty ones included."""
    runs: list[list[Item]] = [[]]
    for item in items:
        if isinstance(item, Break):
            runs.append([])
        else:
            runs[-1].append(item)
    return runs


# With more issues than this a prompt is garbage, and a list of a million would help nobody.
MOST_ISSUES = 100


@dataclass(frozen=True, slots=True)
class Issue:
    """Something in a prompt that was hardly meant, or that is not done as written; no error.

    Args:
        message: what is wrong, without the place.
        position: an index into the prompt; 0 for an issue about the whole prompt.
        remedy: what to do about it; "" = nothing.
        code: the kind, for programs: words joined by hyphens, such as "other-dialect" or "bracket".
            Does not count in comparisons: message and position say it already.
        words: what it is about, as typed: words that cannot be read, text that was left out.
        prompt: the prompt that the position is in, where issues of several prompts are listed.
    """

    message: str
    position: int
    remedy: str = ""
    code: str = field(default="", compare=False)
    words: tuple[str, ...] = ()
    prompt: str = ""


def in_order(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Sort issues by position; those of one place keep their order."""
    return tuple(sorted(issues, key=attrgetter("position")))


Part: TypeAlias = Segment | Break
Mode: TypeAlias = Literal["join", "mean", "sum"]


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA that the prompt asks for, which is neither text nor loaded here."""

    name: str
    weight: float
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Swap:
    """A replacement for source[start:stop] while denoising, with its options as written."""

    replacement: tuple[Segment, ...]
    options: tuple[tuple[str, float | str], ...]
    start: int
    stop: int


# Weights are float32 where they act. Relative to the sum of their sizes, this is 0.
_SMALLEST_SUM = 1e-6


def sum_to_zero(weights: Sequence[float]) -> bool:
    """Whether a mean with these weights would divide by 0."""
    return abs(sum(weights)) <= _SMALLEST_SUM * sum(map(abs, weights))


@dataclass(frozen=True, slots=True)
class Mixture:
    """Several prompts in one, each encoded on its own, then made one conditioning.

    Args:
        prompts: slices of one source, each with its own parts.
        weights: one for each prompt, dimensionless.
        mode: "join" = one after the other, each moved along the line from the empty prompt by its
            weight; "mean" = sum(w * c) / sum(w); "sum" = sum(w * c).
    """

    prompts: tuple[ParsedPrompt, ...]
    weights: tuple[float, ...]
    mode: Mode


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """A prompt as its syntax reads it.

    Args:
        source: the prompt as it was typed.
        parts: segments and breaks, in order; for a mixture those of all its prompts, with a break
            between two of them.
        issues: what looks wrong, in order.
        syntax: the name of the syntax.
        mixture: the prompts to mix; None = one prompt.
        extras: what the prompt asks for and is not text.
        bare_names: whether a word that is the name of a textual inversion means it. If not, only
            segments with `is_name` do.
    """

    # clipcond.prompt.rendering sets this: it knows all syntaxes, and they all import this file.
    renderer: ClassVar[Callable[[ParsedPrompt, str | None], str]]

    source: str
    parts: tuple[Part, ...]
    issues: tuple[Issue, ...] = ()
    syntax: str = "a1111"
    mixture: Mixture | None = None
    extras: tuple[Lora | Swap, ...] = ()
    bare_names: bool = True

    @property
    def members(self) -> tuple[ParsedPrompt, ...]:
        """The prompts to encode one by one: those of the mixture, or this one alone."""
        return (self,) if self.mixture is None else self.mixture.prompts

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The parts that are text, in order."""
        return tuple(part for part in self.parts if isinstance(part, Segment))

    def render(self, syntax: str | None = None) -> str:
        """Write the prompt in a syntax: the same words at the same weights.

        Args:
            syntax: the prompt's own by default.
        Raises:
            UnknownNameError: there is no syntax of that name.
            PromptError: the syntax cannot express the prompt; shows where.
        """
        return ParsedPrompt.renderer(self, syntax)

    def with_names(self, found: Callable[[str], str | None]) -> ParsedPrompt:
        """Replace the names of textual inversions.

        Args:
            found: name -> what to put in its place; None drops the segment, which is an issue.
        """
        parts: list[Part] = []
        missing: list[Issue] = []
        for part in self.parts:
            if not isinstance(part, Segment) or not part.is_name:
                parts.append(part)
            elif (name := found(part.text)) is not None:
                parts.append(replace(part, text=name))
            else:
                message = f"there is no embedding {part.text!r}; its name is left out"
                remedy = "Load its file: conditioner.load_inversion(file)."
                if "," in part.text.strip(","):
                    remedy = "A name ends at a space: write one behind the comma."
                missing.append(Issue(message, part.start, remedy, "inversion", (part.text,)))
        if parts == list(self.parts):
            return self
        issues = in_order([*self.issues, *missing[:MOST_ISSUES]])
        return replace(self, parts=tuple(parts), issues=issues)

    def require_clean(self) -> ParsedPrompt:
        """Return itself if there are no issues.

        Raises:
            PromptSyntaxError: the first issue, with a caret under its position.
        """
        for issue in self.issues:
            raise PromptSyntaxError(issue.message, self.source, issue.position, issue.remedy)
        return self
