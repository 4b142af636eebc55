"""Lay out the prompts and how they are read: what is above all tabs."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from clipcond.app.handlers import Desk
from clipcond.app.settings import MOST_CHARACTERS
from clipcond.app.wishes import OWN
from clipcond.conditioning.dialects import DIALECTS

_AS_TEXT = {"spellcheck": False, "autocapitalize": "off", "autocomplete": "off"}
_NOTE_READING = "(dialect, tower, skip) => window.clipcond.read_as(dialect, tower, skip)"


@dataclass(frozen=True, slots=True)
class PromptFields:
    """The components above the tabs."""

    prompt: gr.Textbox
    negative: gr.Textbox
    dialect: gr.Dropdown
    tower: gr.Dropdown
    clip_skip: gr.Dropdown
    draw: gr.Button
    stop: gr.Button

    @property
    def texts(self) -> list[gr.Textbox]:
        """Prompt and negative."""
        return [self.prompt, self.negative]

    @property
    def reading(self) -> list[gr.Dropdown]:
        """How they are read: the arguments of `Desk.reading`."""
        return [self.dialect, self.tower, self.clip_skip]


def add_prompt_fields(desk: Desk) -> PromptFields:
    """Lay out the fields, and let their counters and highlights follow them."""
    said = desk.language.said
    with gr.Row(elem_id="cp-top"):
        with gr.Column(scale=5, min_width=320, elem_id="cp-prompts"):
            prompt = _text(said("Prompt"), "cp-prompt", 3)
            negative = _text(said("Negative prompt"), "cp-negative", 2)
        with gr.Column(scale=2, min_width=280, elem_id="cp-reading"):
            with gr.Row(elem_id="cp-buttons"):
                draw = gr.Button(said("Draw"), variant="primary", elem_id="cp-draw", min_width=80)
                stop = gr.Button(said("Stop"), elem_id="cp-stop", min_width=80)
            dialect = gr.Dropdown(
                list(DIALECTS), value="a1111", label=said("Dialect"), elem_id="cp-dialect"
            )
            with gr.Row():
                tower = gr.Dropdown(
                    _towers(desk),
                    value=_first_tower(desk),
                    label=said("Text tower"),
                    elem_id="cp-tower",
                    min_width=120,
                    visible=len(desk.studio.towers) > 1,
                )
                clip_skip = gr.Dropdown(
                    _clip_skips(desk),
                    value=0,
                    label=said("Clip skip"),
                    elem_id="cp-skip",
                    min_width=120,
                )
    fields = PromptFields(prompt, negative, dialect, tower, clip_skip, draw, stop)
    for text in fields.texts:
        text.change(None, js="() => window.clipcond.refresh()", api_visibility="private")
    for choice in fields.reading:
        choice.change(None, fields.reading, js=_NOTE_READING, api_visibility="private")
    return fields


def _text(label: str, name: str, lines: int) -> gr.Textbox:
    return gr.Textbox(
        label=label,
        elem_id=name,
        elem_classes="cp-text",
        lines=lines,
        max_lines=12,
        max_length=MOST_CHARACTERS,
        html_attributes=gr.InputHTMLAttributes(**_AS_TEXT),
    )


def _towers(desk: Desk) -> list[tuple[str, str]]:
    """Name the towers: those embedded by their languages."""
    said = desk.language.said
    names = {OWN: said("English") if desk.settings.model is None else said("the model's")}
    names |= {"embedded-zh": said("Chinese")}
    return [(names.get(tower, tower), tower) for tower in desk.studio.towers]


def _first_tower(desk: Desk) -> str:
    """Choose the tower at the start: for Chinese visitors of the embedded model the Chinese one."""
    chinese = desk.language.chinese and desk.settings.model is None
    return desk.studio.towers[-1] if chinese else OWN


def _clip_skips(desk: Desk) -> list[tuple[str, int]]:
    own = desk.studio.own
    first = desk.language.said("{} (the model's)", own["clip_skip"])
    return [(first, 0), *((str(n), n) for n in range(1, own["most_skip"] + 1))]
