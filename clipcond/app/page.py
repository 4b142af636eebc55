"""Build the page of one language, and its looks."""

from __future__ import annotations

import gradio as gr

from clipcond.app import html
from clipcond.app.draw_tab import add_draw_tab
from clipcond.app.handlers import Desk
from clipcond.app.prompt_fields import add_prompt_fields
from clipcond.app.prompt_tabs import add_compare_tab, add_convert_tab, add_inspect_tab
from clipcond.app.read_tab import add_read_tab
from clipcond.app.settings import MOST_WAITING

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def build_page(desk: Desk) -> gr.Blocks:
    """Lay out everything and connect it."""
    said = desk.language.said
    with gr.Blocks(
        title="clipcond", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as page:
        gr.HTML(html.header(_model(desk), desk.language), elem_id="cp-header")
        fields = add_prompt_fields(desk)
        with gr.Tabs(selected="draw", elem_id="cp-tabs") as tabs:
            with gr.Tab(said("Draw"), id="draw"):
                draw = add_draw_tab(desk, fields, tabs)
            with gr.Tab(said("Inspect"), id="inspect") as tab:
                add_inspect_tab(desk, fields, draw.settings, tab)
            with gr.Tab(said("Convert"), id="convert"):
                add_convert_tab(desk, fields)
            with gr.Tab(said("Compare"), id="compare"):
                add_compare_tab(desk, fields, draw.settings)
            with gr.Tab(said("Read"), id="read"):
                add_read_tab(desk, fields, draw, tabs)
        page.load(
            None, fields.reading, js="(...reading) => window.clipcond.start(...reading)",
            api_visibility="private",
        )  # fmt: skip
    page.queue(max_size=MOST_WAITING, default_concurrency_limit=2)
    return page


def look() -> gr.themes.Base:
    """Make the theme: the system's own fonts, one accent colour, few borders."""
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
        font=_SANS,
        font_mono=_MONO,
    )
    return theme.set(
        block_shadow="none",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_border_width="0px",
        block_background_fill="transparent",
        block_label_background_fill="transparent",
        input_border_width="1px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_text_color="white",
    )


def _model(desk: Desk) -> str:
    model = desk.settings.model
    if model is None:
        return desk.language.said("embedded miniature model, to try things out")
    return desk.language.said("model {}", model)
