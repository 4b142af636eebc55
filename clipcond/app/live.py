"""Say of the prompts that are being typed how they are read: tokens, weights, what is wrong.

Nothing is encoded, so it takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypedDict

from clipcond.app import html
from clipcond.app.prompt_files import did_you_mean, file_named
from clipcond.app.settings import MOST_CHARACTERS
from clipcond.app.studio import Studio
from clipcond.app.wishes import Reading
from clipcond.app.wording import Language
from clipcond.conditioning.dialects import find_dialect
from clipcond.conditioning.explaining import Explainer
from clipcond.conditioning.report import ChunkReport, Report
from clipcond.conditioning.settled import DRAWN
from clipcond.errors import PromptError, PromptWarning
from clipcond.prompt import Break, Issue
from clipcond.prompt.scanner import gaps
from clipcond.prompt.text_layers import take_out

MOST_NOTES = 4  # under a field; `inspect` has them all


class Span(TypedDict):
    """A piece of a field to highlight; start and stop count as JavaScript does.

    `kind` is "weight", "syntax", "break", "network" or "missing"; `weight` that of the piece.
    """

    start: int
    stop: int
    kind: str
    weight: float


class FieldView(TypedDict):
    """What is shown of one field: its counter, its highlights, and as HTML what is said of it."""

    count: str
    full: bool
    spans: list[Span]
    notes: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One prompt, and how it is read.

    Args:
        negative: whether it is the negative prompt.
    """

    text: str
    negative: bool = False


def view_fields(
    studio: Studio, fields: Sequence[Field], reading: Reading, language: Language
) -> list[FieldView]:
    """Say of each field how it is read."""
    return [_view(studio, field, reading, language) for field in fields]


def count(chunks: Sequence[ChunkReport]) -> str:
    """Write how many tokens each chunk has of how many it can: "75/75 + 12/75"."""
    return " + ".join(f"{each.chunk.content}/{each.special.room}" for each in chunks)


def report_of(explainer: Explainer, field: Field) -> Report:
    """Explain a field alone, as `clipcond inspect` does."""
    if not field.negative:
        return explainer.explain(field.text)
    report = explainer.explain("", field.text).negative
    assert report is not None
    return report


def _view(studio: Studio, field: Field, reading: Reading, language: Language) -> FieldView:
    text = field.text
    if len(text) > MOST_CHARACTERS:
        message = language.said("This prompt has more than {} characters.", MOST_CHARACTERS)
        return FieldView(count="", full=True, spans=[], notes=html.block(message), is_error=True)
    try:
        report = report_of(studio.explainer(reading), field)
    except PromptError as error:
        return FieldView(
            count="", full=False, spans=[], notes=html.block(language.message(error)), is_error=True
        )
    missing = _missing_networks(studio, field, reading)
    has_networks = "<" in text and find_dialect(reading.dialect).takes_out
    networks = list(_network_spans(text, missing)) if has_networks else []
    spans = [*_spans(report, networks), *networks]
    found = (issue for issue in report.parsed.issues if issue.code not in DRAWN)
    issues = (*missing, *found)
    notes = [language.message(_warning(text, issue)) for issue in issues[:MOST_NOTES]]
    if len(issues) > MOST_NOTES:
        notes.append(language.said("{} more: see Inspect.", len(issues) - MOST_NOTES))
    last = report.chunks[-1]
    return FieldView(
        count=count(report.chunks),
        full=last.chunk.content == last.special.room,
        spans=_as_javascript_counts(text, spans),
        notes="".join(map(html.block, notes)),
        is_error=False,
    )


def _warning(text: str, issue: Issue) -> PromptWarning:
    return PromptWarning(issue.message, text, issue.position, issue.remedy)


def _missing_networks(studio: Studio, field: Field, reading: Reading) -> tuple[Issue, ...]:
    """Make an issue of each `<lora:x:1>` whose file is not in the folder."""
    if field.negative or "<" not in field.text or not studio.loads_loras(reading):
        return ()
    files = studio.loras
    found = []
    for network in take_out(field.text)[1]:
        words = field.text[network.start : network.stop]
        if network.kind != "lora":
            message, remedy = f"{words!r} is not loaded: only <lora:...> is", ""
        elif file_named(network.name, files) is None:
            message = f"there is no LoRA {network.name!r} in the folder"
            remedy = did_you_mean(network.name, files)
        else:
            continue
        found.append(Issue(message, network.start, remedy, "extra-network", (words,)))
    return tuple(found)


def _network_spans(text: str, missing: Sequence[Issue]) -> Iterator[Span]:
    lost = {issue.position for issue in missing}
    for network in take_out(text)[1]:
        kind = "missing" if network.start in lost else "network"
        yield Span(start=network.start, stop=network.stop, kind=kind, weight=1.0)


def _spans(report: Report, networks: Sequence[Span]) -> Iterator[Span]:
    """Yield the weighted pieces, and between all pieces and networks what is syntax."""
    source, at = report.parsed.source, 0
    for part in report.parsed.parts:
        yield from _syntax(source, at, part.start, networks)
        at = max(at, part.stop)
        if isinstance(part, Break):
            yield Span(start=part.start, stop=part.stop, kind="break", weight=1.0)
        elif part.weight != 1:
            weight = part.weight if part.weight == part.weight else 0.0
            yield Span(start=part.start, stop=part.stop, kind="weight", weight=weight)
    yield from _syntax(source, at, len(source), networks)


def _syntax(source: str, start: int, stop: int, networks: Sequence[Span]) -> Iterator[Span]:
    taken = ((each["start"], each["stop"]) for each in networks)
    inner = [(a, b) for a, b in taken if start <= a and b <= stop]
    for a, b in gaps(inner, start, stop):
        if source[a:b].strip():
            yield Span(start=a, stop=b, kind="syntax", weight=1.0)


def _as_javascript_counts(text: str, spans: Sequence[Span]) -> list[Span]:
    """Change places from characters to UTF-16 units, in which a browser counts."""
    if text.isascii():
        return list(spans)
    places = [0, *accumulate(2 if ord(character) > 0xFFFF else 1 for character in text)]
    return [
        Span(
            start=places[span["start"]],
            stop=places[span["stop"]],
            kind=span["kind"],
            weight=span["weight"],
        )
        for span in spans
    ]
