"""Let fields pass what was put into them: clipcond says itself what is wrong with it."""

from __future__ import annotations

from typing import TypeVar

import gradio as gr
from gradio.data_classes import ImageData

_Payload = TypeVar("_Payload")

# By instance: for a class of one's own, gradio writes a file of types next to its module.


def as_typed(field: gr.Number | gr.Slider) -> None:
    """Let a number pass as it was typed; its bounds are for the browser's arrows."""
    field.preprocess = _unchanged


def as_handed_in(picture: gr.Image) -> None:
    """Let a picture's file pass unopened, by its path: it may be none."""
    picture.preprocess = _path_of


def _unchanged(payload: _Payload) -> _Payload:
    return payload


def _path_of(payload: ImageData | None) -> str | None:
    return None if payload is None else str(payload.path)
