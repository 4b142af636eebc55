"""Lay out the tab that draws, and connect it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from clipcond.app import html
from clipcond.app.handlers import Captioned, Desk, DrawView
from clipcond.app.inputs import as_typed
from clipcond.app.prompt_fields import PromptFields
from clipcond.app.settings import MAX_GUIDANCE, MAX_SEED, MOST_PICTURES, MOST_STEPS
from clipcond.app.wishes import OWN, Wish
from clipcond.pipelines.schedulers import SCHEDULERS, SPACINGS

DRAWING = "drawing"  # what takes the model's time waits for its turn


@dataclass(frozen=True, slots=True)
class DrawSettings:
    """The components of the numbers that a drawing takes."""

    steps: gr.Slider
    guidance: gr.Slider
    seed: gr.Number
    width: gr.Number
    height: gr.Number
    count: gr.Number
    scheduler: gr.Dropdown
    spacing: gr.Dropdown

    @property
    def all(self) -> list[gr.components.Component]:
        """In the order of `Desk.wish`."""
        return [
            *(self.steps, self.guidance, self.seed, self.width, self.height, self.count),
            *(self.scheduler, self.spacing),
        ]


@dataclass(frozen=True, slots=True)
class DrawTab:
    """The components that other tabs need."""

    settings: DrawSettings
    status: gr.HTML
    facts: gr.Textbox
    pictures: gr.State
    use_all: gr.Button
    read: gr.Button


def add_draw_tab(desk: Desk, fields: PromptFields, tabs: gr.Tabs) -> DrawTab:
    """Lay out settings and gallery."""
    said = desk.language.said
    pictures, last_seed = gr.State([]), gr.State(None)
    with gr.Row(elem_id="cp-drawing"):
        with gr.Column(scale=2, min_width=300, elem_id="cp-settings"):
            settings, random, reuse = _settings(desk)
            heat = gr.Checkbox(label=said("Heat maps: what each word drew"), elem_id="cp-heat")
            _files(desk)
        with gr.Column(scale=3, min_width=300, elem_id="cp-results"):
            status = gr.HTML(elem_id="cp-status")
            gallery = gr.Gallery(
                label=said("Pictures"),
                show_label=False,
                columns=4,
                object_fit="contain",
                height=420,
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="cp-gallery",
            )
            facts = gr.Textbox(
                label=said("Made with"),
                lines=4,
                max_lines=10,
                interactive=False,
                buttons=["copy"],
                elem_id="cp-facts",
                elem_classes="cp-mono",
            )
            with gr.Row(elem_classes="cp-small"):
                use_all = gr.Button(said("Use these settings"), size="sm", min_width=120)
                read = gr.Button(said("Read this picture"), size="sm", min_width=120)
    random.click(lambda: -1, None, settings.seed, queue=False, api_visibility="private")
    reuse.click(
        lambda last: gr.skip() if last is None else last,
        last_seed,
        settings.seed,
        queue=False,
        api_visibility="private",
    )
    inputs = [*fields.texts, *fields.reading, *settings.all, heat]
    _connect(desk, fields, inputs, tabs, (status, gallery, pictures, last_seed, facts))
    gallery.select(
        _chosen(desk), pictures, facts, queue=False, show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip
    return DrawTab(settings, status, facts, pictures, use_all, read)


def _settings(desk: Desk) -> tuple[DrawSettings, gr.Button, gr.Button]:
    said, own = desk.language.said, desk.studio.own
    width, height = own["size"]
    with gr.Row():
        steps = gr.Slider(
            1, MOST_STEPS, own["steps"], step=1, label=said("Steps"), buttons=[], min_width=200
        )
        guidance = gr.Slider(
            0, min(30, MAX_GUIDANCE), own["guidance"], step=0.5, label=said("Guidance (CFG)"),
            buttons=[], min_width=200,
        )  # fmt: skip
    scheduler, spacing = _sampling(desk)
    with gr.Row(elem_id="cp-seed-row"):
        seed = gr.Number(
            -1, label=said("Seed (-1 = random)"), precision=0, minimum=-1, maximum=MAX_SEED,
            min_width=140, elem_id="cp-seed",
        )  # fmt: skip
        random = gr.Button(said("Random"), size="sm", min_width=80, elem_id="cp-random")
        reuse = gr.Button(said("Reuse last"), size="sm", min_width=80, elem_id="cp-reuse")
    with gr.Row():
        numbers = {"precision": 0, "min_width": 80}
        wide = gr.Number(width, label=said("Width"), minimum=8, step=8, **numbers)
        high = gr.Number(height, label=said("Height"), minimum=8, step=8, **numbers)
        n = gr.Number(
            1, label=said("Count"), minimum=1, maximum=MOST_PICTURES, elem_id="cp-count", **numbers
        )
    for field in (steps, guidance, seed, wide, high, n):
        as_typed(field)
    settings = DrawSettings(steps, guidance, seed, wide, high, n, scheduler, spacing)
    return settings, random, reuse


def _sampling(desk: Desk) -> tuple[gr.Dropdown, gr.Dropdown]:
    said, own = desk.language.said, desk.studio.own
    # below each other: next to each other, long choices would not fit
    scheduler = gr.Dropdown(
        [(said("{} (the model's)", own["scheduler"]), OWN), *((n, n) for n in SCHEDULERS)],
        value=OWN,
        label=said("Sampler"),
        elem_id="cp-scheduler",
    )
    spacing = gr.Dropdown(
        [(said("{} (the model's)", own["spacing"]), OWN), *((n, n) for n in SPACINGS)],
        value=OWN,
        label=said("Timestep spacing"),
        elem_id="cp-spacing",
    )
    return scheduler, spacing


def _files(desk: Desk) -> None:
    """Offer the names of LoRAs and inversions, which a click adds to the prompt."""
    settings, said = desk.settings, desk.language.said
    if settings.lora_dir is None and settings.embeddings_dir is None:
        return
    with gr.Accordion(said("LoRAs and textual inversions"), open=False, elem_id="cp-files"):
        shown = gr.HTML(html.file_names(desk.studio, desk.language))
        again = gr.Button(said("Look for new files"), size="sm")
    again.click(lambda: _look(desk), None, shown, queue=False, api_visibility="private")


def _look(desk: Desk) -> str:
    desk.studio.look_for_files()
    return html.file_names(desk.studio, desk.language)


def _connect(
    desk: Desk,
    fields: PromptFields,
    inputs: list[gr.components.Component],
    tabs: gr.Tabs,
    outputs: tuple[gr.components.Component, ...],
) -> None:
    """Let the buttons draw and stop."""
    waiting = html.line(desk.language.said("Waiting for its turn ..."))

    def begin(request: gr.Request) -> tuple[str, dict[str, Any]]:
        desk.stops.clear(str(request.session_hash))
        return waiting, gr.update(selected="draw")

    def stop(request: gr.Request) -> None:
        desk.stops.stop(str(request.session_hash))

    started = fields.draw.click(
        begin, None, [outputs[0], tabs], queue=False, show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip
    started.then(
        _drawing(desk),
        inputs,
        list(outputs),
        show_progress="hidden",
        concurrency_limit=1,
        concurrency_id=DRAWING,
        api_visibility="private",
    )
    fields.stop.click(stop, queue=False, show_progress="hidden", api_visibility="private")


def wish_of(desk: Desk, values: tuple[Any, ...]) -> Wish:
    """Make a wish of the fields' values: texts, reading, settings."""
    texts, reading, numbers, sampling = values[:2], values[2:5], values[5:11], values[11:]
    return desk.wish((texts[0] or "", texts[1] or ""), desk.reading(*reading), numbers, *sampling)


def _drawing(desk: Desk) -> Callable[..., Iterator[tuple[object, ...]]]:
    def draw(request: gr.Request, *values: Any) -> Iterator[tuple[object, ...]]:
        shown: Captioned | None = None
        *own, heat_maps = values
        wish = replace(wish_of(desk, tuple(own)), heat_maps=bool(heat_maps))
        for view in desk.draw(wish, str(request.session_hash)):
            yield shown_of(desk, view, shown)
            shown = view.pictures

    return draw


def shown_of(desk: Desk, view: DrawView, before: Captioned | None) -> tuple[object, ...]:
    """Make status, gallery, pictures, seed and facts; the gallery only where it changes."""
    if view.pictures == before:
        return view.status, *(gr.skip() for _ in range(4))
    last = len(view.pictures) - 1
    facts = desk.parameters_of(view.pictures, last)
    seed = gr.skip() if view.seed is None else view.seed
    gallery = gr.update(value=view.pictures, selected_index=None if last < 0 else last)
    return view.status, gallery, view.pictures, seed, facts


def _chosen(desk: Desk) -> Callable[..., str]:
    def chosen(pictures: Captioned, event: gr.SelectData) -> str:
        return desk.parameters_of(pictures, int(event.index))

    return chosen
