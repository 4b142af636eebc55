"""Gather what a report shows: what is encoded of a prompt, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from clipcond.chunking import TokenChunk, common_length, empty_chunk
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

Steps: TypeAlias = tuple[tuple[int, tuple[PartReport, ...]], ...]


def build_reports(
    plans: Sequence[Sequence[Plan]],
    layers: Sequence[HiddenLayer],
    texts: Sequence[Texts],
    reader: PromptReader,
    issues: Sequence[Sequence[Issue]],
    clip_skip: int | None,
    kept: Sequence[int] | None,
    measured: Sequence[Sequence[MeasuredRows]] | None = None,
) -> list[Report]:
    """Build the reports of a prompt and of its negative, if any: see `build_report`.

    Args:
        kept: the rows that are handed on; None = all.
    """
    steps = _equally_long(
        [
            _steps(each[0], text[0], reader, negative=i > 0)
            for i, (each, text) in enumerate(zip(plans, texts, strict=True))
        ],
        [each[0] for each in plans],
    )
    reports = [
        build_report(*each, layers, clip_skip, kept)
        for each in zip(plans, issues, steps, strict=True)
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
    issues: Sequence[Issue],
    steps: Steps,
    layers: Sequence[HiddenLayer],
    clip_skip: int | None,
    kept: Sequence[int] | None,
) -> Report:
    """Gather what a Report shows of one prompt.

    Args:
        plans, layers: one a tower.
        issues: of the prompt and of the towers that read it.
        steps: what a pipeline draws at each.
        clip_skip: what chose the layers; None = something else did.
        kept: the rows that are handed on; None = all.
    """
    reports = []
    for plan, layer in zip(plans, layers, strict=True):
        cutter = plan.cutter
        # a mixture's rows are of no chunk of its own
        own_kept = kept if plan.parsed.mixture is None else None
        rows = _rows([*plan.chunks * plan.n_times, *plan.empty], cutter, own_kept)
        parsed = replace(plan.parsed, issues=())
        tower = cutter.tower
        own = Report(parsed, rows, cutter.dialect.name, tower.name, layer, tower.depth)
        reports.append(replace(own, clip_skip=clip_skip, pooled=plan.pooled))
    return replace(
        reports[0],
        parsed=replace(plans[0].parsed, issues=in_order(issues)),
        steps=steps,
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


def _steps(plan: Plan, text: PromptText, reader: PromptReader, *, negative: bool) -> Steps:
    """Cut what a pipeline draws at each step, as the plan of the first tower cuts."""
    steps = []
    for until, parts in reader.timeline(text, negative=negative):
        shown = (
            PartReport(part, weight, _cut(part, plan, reader), i == 0 and part == text.text)
            for i, (part, weight) in enumerate(parts)
        )
        steps.append((until, tuple(shown)))
    return tuple(steps)


def _equally_long(steps: Sequence[Steps], plans: Sequence[Plan]) -> list[Steps]:
    """Bring all texts that a pipeline draws, and the negative's, to one number of chunks.

    Args:
        steps, plans: of the prompt and of its negative, if any; without steps the plan is drawn.
    """
    every = [part for own in steps for _, parts in own for part in parts]
    if not every:
        return list(steps)
    still = [len(plan.chunks) for plan, own in zip(plans, steps, strict=True) if not own]
    cutter = plans[0].cutter
    repeats, counts = cutter.dialect.repeats, {*still, *(len(part.chunks) for part in every)}
    n = common_length(counts, repeats=repeats)
    empty = _rows([empty_chunk(cutter.special)], cutter)

    def longer(part: PartReport) -> PartReport:
        n_own = len(part.chunks)
        n_times = n // n_own if repeats and n % n_own == 0 else 1
        return replace(part, chunks=part.chunks * n_times + empty * (n - n_times * n_own))

    return [tuple((until, tuple(map(longer, parts))) for until, parts in own) for own in steps]


def _cut(part: str, plan: Plan, reader: PromptReader) -> tuple[ChunkReport, ...]:
    """Cut the text of one condition as the plan's own."""
    cutter = plan.cutter
    with collect_warnings(shown=False):  # the report's issues are those of what is encoded
        chunks = cutter.chunks(reader.parse(PromptText(part)))
    return _rows(chunks, cutter)


def _rows(
    chunks: Sequence[TokenChunk], cutter: Cutter, kept: Sequence[int] | None = None
) -> tuple[ChunkReport, ...]:
    """Make the reports of chunks, of whose rows these are handed on; None = all."""
    pieces, special, rows = cutter.tower.tokenizer.pieces, cutter.special, []
    handed_on, length = set(kept or ()), special.context_length
    for i, each in enumerate(chunks):
        places = range(i * length, (i + 1) * length) if kept is not None else ()
        own = tuple(row in handed_on for row in places)
        rows.append(ChunkReport(tuple(pieces(each.input_ids)), each, special, handed_on=own))
    return tuple(rows)
