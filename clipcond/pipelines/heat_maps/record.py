"""What is known of one call of a pipeline: its texts, its pictures, the sums of its attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from clipcond.conditioning.token_rows import EncodedPrompt
from clipcond.errors import PipelineError
from clipcond.pipelines.heat_maps.sums import Sums
from clipcond.pipelines.heat_maps.words import Runs, runs_of_words


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a model that attends to text.

    Args:
        name: of its module.
        height, width: of the grid of places that attend.
        n_heads: how many heads it has.
    """

    name: str
    height: int
    width: int
    n_heads: int


@dataclass(frozen=True)
class TracedText:
    """One text of a call: a prompt, as it is at some steps, or a part of AND.

    Args:
        prompt: which prompt of the batch, from 0.
        encoded: its rows.
    """

    prompt: int
    encoded: EncodedPrompt

    @cached_property
    def words(self) -> Runs:
        """Its words."""
        return runs_of_words(self.encoded)


@dataclass(slots=True)
class Record:
    """A call of a pipeline.

    Args:
        prompts: as they were written.
        n_each: how many pictures each prompt has.
        sums: of the attention to each text.
        texts: those that were drawn, by what they say.
        layers: those that were traced, by name.
        size: width and height of the pictures in pixels; (0, 0) before the first step.
    """

    prompts: Sequence[str]
    n_each: int
    sums: Sums
    texts: dict[tuple[str, ...], TracedText] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)

    @property
    def n_pictures(self) -> int:
        """How many pictures the call draws."""
        return len(self.prompts) * self.n_each

    def place(self, text: tuple[str, ...]) -> int:
        """Number a text that is known."""
        return [*self.texts].index(text)

    def add_layer(self, name: str, n_places: int, grid: tuple[int, int], n_heads: int) -> None:
        """Note a layer, whose grid is the model's halved until it has as many places.

        Raises:
            PipelineError: no such grid has.
        """
        height, width = grid
        while height * width > n_places and height * width > 1:
            height, width = -(-height // 2), -(-width // 2)
        if height * width != n_places:
            raise PipelineError(
                f"Heat maps cannot be made of {name!r}: its {n_places} places are no grid of "
                f"{grid[1]} x {grid[0]} latents, halved or not.",
                "What joins places, such as token merging, cannot be traced: take it off.",
            )
        self.layers.setdefault(name, Layer(name, height, width, n_heads))
