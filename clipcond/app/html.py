"""Write the small pieces of HTML that the page shows; all that visitors typed is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import accumulate

from clipcond.app.drawing import Progress
from clipcond.app.studio import Studio
from clipcond.app.wording import Language
from clipcond.conditioning.report import Report
from clipcond.errors import text_width
from clipcond.reading import PromptScore


def header(model: str, language: Language) -> str:
    """Write the head of the page: its name, the model, and the link to the other language."""
    other = ("/en/", "en", "English") if language.chinese else ("/zh/", "zh", "中文")
    return (
        '<header class="cp-head"><h1>clipcond</h1>'
        f'<p class="cp-model">{escape(model)}</p>'
        f'<a href="{other[0]}" lang="{other[1]}" hreflang="{other[1]}">{other[2]}</a></header>'
    )


def notes(texts: Iterable[str], kind: str = "note") -> str:
    """Write messages in monospace, so that a caret is under its place; "" if there are none."""
    blocks = "".join(map(block, texts))
    return f'<div class="cp-notes cp-{kind}" role="status">{blocks}</div>' if blocks else ""


def block(text: str) -> str:
    """Write one message, each caret under its character whatever the width of the letters.

    A terminal's Chinese characters are two columns wide; a browser's have the width of their font.
    So a copy of what is before the character, which cannot be seen, takes the place of the spaces.
    """
    lines = text.split("\n")
    if not any(re.fullmatch(r" +\^", line) for line in lines):
        return f'<pre class="cp-plain">{escape(text)}</pre>'
    written = [escape(line) for line in lines]
    for i, line in enumerate(lines[1:], 1):
        above = lines[i - 1]
        if re.fullmatch(r" +\^", line) and not above.isascii():
            columns = accumulate(map(text_width, above))
            n_before = sum(column < len(line) for column in columns)
            before = escape(above[:n_before])
            written[i] = f'<span class="cp-gap" aria-hidden="true">{before}</span>^'
    return "<pre>" + "\n".join(written) + "</pre>"


def error(text: str) -> str:
    """Write what went wrong."""
    return f'<div class="cp-notes cp-error" role="alert">{block(text)}</div>'


def line(text: str) -> str:
    """Write one line of status."""
    return f'<p class="cp-line" role="status">{escape(text)}</p>'


def progress(at: Progress, language: Language) -> str:
    """Write a bar, and which step of which picture it is."""
    text = language.said("Step {} of {}", at.done, at.steps)
    if at.count > 1:
        text = language.said("Picture {} of {}", at.number, at.count) + " · " + text
    share = f"{at.share:.0%}"
    return (
        f'<div class="cp-progress"><div class="cp-bar" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{share[:-1]}" aria-label="{escape(text)}">'
        f'<span style="width:{share}"></span></div><p class="cp-line">{escape(text)}</p></div>'
    )


def report(found: Report, language: Language) -> str:
    """Show a report: a part of the page, which runs no scripts and has its own style."""
    return found.html_fragment(words=language.report_words, reword=language.reworded)


def table(rows: Sequence[tuple[str, str, float | None]], label: str) -> str:
    """Write a table of names and numbers, each with a bar from 0 to 1 where it has one."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td>'
        + (
            f'<td aria-hidden="true"><span class="cp-share" '
            f'style="width:{min(max(share, 0.0), 1.0):.0%}"></span></td></tr>'
            if share is not None
            else "<td></td></tr>"
        )
        for name, value, share in rows
    )
    return f'<table class="cp-table" aria-label="{escape(label)}"><tbody>{body}</tbody></table>'


def score(found: PromptScore, language: Language) -> str:
    """Write a score, and that of each part with what it adds."""
    head = language.said("CLIP score of the whole prompt: {}", f"{found.score:.3f}")
    rows = [
        (
            part.text,
            f"{part.score:.3f}" + ("" if part.gain is None else f" ({part.gain:+.3f})"),
            part.score / 2.5,
        )
        for part in found.parts
    ]
    told = language.said("In brackets: what the part adds; below 0 the picture lacks it.")
    more = table(rows, head) + f'<p class="cp-hint">{escape(told)}</p>' if len(rows) > 1 else ""
    return f'<p class="cp-score">{escape(head)}</p>{more}'


def file_names(studio: Studio, language: Language) -> str:
    """Write the names of LoRAs and inversions as buttons, which add them to the prompt."""
    settings = studio.settings
    parts = []
    if settings.lora_dir is not None:
        loras = [(name, f"<lora:{name}:1>") for name in studio.loras]
        parts.append(_chips("LoRA", loras, language))
    if settings.embeddings_dir is not None:
        inversions = [(name, name) for name in studio.inversions]
        parts.append(_chips(language.said("Textual inversions"), inversions, language))
        refused = [f"{name}: {why}" for name, why in studio.refused.items()]
        parts.append(notes(refused))
    return "".join(parts)


def _chips(title: str, named: Sequence[tuple[str, str]], language: Language) -> str:
    empty = f'<p class="cp-hint">{escape(language.said("The folder has none."))}</p>'
    buttons = "".join(
        f'<button type="button" class="cp-chip" data-insert="{escape(text, quote=True)}">'
        f"{escape(name)}</button>"
        for name, text in named
    )
    return f"<h3>{escape(title)}</h3>{buttons or empty}"
