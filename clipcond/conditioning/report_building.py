"""Gather what a report shows: what is encoded of a prompt, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from clipcond.chunking import TokenChunk
from clipcond.conditioning.plan import Cutter, Plan
from clipcond.conditioning.prompt_text import (
    PromptReader,
    PromptText,
    Texts,
    collect_warnings,
)
from clipcond.conditioning.report import ChunkReport, PartReport, Report
from clipcond.prompt import Issue
from clipcond.prompt.segments import in_order
from clipcond.towers.protocol import HiddenLayer

if TYPE_CHECKING:
    from clipcond.conditioning.movement import MeasuredRows


def build_reports(
    plans: Sequence[Sequence[Plan]],
    layers: Sequence[HiddenLayer],
    texts: Sequence[Texts],
    reader: PromptReader,
    issues: Sequence[Sequence[Issue]],
    clip_skip: int | None,
    measured: Sequence[Sequence[MeasuredRows]] | None = None,
) -> list[Report]:
    """Build the reports of a prompt and of its negative, if any: see `build_report`."""
    reports = [
        build_report(each, layers, text[0], reader, own, clip_skip, negative=i > 0)
        for i, (each, text, own) in enumerate(zip(plans, texts, issues, strict=True))
    ]
    if measured is None:
        return reports
    return [_with_measured(*each) for each in zip(reports, measured, strict=True)]


def _with_measured(report: Report, measured: Sequence[MeasuredRows]) -> Report:
    """Add to the reports of all towers what was measured of each."""
    own, *others = measured
    rows = zip(report.chunks, own.norms, own.movements, strict=True)
    chunks = tuple(replace(each, norms=n, movements=m) for each, n, m in rows)
    second = report.second and _with_measured(report.second, others)
    return replace(report, chunks=chunks, measured=own, second=second)


def build_report(
    plans: Sequence[Plan],
    layers: Sequence[HiddenLayer],
    text: PromptText,
    reader: PromptReader,
    issues: Sequence[Issue],
    clip_skip: int | None,
    *,
    negative: bool = False,
) -> Report:
    """Gather what a Report shows of one prompt.

    Args:
        plans, layers: one a tower.
        clip_skip: what chose the layers; None = something else did.
        text: what the first tower reads.
        reader: read it.
        issues: of the prompt and of the towers that read it.
        negative: it is a negative prompt.
    """
    steps = []
    for until, parts in reader.timeline(text, negative=negative):
        shown = (
            PartReport(part, weight, _cut(part, plans[0], reader), i == 0 and part == text.text)
            for i, (part, weight) in enumerate(parts)
        )
        steps.append((until, tuple(shown)))
    reports = []
    for plan, layer in zip(plans, layers, strict=True):
        cutter = plan.cutter
        rows = _rows([*plan.chunks * plan.n_times, *plan.empty], cutter)
        parsed = replace(plan.parsed, issues=())
        tower = cutter.tower
        own = Report(parsed, rows, cutter.dialect.name, tower.name, layer, tower.depth)
        reports.append(replace(own, clip_skip=clip_skip, pooled=plan.pooled))
    return replace(
        reports[0],
        parsed=replace(plans[0].parsed, issues=in_order(issues)),
        steps=tuple(steps),
        second=reports[1] if reports[1:] else None,
    )


def with_negative(report: Report, negative: Report, *, is_zero: bool) -> Report:
    """Add the report of the negative prompt, in whose place zeros are passed or not."""
    if is_zero:
        second = negative.second and _with_zeros(negative.second)
        negative = replace(_with_zeros(negative), second=second)
    return replace(report, negative=negative)


def _with_zeros(report: Report) -> Report:
    measured = report.measured and report.measured.zeroed()
    return replace(report, is_zero=True, measured=measured)


def _cut(part: str, plan: Plan, reader: PromptReader) -> tuple[ChunkReport, ...]:
    """Cut the text of one condition as the plan's own."""
    cutter = plan.cutter
    with collect_warnings(shown=False):  # the report's issues are those of what is encoded
        chunks = cutter.chunks(reader.parse(PromptText(part)))
    return _rows(chunks, cutter)


def _rows(chunks: Sequence[TokenChunk], cutter: Cutter) -> tuple[ChunkReport, ...]:
    pieces, special = cutter.tower.tokenizer.pieces, cutter.special
    return tuple(ChunkReport(tuple(pieces(c.input_ids)), c, special) for c in chunks)
