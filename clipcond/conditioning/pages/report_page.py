"""Write how one prompt is read as HTML: segments, issues, steps, and the chunks of each tower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipcond.conditioning.pages.chunks import write_chunks
from clipcond.conditioning.pages.parts import write_flow
from clipcond.conditioning.pages.text import excerpt_of, marked, spans_of
from clipcond.conditioning.pages.wording import MAX_ITEMS, Wording
from clipcond.conditioning.settled import DRAWN
from clipcond.prompt import Break, Part

if TYPE_CHECKING:
    from clipcond.conditioning.report import PartReport, Report

LEFT_OUT = "… and {} more, which the report's json() has"


def write_report(report: Report, wording: Wording) -> str:
    """Write a prompt and its negative, with the chunks of all towers."""
    sections = []
    for title, each in (("Prompt", report), ("Negative prompt", report.negative)):
        if each is not None:
            heading = wording.say(title)
            sections.append(
                f"<section>\n<h2>{heading}</h2>\n{write_prompt(each, wording)}</section>"
            )
    return "\n".join(sections)


def write_prompt(report: Report, wording: Wording) -> str:
    """Write one prompt: what was typed, how it is read, and what each tower encodes."""
    return f"{write_typed(report, wording)}\n{write_reading(report, wording)}"


def write_reading(report: Report, wording: Wording) -> str:
    """Write how a prompt is read, and what each tower encodes."""
    wording.begin()
    parts = [_segments(report.parsed.parts, wording), _issues(report, wording)]
    parts += [_steps(report, wording), _tower(report, wording)]
    second = report.second
    if second is not None:
        wording.begin()
        if second.parsed.parts != report.parsed.parts:
            parts.append(_segments(second.parsed.parts, wording))
        parts.append(_tower(second, wording))
    return "\n".join(filter(None, parts))


def write_typed(report: Report, wording: Wording) -> str:
    """Write the prompt as it was typed, with the places of its issues."""
    wording.begin()
    source = report.parsed.source
    n_shown = min(len(source), wording.n_characters)
    wording.n_characters -= n_shown
    spans = [
        span
        for number, issue in enumerate(report.parsed.issues[:MAX_ITEMS], 1)
        if issue.prompt in ("", source)
        for span in spans_of(issue, source, number)
    ]
    shown = marked(source, [span for span in spans if span[0] <= n_shown], 0, n_shown)
    more = wording.more(len(source) - n_shown, "… and {} more characters")
    empty = f'<span class="cc-soft">{wording.say("(empty)")}</span>'
    return f'<div class="cc-card"><p class="cc-prompt" dir="auto">{shown or empty}{more}</p></div>'


def _segments(parts: Sequence[Part], wording: Wording) -> str:
    """Write the segments in the colours of their weights."""
    if not parts:
        return ""
    items = [
        (wording.plain("new chunk"), None) if isinstance(part, Break) else (part.text, part.weight)
        for part in parts[: MAX_ITEMS * 4]
    ]
    heading = wording.say("Segments and their weights")
    more = wording.more(len(parts) - len(items), LEFT_OUT)
    return f"<h3>{heading}</h3>\n{write_flow(items, wording)}{more}"


def _issues(report: Report, wording: Wording) -> str:
    """List the issues: what is wrong, where, and what to do."""
    issues = report.parsed.issues
    if not issues:
        return ""
    items = []
    for number, issue in enumerate(issues[:MAX_ITEMS], 1):
        said, *remedy = wording.issue(f"{issue.message}\n{issue.remedy}".rstrip())
        source = issue.prompt or report.parsed.source
        place = excerpt_of(source, spans_of(issue, source, number)) if source else ""
        lines = [f"<strong>{wording.text(said)}</strong>"]
        if issue.code in DRAWN:
            lines[0] += (
                f' <span class="cc-badge">{wording.say("a pipeline draws all of it")}</span>'
            )
        lines += [f'<span class="cc-place">{place}</span>'] if place else []
        lines += [wording.text(line) for line in remedy]
        items.append(f'<li value="{number}">{"<br>".join(lines)}</li>')
    more = wording.more(len(issues) - len(items), LEFT_OUT)
    heading = wording.say("Not read or not done as written")
    return f'<h3>{heading}</h3>\n<ol class="cc-issues">\n{"".join(items)}\n</ol>{more}'


def _steps(report: Report, wording: Wording) -> str:
    """Write what is drawn at which steps, as a time line."""
    if not report.steps:
        return ""
    n_steps, items = report.steps[-1][0], []
    for first, last, parts in report.drawn_steps:
        name = wording.say("Steps {} to {} of {}", first, last, n_steps)
        if first == last:
            name = wording.say("Step {} of {}", first, n_steps)
        share = f"--from:{(first - 1) / n_steps:.4f};--share:{(last - first + 1) / n_steps:.4f}"
        line = f'<span class="cc-line" aria-hidden="true"><span style="{share}"></span></span>'
        shown = "".join(_part(part, len(parts), wording) for part in parts[:MAX_ITEMS])
        more = wording.more(len(parts) - MAX_ITEMS, LEFT_OUT)
        items.append(f'<li><b>{name}</b>{line}<ul class="cc-parts">{shown}</ul>{more}</li>')
    heading = wording.say("What a pipeline draws at each step")
    return f'<h3>{heading}</h3>\n<ol class="cc-steps cc-card" role="list">\n{"".join(items)}\n</ol>'


def _part(part: PartReport, n_parts: int, wording: Wording) -> str:
    """Write one condition: its text, its weight if there are several, how full its chunks are."""
    counts = " + ".join(chunk.share for chunk in part.chunks[:MAX_ITEMS])
    counts += " + …" if len(part.chunks) > MAX_ITEMS else ""
    written = [f'<span class="cc-text">{wording.text(part.text)}</span>']
    if n_parts > 1:
        written.append(f"<b>{wording.say('weight {}', f'{part.weight:.4g}')}</b>")
    written.append(f'<span class="cc-count">{wording.say("{} tokens", counts)}</span>')
    if part.is_encoded:
        written.append(f'<span class="cc-badge">{wording.say("shown below")}</span>')
    return f"<li>{' '.join(written)}</li>"


def _tower(report: Report, wording: Wording) -> str:
    """Write what one tower encodes: its layer in words, its chunks."""
    listed = "".join(
        f"<div><dt>{wording.say(name)}</dt><dd>{wording.text(value)}</dd></div>"
        for name, value in facts_of(report, wording).items()
    )
    heading = wording.say("What tower {} encodes", report.tower)
    zeros = (
        f"<p>{wording.say('Zeros are passed; nothing is encoded.')}</p>" if report.is_zero else ""
    )
    chunks = _legend(report, wording) + write_chunks(report.encoded, wording)
    return f'<h3>{heading}</h3>\n<dl class="cc-facts">{listed}</dl>\n{zeros}{chunks}'


def facts_of(report: Report, wording: Wording) -> dict[str, str]:
    """Say what reads and encodes a prompt, and how much it is."""
    n_kept, n_rows = report.n_rows
    kept = {"Rows handed on": wording.plain("{} of {}", n_kept, n_rows)} if n_kept < n_rows else {}
    return {
        "Dialect": report.dialect,
        "Layer": _layer(report, wording),
        "Pooled vector": _pooled(report, wording),
        "Chunks": str(len(report.encoded)),
        "Tokens": str(sum(each.chunk.content for each in report.encoded)),
        **kept,
    }


def _legend(report: Report, wording: Wording) -> str:
    """Say what the colours and numbers of the tokens mean, if there are any."""
    said = []
    if any(each.chunk.is_weighted for each in report.encoded):
        said.append(wording.say("Orange: a weight above 1. Blue: a weight below 1."))
    if report.encoded and report.encoded[0].movements:
        template = "Δ: how far the weights move a token's row, relative to its length at weight 1."
        said.append(wording.say(template))
    return f'<p class="cc-soft">{" ".join(said)}</p>\n' if said else ""


def _layer(report: Report, wording: Wording) -> str:
    """Say in words which layer is read."""
    depth, n_layers = report.layer.depth, report.n_layers
    block = n_layers - depth + 1
    templates = {1: "block {} of {}, the last", 2: "block {} of {}, the last but one"}
    said = wording.plain(templates.get(depth, "block {} of {}"), block, n_layers)
    norm = (
        "{}, with the final layer norm"
        if report.layer.final_norm
        else "{}, without the final layer norm"
    )
    said = wording.plain(norm, said)
    skip = report.clip_skip
    return said if skip is None else wording.plain("{} (clip skip {})", said, skip)


def _pooled(report: Report, wording: Wording) -> str:
    """Say in words which chunk gives the pooled vector."""
    if report.is_zero or report.pooled is None:
        return wording.plain("zeros" if report.is_zero else "not used")
    ids = [each.chunk.input_ids for each in report.chunks]
    if report.pooled.input_ids in ids:
        number = ids.index(report.pooled.input_ids) + 1
        return wording.plain("from chunk {}, without weights", number)
    return wording.plain("from the prompt read without syntax")
