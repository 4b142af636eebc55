"""Write what pages are made of: texts in the colours of their weights, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clipcond.conditioning.pages.wording import Wording


def write_flow(items: Iterable[tuple[str, float | None]], wording: Wording) -> str:
    """List texts, each with its weight; None = no text of the prompt, such as a break."""
    written = "".join(_item(*each, wording) for each in items)
    return f'<ol class="cc-flow" role="list">\n{written}\n</ol>'


def _item(text: str, weight: float | None, wording: Wording) -> str:
    shown = f'<span class="cc-text">{wording.text(text)}</span>'
    if weight is None:
        return f'<li class="cc-frame">{shown}</li>'
    return f'<li{colour(weight)}>{shown}<span class="cc-number">{weight:.4g}</span></li>'


def colour(weight: float) -> str:
    """Choose a colour: orange above 1, blue below 1, the stronger the farther from 1."""
    if weight == 1.0:
        return ""
    strength = min(abs(weight - 1.0), 1.0) if weight == weight else 1.0
    return f' class="cc-{"up" if weight > 1 else "down"}" style="--strength:{strength:.2f}"'


def write_table(
    name: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    head: int = 0,
    numbers: bool = True,
) -> str:
    """Write a table that scrolls by itself, with the keyboard too, where it is too wide.

    Args:
        name: what it is called, as HTML; so are the columns and the cells.
        head: the column that names a row.
        numbers: whether the others are numbers, which end at the right.
    """
    start = '<td class="cc-right">' if numbers else "<td>"
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    written = []
    for row in rows:
        cells = (
            f'<th scope="row">{cell}</th>' if i == head else f"{start}{cell}</td>"
            for i, cell in enumerate(row)
        )
        written.append(f"<tr>{''.join(cells)}</tr>\n")
    return (
        f'<div class="cc-scroll" tabindex="0" role="group" aria-label="{name}">\n'
        f"<table><caption>{name}</caption>\n<thead><tr>{heads}</tr></thead>\n"
        f"<tbody>\n{''.join(written)}</tbody></table></div>"
    )
