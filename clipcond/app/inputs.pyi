"""Fields whose values reach clipcond as they are: it says what is wrong with them itself."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData


class _Named:
    """Let the browser show what it shows for the class of gradio."""

    def get_block_name(self) -> str:
        """Name gradio's class, without which the browser finds no field."""
        return type(self).__mro__[2].__name__.lower()

from gradio.events import Dependency

class Number(_Named, gr.Number):  # type: ignore[misc, unused-ignore]
    """A number; the bounds are for the browser's arrows, and no number is rounded."""

    def preprocess(self, payload: float | None) -> Any:
        """Pass what was typed."""
        return payload
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class Slider(_Named, gr.Slider):  # type: ignore[misc, unused-ignore]
    """A slider; beyond its bounds, a number can be typed into its field."""

    def preprocess(self, payload: float) -> Any:
        """Pass what was typed."""
        return payload
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class Upload(_Named, gr.Image):  # type: ignore[misc, unused-ignore]
    """A picture's file, as it was handed in: it may be none, or say how it was made."""

    def preprocess(self, payload: ImageData | None) -> str | None:
        """Pass the path of the file in gradio's own folder."""
        return None if payload is None else payload.path
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component