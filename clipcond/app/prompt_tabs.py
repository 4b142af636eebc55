"""Lay out the tabs about the prompts above: Inspect, Convert, Compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from clipcond.app import html
from clipcond.app.converting import TARGETS
from clipcond.app.draw_tab import DRAWING, DrawSettings, wish_of
from clipcond.app.handlers import Captioned, Desk
from clipcond.app.prompt_fields import PromptFields
from clipcond.conditioning.dialects import DIALECTS


def add_inspect_tab(desk: Desk, fields: PromptFields, tab: gr.Tab) -> None:
    """Show what is encoded, whenever the tab is opened or a field changes."""
    shown = gr.HTML(elem_id="cp-inspect")

    def inspect(prompt: str, negative: str, *reading: Any) -> str:
        return desk.inspect(prompt or "", negative or "", desk.reading(*reading))

    changes = [tab.select, *(text.blur for text in fields.texts)]
    changes += [choice.change for choice in fields.reading]
    gr.on(
        changes,
        inspect,
        [*fields.texts, *fields.reading],
        shown,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def add_convert_tab(desk: Desk, fields: PromptFields) -> None:
    """Write the prompts in another dialect, and take them over."""
    said = desk.language.said
    gr.HTML(_hint(said("Writes the prompts above, in their dialect, in that of another tool.")))
    with gr.Row(elem_classes="cp-small"):
        target = gr.Dropdown(
            list(TARGETS), value="compel", label=said("To"), elem_id="cp-target", min_width=200
        )
        convert = gr.Button(said("Convert"), variant="primary", elem_id="cp-convert", min_width=120)
        use = gr.Button(said("Use the result"), elem_id="cp-use", min_width=120)
    with gr.Row():
        prompt, negative = (
            gr.Textbox(
                label=label, lines=3, interactive=False, buttons=["copy"],
                elem_classes="cp-mono", elem_id=name,
            )
            for label, name in (
                (said("Prompt"), "cp-converted"), (said("Negative prompt"), "cp-converted-negative")
            )
        )  # fmt: skip
    lost = gr.HTML(elem_id="cp-lost")
    gr.on(
        [convert.click, target.input],
        lambda text, other, source, to: desk.convert((text or "", other or ""), source, to),
        [*fields.texts, fields.dialect, target],
        [prompt, negative, lost],
        queue=False,
        api_visibility="private",
    )
    use.click(
        _used,
        [prompt, negative, target],
        [*fields.texts, fields.dialect],
        queue=False,
        api_visibility="private",
    )


def _used(prompt: str, negative: str, target: str) -> tuple[object, ...]:
    if not prompt and not negative:
        return gr.skip(), gr.skip(), gr.skip()
    return prompt, negative, target if target in DIALECTS else gr.skip()


def add_compare_tab(desk: Desk, fields: PromptFields, settings: DrawSettings) -> None:
    """Draw the prompts above in several dialects with one seed."""
    said = desk.language.said
    gr.HTML(
        _hint(said("Draws the prompts above in each dialect, with one seed and Draw's settings."))
    )
    dialects = gr.CheckboxGroup(
        list(DIALECTS),
        value=["a1111", "comfyui", "compel"],
        label=said("Dialects"),
        elem_id="cp-dialects",
    )
    with gr.Row(elem_classes="cp-small"):
        compare = gr.Button(said("Compare"), variant="primary", elem_id="cp-compare", min_width=120)
        stop = gr.Button(said("Stop"), min_width=120)
    status = gr.HTML(elem_id="cp-compared-status")
    gallery = gr.Gallery(
        label=said("Pictures"),
        show_label=False,
        columns=4,
        height="auto",
        object_fit="contain",
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_id="cp-compared",
    )

    def begin(request: gr.Request) -> str:
        desk.stops.clear(str(request.session_hash))
        return html.line(said("Waiting for its turn ..."))

    def desk_stop(request: gr.Request) -> None:
        desk.stops.stop(str(request.session_hash))

    private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    compare.click(begin, None, status, queue=False, **private).then(
        _comparing(desk),
        [*fields.texts, *fields.reading, *settings.all, dialects],
        [status, gallery],
        concurrency_limit=1,
        concurrency_id=DRAWING,
        **private,
    )
    stop.click(desk_stop, queue=False, **private)


def _comparing(desk: Desk) -> Callable[..., Iterator[tuple[object, ...]]]:
    def compare(request: gr.Request, *values: Any) -> Iterator[tuple[object, ...]]:
        *own, dialects = values
        shown: Captioned | None = None
        for view in desk.compare(wish_of(desk, tuple(own)), dialects, str(request.session_hash)):
            yield view.status, gr.skip() if view.pictures == shown else view.pictures
            shown = view.pictures

    return compare


def _hint(text: str) -> str:
    return f'<p class="cp-hint">{text}</p>'
