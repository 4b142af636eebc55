"""Write what differs between two prompts, or two readings of one, as HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from clipcond.conditioning.pages.parts import colour, write_table
from clipcond.conditioning.pages.report_page import (
    LEFT_OUT,
    facts_of,
    write_prompt,
    write_reading,
    write_typed,
)
from clipcond.conditioning.pages.wording import Wording

if TYPE_CHECKING:
    from clipcond.conditioning.comparison import (
        Comparison,
        Difference,
        Distance,
        TokenPair,
        TokenPlace,
    )
    from clipcond.conditioning.report import Report

MOST_ALIKE = 40  # tokens in a row that are the same: of more, the first and last ten are shown
ENDS = 10
MAX_ROWS = 500  # tokens that differ, in the table
MAX_OPEN = 12  # a longer table is folded up at first
SIDES = ("A", "B")


def write_comparison(comparison: Comparison, wording: Wording) -> str:
    """Write both prompts, what differs for each tower, and how both are read, side by side."""
    parts = [_sides(comparison, "Prompt {}", write_typed, wording)]
    parts.append(f"<section>\n<h2>{wording.say('What differs')}</h2>")
    for title, differences in (
        ("Tower {}", comparison.towers),
        ("Tower {}, negative prompt", comparison.negatives),
    ):
        for i, each in enumerate(differences):
            is_told = i > 0 and each.changes == differences[0].changes
            parts.append(_difference(each, title, wording, known=is_told))
    parts.append("</section>")
    parts.append(_sides(comparison, "How prompt {} is read", write_reading, wording))
    negatives = comparison.first.negative, comparison.second.negative
    for name, negative in zip(SIDES, negatives, strict=True):
        if negative is not None:
            heading = wording.say("Negative prompt of {}", name)
            body = write_prompt(negative, wording)
            parts.append(f"<section>\n<h2>{heading}</h2>\n{body}\n</section>")
    return "\n".join(parts)


def _sides(
    comparison: Comparison,
    title: str,
    write: Callable[[Report, Wording], str],
    wording: Wording,
) -> str:
    """Write both reports, side by side where there is room."""
    shown = [
        f"<section>\n<h2>{wording.say(title, name)}</h2>\n{write(report, wording)}\n</section>\n"
        for name, report in zip(SIDES, (comparison.first, comparison.second), strict=True)
    ]
    return f'<div class="cc-sides">\n{"".join(shown)}</div>'


def _difference(difference: Difference, title: str, wording: Wording, *, known: bool) -> str:
    """Write what differs for one tower; `known`: the tokens are those of the tower above."""
    wording.begin()
    n = len(difference.changes)
    said = wording.say("Tokens that differ: {}.", n) if n else wording.say("No token differs.")
    same = wording.say("Tokens that are the same: {}.", len(difference.pairs) - n)
    parts = [f"<h3>{wording.say(title, difference.first.tower)}</h3>", f"<p>{said} {same}</p>"]
    if not difference.is_aligned:
        template = "Too many tokens differ to be aligned: all of them count as removed and added."
        parts.append(f"<p>{wording.say(template)}</p>")
    parts += [f"<p>{wording.text(line)}</p>" for line in wording.issue(difference.hint)]
    parts.append(_facts(difference, wording))
    if n and known:
        parts.append(
            f"<p>{wording.say('The tokens that differ are those of the tower above.')}</p>"
        )
    elif n:
        parts += [_flow(difference.pairs, wording), _changes(difference.changes, wording)]
    if difference.chunks:
        parts.append(_distances(difference, wording))
    return "\n".join(parts)


def _facts(difference: Difference, wording: Wording) -> str:
    """Write what reads and encodes each of them."""
    first, second = (facts_of(each, wording) for each in (difference.first, difference.second))
    rows = [
        [wording.say(name), wording.text(value), wording.text(second[name])]
        for name, value in first.items()
    ]
    columns = [wording.say("Choice"), *SIDES]
    return write_table(wording.say("How each is encoded"), columns, rows, numbers=False)


def _flow(pairs: Sequence[TokenPair], wording: Wording) -> str:
    """Write all tokens in order, those marked that differ; most of a long run alike left out."""
    items = []
    for is_same, group in groupby(pairs, lambda pair: not pair.change):
        run = list(group)
        n_left = len(run) - 2 * ENDS if is_same and len(run) > MOST_ALIKE else 0
        for start, stop in ((0, ENDS), (len(run) - ENDS, len(run))) if n_left else ((0, len(run)),):
            shown = run[start : min(stop, start + max(0, wording.n_tokens))]
            wording.n_tokens -= len(shown)
            items += [_token(pair, wording) for pair in shown]
            if n_left and not start:
                left_out = wording.say("… {} the same …", n_left)
                items.append(f'<li class="cc-frame">{left_out}</li>')
    legend = wording.say("− only in A, + only in B, → another weight or chunk in B")
    more = "" if wording.n_tokens > 0 else f"<p>{wording.say('… and more')}</p>"
    flow = f'<ol class="cc-flow cc-card" role="list">\n{"".join(items)}\n</ol>'
    return f'<p class="cc-soft">{legend}</p>\n{flow}{more}'


def _token(pair: TokenPair, wording: Wording) -> str:
    token = f'<span class="cc-text">{wording.token(pair.token)}</span>'
    first, second = pair.first, pair.second
    if first is None or second is None:
        place = first or second
        assert place is not None  # a token is in one of them
        tag, sign = ("del", "−") if second is None else ("ins", "+")
        number = "" if place.weight == 1 else f'<span class="cc-number">{place.weight:.4g}</span>'
        return f'<li class="cc-{tag}"><b>{sign}</b><{tag}>{token}</{tag}>{number}</li>'
    if "weight" in pair.change:
        number = f'<span class="cc-number">{first.weight:.4g} → {second.weight:.4g}</span>'
        return f"<li{colour(second.weight)}>{token}{number}</li>"
    if pair.change:
        moved = wording.say("chunk {} → {}", first.chunk + 1, second.chunk + 1)
        return f'<li>{token}<span class="cc-number">{moved}</span></li>'
    return f"<li>{token}</li>"


def _changes(changes: Sequence[TokenPair], wording: Wording) -> str:
    """List the tokens that differ, where and with which weight each report has them."""
    columns = ("Change", "Token", "Chunk in A", "Weight in A", "Chunk in B", "Weight in B")
    rows = (
        [
            wording.say(pair.change),
            wording.token(pair.token),
            *_place(pair.first),
            *_place(pair.second),
        ]
        for pair in changes[:MAX_ROWS]
    )
    name = wording.say("Tokens that differ, in numbers")
    table = write_table(name, [wording.say(each) for each in columns], rows, head=1)
    more, is_open = wording.more(len(changes) - MAX_ROWS, LEFT_OUT), len(changes) <= MAX_OPEN
    start = "<details open>" if is_open else "<details>"
    return f"{start}<summary>{name}</summary>\n{table}{more}\n</details>"


def _place(place: TokenPlace | None) -> tuple[str, str]:
    return ("", "") if place is None else (str(place.chunk + 1), f"{place.weight:.4g}")


def _distances(difference: Difference, wording: Wording) -> str:
    """Write how far the embeds of each chunk differ, and the pooled vectors."""
    named: list[tuple[str, Distance | None]] = [
        (wording.say("Chunk {}", i), each) for i, each in enumerate(difference.chunks[:MAX_ROWS], 1)
    ]
    if difference.pooled is not None:
        named.append((wording.say("Pooled vector"), difference.pooled))
    columns = [wording.say(each) for each in ("Part", "Largest difference", "Relative to A")]
    rows = [
        [name, *(("–", "–") if each is None else (f"{each.max:.4g}", f"{each.relative:.4g}"))]
        for name, each in named
    ]
    table = write_table(wording.say("How far the embeds differ"), columns, rows)
    return table + wording.more(len(difference.chunks) - MAX_ROWS, LEFT_OUT)
