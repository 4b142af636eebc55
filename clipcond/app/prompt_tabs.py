"""Lay out the tabs about the prompts above: Inspect, Convert, Compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from clipcond.app import html
from clipcond.app.converting import TARGETS
from clipcond.app.draw_tab import DRAWING, DrawSettings, wish_of
from clipcond.app.handlers import Captioned, Desk
from clipcond.app.prompt_fields import PromptFields
from clipcond.conditioning.dialects import DIALECTS


def add_inspect_tab(desk: Desk, fields: PromptFields, settings: DrawSettings, tab: gr.Tab) -> None:
    """Show what is encoded, whenever the tab is opened or a field changes, and what it draws."""
    shown = gr.HTML(elem_id="cp-inspect")
    _heat_maps(desk, fields, settings)

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
    _draw_here(
        desk,
        (said("Compare"), "cp-compare"),
        "cp-compared-status",
        gr.Gallery(
            label=said("Pictures"),
            show_label=False,
            columns=4,
            height="auto",
            object_fit="contain",
            interactive=False,
            buttons=["download", "fullscreen"],
            elem_id="cp-compared",
            render=False,
        ),
        _comparing(desk),
        [*fields.texts, *fields.reading, *settings.all, dialects],
    )


def _heat_maps(desk: Desk, fields: PromptFields, settings: DrawSettings) -> None:
    """Draw the prompts above once, and show where each word drew."""
    said = desk.language.said
    gr.HTML(
        _hint(said("Draws the prompts above with Draw's settings, and shows where each word drew."))
    )
    _draw_here(
        desk,
        (said("Heat maps"), "cp-heat-draw"),
        "cp-heat-status",
        gr.Image(
            type="filepath",
            show_label=False,
            interactive=False,
            visible=False,
            buttons=["download", "fullscreen"],
            elem_id="cp-heat-shown",
            render=False,
        ),
        _heating(desk),
        [*fields.texts, *fields.reading, *settings.all],
    )


def _draw_here(
    desk: Desk,
    button: tuple[str, str],
    status_id: str,
    shown: gr.Gallery | gr.Image,
    draw: Callable[..., Iterator[tuple[object, ...]]],
    inputs: list[gr.components.Component],
) -> None:
    """Lay out a button that draws, one that stops, and what comes of it.

    Args:
        button: its text and id.
        shown: where the pictures go; `draw` gives a status and what is shown.
    """
    said = desk.language.said
    with gr.Row(elem_classes="cp-small"):
        begin = gr.Button(button[0], variant="primary", elem_id=button[1], min_width=120)
        stop = gr.Button(said("Stop"), min_width=120)
    status = gr.HTML(elem_id=status_id)
    shown.render()

    def wait(request: gr.Request) -> str:
        desk.stops.clear(str(request.session_hash))
        return html.line(said("Waiting for its turn ..."))

    def desk_stop(request: gr.Request) -> None:
        desk.stops.stop(str(request.session_hash))

    private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    begin.click(wait, None, status, queue=False, **private).then(
        draw,
        inputs,
        [status, shown],
        concurrency_limit=1,
        concurrency_id=DRAWING,
        **private,
    )
    stop.click(desk_stop, queue=False, **private)


def _heating(desk: Desk) -> Callable[..., Iterator[tuple[object, ...]]]:
    def heat(request: gr.Request, *values: Any) -> Iterator[tuple[object, ...]]:
        wish = replace(wish_of(desk, values), heat_maps=True, count=1)
        for view in desk.draw(wish, str(request.session_hash)):
            sheets = view.pictures[1:]  # the first is the picture itself
            yield view.status, gr.update(value=sheets[0][0], visible=True) if sheets else gr.skip()

    return heat


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
