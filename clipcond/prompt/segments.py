"""What every syntax turns a prompt into: weighted segments and breaks, with their places.

Positions are indices into the original prompt, which is never edited: `source[start:stop]` is what
the user typed, `text` is what gets tokenized, and the two differ where an escape was resolved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from clipcond.errors import PromptSyntaxError


@dataclass(frozen=True, slots=True)
class Segment:
    """A text and its weight; `source[start:stop]` is where it stands, brackets not included.

    1.0 is unweighted. Neighbours that were merged span from the first start to the last stop.
    `is_name`: the text is no words but the name of a textual inversion.
    """

    text: str
    weight: float
    start: int
    stop: int
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """What follows begins a new chunk; `source[start:stop]` is the word that says so."""

    start: int
    stop: int


# Beyond so many issues a prompt is garbage, and a million issues would help nobody.
MOST_ISSUES = 100


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that was accepted, as the reference accepts it, but was hardly meant."""

    message: str
    position: int
    remedy: str = ""


Part: TypeAlias = Segment | Break


@dataclass(frozen=True, slots=True)
class Lora:
    """A network that the prompt asks for; it is no text, and nothing here loads it."""

    name: str
    weight: float
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Swap:
    """What is to take the place of source[start:stop] while denoising, with options as written."""

    replacement: tuple[Segment, ...]
    options: tuple[tuple[str, float | str], ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Mixture:
    """Several prompts in one: each is encoded on its own, then they become one conditioning.

    Args:
        prompts: slices of one source, each with its own parts.
        weights: one for each prompt, dimensionless.
        mode: "join" = one after the other, each moved along the line from the empty prompt by its
            weight; "mean" = sum(w * c) / sum(w); "sum" = sum(w * c).
    """

    prompts: tuple[ParsedPrompt, ...]
    weights: tuple[float, ...]
    mode: Literal["join", "mean", "sum"]


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """A prompt as its syntax reads it: parts in the order of the source, and what looks wrong.

    Where it is a mixture of several, `parts` has those of all, with a break before each but the
    first. `extras` are not part of the text. `bare_names`: a word that is the name of a textual
    inversion stands for it; otherwise only a segment that says so does.
    """

    source: str
    parts: tuple[Part, ...]
    issues: tuple[Issue, ...] = ()
    syntax: str = "a1111"
    mixture: Mixture | None = None
    extras: tuple[Lora | Swap, ...] = ()
    bare_names: bool = True

    @property
    def members(self) -> tuple[ParsedPrompt, ...]:
        """The prompts that are encoded apart: those of the mixture, or itself alone."""
        return (self,) if self.mixture is None else self.mixture.prompts

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The parts that are text, in order."""
        return tuple(part for part in self.parts if isinstance(part, Segment))

    def render(self, syntax: str | None = None) -> str:
        """Write it in a syntax, by default its own, which reads the same words at these weights.

        Raises:
            UnknownNameError: there is no syntax of that name.
            PromptError: the syntax cannot say it; shows where.
        """
        from clipcond.prompt import render

        return render(self, syntax)

    def with_names(self, found: Callable[[str], str | None]) -> ParsedPrompt:
        """Replace names of textual inversions by what `found` gives; drop those it gives None for.

        Each that is dropped becomes an issue.
        """
        parts: list[Part] = []
        missing: list[Issue] = []
        for part in self.parts:
            if not isinstance(part, Segment) or not part.is_name:
                parts.append(part)
                continue
            name = found(part.text)
            if name is not None:
                parts.append(replace(part, text=name))
            elif len(missing) < MOST_ISSUES:
                missing.append(_missing(part))
        if parts == list(self.parts):
            return self
        issues = sorted([*self.issues, *missing], key=lambda issue: issue.position)
        return replace(self, parts=tuple(parts), issues=tuple(issues))

    def require_clean(self) -> ParsedPrompt:
        """Return itself if there are no issues.

        Raises:
            PromptSyntaxError: the first issue, with a caret under its place.
        """
        for issue in self.issues:
            raise PromptSyntaxError(issue.message, self.source, issue.position, issue.remedy)
        return self


def _missing(part: Segment) -> Issue:
    message = f"there is no embedding {part.text!r}; its name is left out"
    return Issue(message, part.start, "Load its file: conditioner.load_inversion(file).")
