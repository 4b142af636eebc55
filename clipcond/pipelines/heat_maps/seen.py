"""What a trace has seen of one call of a pipeline, and the heat maps of its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from os import PathLike
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from clipcond.errors import ArgumentError, PipelineError, counted, warn
from clipcond.pipelines.heat_maps.choices import choose_layers, not_apart, numbers
from clipcond.pipelines.heat_maps.finding import find_rows
from clipcond.pipelines.heat_maps.heat_map import HeatMap
from clipcond.pipelines.heat_maps.record import Layer, Record
from clipcond.pipelines.heat_maps.sheet import MOST_SHOWN, draw_sheet
from clipcond.pipelines.heat_maps.sums import Key
from clipcond.pipelines.heat_maps.words import Runs, Word, main_words

if TYPE_CHECKING:
    from PIL.Image import Image


class Seen:
    """What was seen of a call of a pipeline: empty before it, and growing while it draws."""

    def __init__(self) -> None:
        self.record: Record | None = None

    def __repr__(self) -> str:
        record = self.record
        if record is None:
            return "Seen(no call)"
        pictures = counted(record.n_pictures, "picture")
        return f"Seen({pictures}, {counted(len(record.layers), 'layer')}, {self.n_bytes} bytes)"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that were traced, in the order in which the model runs them."""
        return tuple(self._record.layers.values())

    @property
    def n_pictures(self) -> int:
        """How many pictures the call draws."""
        return self._record.n_pictures

    @property
    def n_bytes(self) -> int:
        """How many bytes the sums take, on the CPU."""
        return self._record.sums.n_bytes

    def words(self, image: int | None = None) -> tuple[str, ...]:
        """List the words that a picture was drawn with, each once, in the prompt's order.

        Args:
            image: which picture of the call, from 0; needed where it draws several.
        """
        words = (w.text for w in self._words(image) if w.rows and any(map(str.isalnum, w.text)))
        return tuple({word.casefold(): word for word in words}.values())

    def sheet(
        self,
        picture: Image,
        *,
        image: int | None = None,
        font_file: str | PathLike[str] | None = None,
    ) -> Image:
        """Draw a picture and the heat maps of the words that say what is shown, also over it.

        Args:
            picture: the one that the call has drawn.
            image: which of the call it is, from 0; needed where it draws several.
            font_file: a font for words in other letters than Pillow's own font has; None = one of
                the system's, if it has one.
        Warns:
            ClipcondWarning: there are more words than a sheet shows, or no letters for one.
        """
        words = main_words(self._words(image))
        if len(words) > MOST_SHOWN:
            warn(f"the sheet shows the first {MOST_SHOWN} of {len(words)} words")
        maps = [self.heat_map(word, image=image) for word in words[:MOST_SHOWN]]
        return draw_sheet(picture, maps, font_file)

    def heat_map(
        self,
        text: str,
        *,
        image: int | None = None,
        occurrence: int | None = None,
        layers: str | Sequence[str] | None = None,
        steps: Iterable[int] | None = None,
        heads: Iterable[int] | None = None,
    ) -> HeatMap:
        """Make the heat map of a word, or of a phrase, of the prompt.

        At each place of the picture, the share of the attention that goes to the word's tokens:
        added up over the tokens, averaged over layers (each brought to the picture's size,
        bilinearly), heads, and the model's calls in which the word was among the keys. These are
        the steps at which the prompt has it, and of AND the passes of the parts that have it.

        Args:
            text: words as they are in the prompt, whatever brackets and weights are around them;
                small or capital letters.
            image: which picture of the call, from 0; needed where it draws several.
            occurrence: of a word that occurs several times, which one, from 1 in the order of the
                prompt; None = all together.
            layers: as of `trace`, and among the traced ones; None = all.
            steps: counted from 0, among those kept apart by `each_step=True`; None = all.
            heads: counted from 0, of every layer, kept apart by `each_head=True`; None = all.
        Raises:
            PromptError: the prompt has no such word, or it was not encoded or not read; shows the
                nearest one.
            PipelineError: there was no call, or steps or heads were not kept apart.
            ArgumentError: there is no such picture, occurrence, step or head.
            UnknownNameError: there is no such layer.
        """
        record = self._record
        picture = self._picture(image)
        chosen = choose_layers(layers, record.layers)
        prompt = record.prompts[picture // record.n_each]
        found = find_rows(text, self._texts(picture), occurrence, prompt)
        wanted = self._chosen_steps(steps), self._chosen_heads(heads, chosen)
        by_size: dict[tuple[int, int], list[Tensor]] = {}
        for name in chosen:
            layer = record.layers[name]
            mean = self._mean(layer, picture, found, *wanted)
            if mean is not None:
                by_size.setdefault((layer.height, layer.width), []).append(mean)
        n_layers = sum(map(len, by_size.values()))
        if not n_layers:
            raise ArgumentError(f"{text!r} is not in the texts of these steps")
        width, height = record.size
        total = torch.zeros(height, width)
        for size, means in by_size.items():
            small = torch.stack(means).sum(0).view(1, 1, *size)
            total += interpolate(small, (height, width), mode="bilinear")[0, 0]
        n_tokens = max(map(len, found.values()))
        return HeatMap(text, total / n_layers, n_tokens)

    @property
    def _record(self) -> Record:
        if self.record is None or not self.record.layers:
            raise PipelineError(
                "Nothing was traced yet.", "Call the pipeline within the block: image = pipe(...)."
            )
        return self.record

    def _picture(self, image: int | None) -> int:
        n = self.n_pictures
        if image is None and n == 1:
            return 0
        if image is None or isinstance(image, bool) or not 0 <= index(image) < n:
            raise ArgumentError(
                f"the call drew {counted(n, 'picture')}: image= is from 0 to {n - 1}"
            )
        return image

    def _words(self, image: int | None) -> list[Word]:
        """List the words of the first tower's prompt, in its order; of several texts, each once."""
        texts = self._texts(self._picture(image)).values()
        words = [word for runs in texts for run in runs for word in run]
        found = {w.start: w for w in reversed(words) if w.prompt == words[0].prompt}
        return [found[start] for start in sorted(found)]

    def _texts(self, picture: int) -> dict[int, Runs]:
        """List the texts of a picture, by their numbers, each with its words."""
        prompt = picture // self._record.n_each
        texts = enumerate(self._record.texts.values())
        return {n: each.words for n, each in texts if each.prompt == prompt}

    def _chosen_steps(self, steps: Iterable[int] | None) -> frozenset[int] | None:
        if steps is None:
            return None
        if not self._record.sums.each_step:
            raise not_apart("steps", "each_step")
        return numbers("steps", steps, self._record.sums.steps)

    def _chosen_heads(self, heads: Iterable[int] | None, layers: Sequence[str]) -> list[int] | None:
        if heads is None:
            return None
        if not self._record.sums.each_head:
            raise not_apart("heads", "each_head")
        least = min(self._record.layers[name].n_heads for name in layers)
        return sorted(numbers("heads", heads, range(least)))

    def _mean(
        self,
        layer: Layer,
        picture: int,
        found: Mapping[int, set[int]],
        steps: frozenset[int] | None,
        heads: list[int] | None,
    ) -> Tensor | None:
        """Average what a layer gave some rows, over calls and heads: [n]; None = it gave none."""
        record, total, n_calls = self._record, torch.zeros(layer.height * layer.width), 0
        texts = [*record.texts.values()]
        for n, rows in found.items():
            places = [i for i, row in enumerate(texts[n].encoded.rows) if row in rows]
            for step, each in record.sums.of(Key(layer.name, picture, n)).items():
                if steps is None or step in steps:
                    of_heads = each.total if heads is None else each.total[heads]
                    total += of_heads[:, places].sum(1).mean(0)
                    n_calls += each.n_calls
        return total / n_calls if n_calls else None
