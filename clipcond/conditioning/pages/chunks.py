"""Write the chunks of a tower as HTML: tokens in the colours of their weights, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipcond.conditioning.pages.parts import colour, write_table
from clipcond.conditioning.pages.wording import Wording

if TYPE_CHECKING:
    from clipcond.conditioning.report import ChunkReport


def write_chunks(chunks: Sequence[ChunkReport], wording: Wording) -> str:
    """Write chunks as far as the page has room for their tokens; equal empty ones once."""
    shown, start = list[str](), 0
    while start < len(chunks) and wording.n_tokens >= len(chunks[start].kept):
        first, stop = chunks[start], start + 1
        while not first.chunk.content and stop < len(chunks) and chunks[stop].chunk == first.chunk:
            stop += 1
        name = wording.say("Chunk {}", stop)
        if stop > start + 1:
            name = wording.say("Chunks {} to {}, all alike", start + 1, stop)
        wording.n_tokens -= len(first.kept)
        shown.append(_chunk(name, first, wording))
        start = stop
    if start < len(chunks):
        n_tokens = sum(each.chunk.content for each in chunks[start:])
        template = "… and {} more chunks with {} tokens, which the report's json() has"
        said = wording.say(template, len(chunks) - start, n_tokens)
        shown.append(f'<p class="cc-soft">{said}</p>')
    return "\n".join(shown)


def _chunk(name: str, report: ChunkReport, wording: Wording) -> str:
    share = f"--share:{report.chunk.content / report.special.room:.4f}"
    n_padding = len(report.tokens) - len(report.kept)
    rest = f'<p class="cc-soft">{wording.say("and {} of padding", n_padding)}</p>\n'
    return f"""<div class="cc-card">
<h4>{name} <span class="cc-count">{wording.say("{} tokens", report.share)}</span></h4>
<span class="cc-fill" aria-hidden="true"><span style="{share}"></span></span>
<ol class="cc-flow" role="list">
{"".join(_token(report, place, wording) for place in report.kept)}
</ol>
{rest if n_padding else ""}<details><summary>{wording.say("In numbers")}</summary>
{_table(name, report, wording)}
</details>
</div>"""


def _token(report: ChunkReport, place: int, wording: Wording) -> str:
    chunk, shown = (
        report.chunk,
        f'<span class="cc-text">{wording.token(report.tokens[place])}</span>',
    )
    if chunk.segments[place] < 0:
        return f'<li class="cc-frame">{shown}</li>'
    weight = chunk.weights[place]
    number = "" if weight == 1.0 else f'<span class="cc-number">{weight:.4g}</span>'
    moved = ""
    if report.movements and report.movements[place]:
        moved = f'<span class="cc-moved">Δ {report.movements[place]:.3g}</span>'
    return f"<li{colour(weight)}>{shown}{number}{moved}</li>"


def _table(name: str, report: ChunkReport, wording: Wording) -> str:
    names = ["Place", "Token", "Id", "Weight", *(("Norm", "Moved") if report.norms else ())]
    columns, rows = [wording.say(each) for each in names], []
    for place in report.kept:
        cells = [str(place), wording.token(report.tokens[place])]
        cells += [str(report.chunk.input_ids[place]), f"{report.chunk.weights[place]:.4g}"]
        if report.norms:
            cells += [f"{report.norms[place]:.4g}", f"{report.movements[place]:.3g}"]
        rows.append(cells)
    return write_table(name, columns, rows, head=1)
