"""Lay out the tab that reads pictures."""

from __future__ import annotations

from typing import Any

import gradio as gr

from clipcond.app.draw_tab import DRAWING, DrawTab
from clipcond.app.handlers import Captioned, Desk
from clipcond.app.inputs import as_handed_in
from clipcond.app.prompt_fields import PromptFields

_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_WORK: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": DRAWING, **_PRIVATE}


def add_read_tab(desk: Desk, fields: PromptFields, draw: DrawTab, tabs: gr.Tabs) -> None:
    """Lay out what can be asked about a picture."""
    said = desk.language.said
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            picture = gr.Image(
                label=said("Picture"),
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard"],
                height=320,
                buttons=[],
                elem_id="cp-picture",
            )
            as_handed_in(picture)
        with gr.Column(scale=3, min_width=300):
            facts = gr.Textbox(
                label=said("Made with (PNG info)"), lines=4, max_lines=10, interactive=False,
                buttons=["copy"], elem_classes="cp-mono", elem_id="cp-info",
            )  # fmt: skip
            wrong = gr.HTML(elem_id="cp-info-wrong")
            use = gr.Button(said("Use these settings"), size="sm", elem_id="cp-send")
    with gr.Row():
        shown = [_classify(desk, picture)]
        shown += _interrogate(desk, picture, fields)
        shown += [_score(desk, picture, fields)]

    def info(path: str | None) -> tuple[str, ...]:
        return *desk.info(path), *("" for _ in shown)  # those of the picture before go

    picture.change(info, picture, [facts, wrong, *shown], queue=False, **_PRIVATE)
    _send(desk, use, facts, fields, draw, tabs)
    _send(desk, draw.use_all, draw.facts, fields, draw, tabs)

    def read(pictures: Captioned, text: str) -> tuple[object, object]:
        shown = [path for path, _ in pictures if desk.parameters_of([(path, "")], 0) == text]
        if not shown:
            return gr.skip(), gr.skip()
        return shown[0], gr.update(selected="read")

    # In the queue: without it, gradio gives pictures an address that lacks the page's own path.
    draw.read.click(read, [draw.pictures, draw.facts], [picture, tabs], **_PRIVATE)


def _classify(desk: Desk, picture: gr.Image) -> gr.HTML:
    said = desk.language.said
    with gr.Column(min_width=280, elem_classes="cp-card"):
        labels = gr.Textbox(
            label=said("Labels, with commas between them"),
            value=said("cat, dog, owl"),
            elem_id="cp-labels",
        )
        button = gr.Button(said("Classify"), size="sm", elem_id="cp-classify")
        shown = gr.HTML(elem_id="cp-classified")
    button.click(desk.classify, [picture, labels], shown, **_WORK)
    return shown


def _interrogate(desk: Desk, picture: gr.Image, fields: PromptFields) -> list[gr.Component]:
    said = desk.language.said
    with gr.Column(min_width=280, elem_classes="cp-card"):
        found = gr.Textbox(
            label=said("A prompt for this picture"), lines=2, interactive=False, buttons=["copy"],
            elem_id="cp-interrogated",
        )  # fmt: skip
        with gr.Row():
            button = gr.Button(said("Interrogate"), size="sm", elem_id="cp-interrogate")
            use = gr.Button(said("Use as prompt"), size="sm")
        wrong = gr.HTML()
    button.click(desk.interrogate, [picture, fields.dialect], [found, wrong], **_WORK)
    use.click(lambda text: text or gr.skip(), found, fields.prompt, queue=False, **_PRIVATE)
    return [found, wrong]


def _score(desk: Desk, picture: gr.Image, fields: PromptFields) -> gr.HTML:
    said = desk.language.said
    with gr.Column(min_width=280, elem_classes="cp-card"):
        prompt = gr.Textbox(
            label=said("Prompt to score"),
            placeholder=said("empty: the picture's own"),
            elem_id="cp-scored",
        )
        button = gr.Button(said("CLIP score"), size="sm", elem_id="cp-score")
        shown = gr.HTML(elem_id="cp-score-shown")
    button.click(desk.score, [picture, prompt, fields.dialect], shown, **_WORK)
    return shown


def _send(
    desk: Desk,
    button: gr.Button,
    facts: gr.Textbox,
    fields: PromptFields,
    draw: DrawTab,
    tabs: gr.Tabs,
) -> None:
    """Let a button put what a picture was made with into the fields."""
    settings = draw.settings
    numbers = [settings.steps, settings.guidance, settings.scheduler, settings.spacing]
    numbers += [settings.seed, settings.width, settings.height]

    def send(text: str) -> tuple[object, ...]:
        if not text.strip():
            return tuple(gr.skip() for _ in outputs)
        found, said = desk.send(text)
        values = [None] * len(changed) if found is None else found[:-1]
        kept = (gr.skip() if value is None else value for value in values)
        return *kept, said, gr.update(selected="draw")

    changed = [*fields.texts, *fields.reading, *numbers]
    outputs = [*changed, draw.status, tabs]
    button.click(send, facts, outputs, queue=False, **_PRIVATE)
