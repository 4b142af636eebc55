"""Watch a pipeline draw, and add up what its layers attend to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from clipcond.arguments import wrong_argument
from clipcond.errors import PipelineError
from clipcond.pipelines.heat_maps.attention import (
    check_layer,
    layers_of,
    shares_of_text,
    text_of,
)
from clipcond.pipelines.heat_maps.choices import choose_layers
from clipcond.pipelines.heat_maps.record import Record, TracedText
from clipcond.pipelines.heat_maps.refusals import check_places, traced_model
from clipcond.pipelines.heat_maps.seen import Seen
from clipcond.pipelines.heat_maps.sums import Key, Sums
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.steps import STEPS, WATCHERS, DenoiserCall, stop_drawing
from clipcond.pipelines.steps.encoding import TEXT, EncodedCall, Row
from clipcond.pipelines.steps.hooks import Hooks
from clipcond.pipelines.steps.nesting import steps_midway
from clipcond.pipelines.steps.plan import NUMBERS

MAX_BYTES = 2**30


@contextmanager
def trace(
    pipe: ConditionedPipeline,
    *,
    layers: str | Sequence[str] | None = None,
    each_step: bool = False,
    each_head: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Seen]:
    """Trace what each word of a prompt draws, in calls of a pipeline in this block.

    The pictures are the same to the bit: each layer computes its own output, and the attention is
    computed once more beside it. Calls take longer for that. Of several calls the last one counts;
    a call that a callback makes within another is not traced.

    Args:
        pipe: an attached pipeline of Stable Diffusion 1.x, 2.x, XL or 3.
        layers: which are traced: names of modules, or what names begin with, such as "up_blocks";
            None = all that attend to text.
        each_step, each_head: keep steps or heads apart, so that maps of some of them can be had;
            the sums take as many times the memory.
        max_bytes: of all sums together, on the CPU in float32: 4 bytes for each token of text,
            place of a layer and picture. In SDXL at 1024 x 1024 that is
            31 MB for a full chunk.
    Yields:
        what was seen: `seen.heat_map("cat")`, during the block and after it.
    Raises:
        PipelineError: the pipeline is not attached, or its attention cannot be traced: says why,
            and what is possible. In a call also: prompt_embeds in place of a prompt, an attention
            processor that is not known, or more than max_bytes.
    """
    for name, flag in (("each_step", each_step), ("each_head", each_head)):
        if not isinstance(flag, bool):
            raise wrong_argument(name, flag, "True or False")
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
        raise wrong_argument("max_bytes", max_bytes, "a number of bytes")
    if pipe in WATCHERS or steps_midway(pipe) is not None:
        raise PipelineError(
            "This pipeline is being traced, or is drawing.", "Trace it when that has ended."
        )
    traced_model(pipe)
    was_idle = pipe not in STEPS
    watcher = Tracer(pipe, layers, partial(Sums, each_step, each_head, max_bytes))
    WATCHERS[pipe] = watcher
    try:
        yield watcher.seen
    finally:
        WATCHERS.pop(pipe, None)
        watcher.take_off()
        if was_idle and steps_midway(pipe) is None:
            stop_drawing(pipe)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A picture in a pass of the model: its row of the batch, and its text."""

    batch: int
    picture: int
    text: int
    rows: tuple[int, ...]
    n_rows: int


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass of the model, with the pictures in it."""

    watched: Sequence[_Watched]
    n_batch: int
    step: int
    grid: tuple[int, int]


class _Now(threading.local):
    """What the model does in one thread."""

    call: _Pass | None = None


class Tracer:
    """A watcher of one pipeline, with hooks on its layers while it draws.

    Args:
        layers: which are traced; None = all.
        make_sums: makes the empty sums of a call.
    """

    def __init__(
        self,
        pipe: ConditionedPipeline,
        layers: str | Sequence[str] | None,
        make_sums: partial[Sums],
    ) -> None:
        self._pipe, self._layers, self._make_sums = pipe, layers, make_sums
        self._hooks: list[Hooks] = []
        self._traced: dict[nn.Module, tuple[str, Attention]] = {}
        self._now = _Now()
        self._encoded: EncodedCall | None = None
        self.seen = Seen()
        self._chosen_layers()  # refuses names that are not there, before a call

    def begin(self, encoded: EncodedCall) -> None:
        given, n = encoded.arguments, len(encoded.plan.rows)
        prompt = given.get("prompt") or ""
        prompts = [prompt] * n if isinstance(prompt, str) else [*prompt]
        n_each = next((int(given[name]) for name in NUMBERS if name in given), 1)
        check_places(tuple(encoded.tokens))
        self._encoded = encoded
        self.seen.record = Record(prompts, n_each, self._make_sums())

    def put_on(self) -> None:
        self.take_off()
        self._traced = {each: (name, each) for name, each in self._chosen_layers().items()}
        self._hooks = [Hooks(module, self) for module in self._traced]

    def take_off(self) -> None:
        for hooks in self._hooks:
            hooks.remove()
        self._hooks, self._traced, self._now.call = [], {}, None

    def see(self, call: DenoiserCall | None) -> None:
        self._now.call = None
        record = self.seen.record
        if call is None or record is None or not call.rows:
            return
        taken: dict[int, int] = {}
        watched = []
        for batch, row in enumerate(call.rows):
            if row is None or row.encoded is not self._encoded or row.is_negative:
                continue
            taken[row.index] = n = taken.get(row.index, -1) + 1
            parts = row.parts(call.step)
            # of PAG and the like, which repeat the prompts in a batch, the first are the pictures
            if n < record.n_each and call.part < len(parts):
                picture = row.index * record.n_each + n
                watched.append(self._watched(record, batch, picture, row, parts[call.part][0]))
        sample = _sample(call)
        scale = int(self._pipe.vae_scale_factor)
        record.size = sample.shape[-1] * scale, sample.shape[-2] * scale
        patch = int(getattr(call.module, "config", {}).get("patch_size") or 1)
        grid = sample.shape[-2] // patch, sample.shape[-1] // patch
        self._now.call = _Pass(watched, len(call.rows), call.step, grid)

    def before(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        call, record = self._now.call, self.seen.record
        text: Tensor | None = text_of(args, kwargs)
        if call is None or record is None or not call.watched or text is None:
            return args, kwargs
        (name, layer), watched = self._traced[module], call.watched
        check_layer(name, layer)
        self._check_rows(name, text, call)
        hidden: Tensor = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        record.add_layer(name, hidden.shape[1], call.grid, layer.heads)
        keys = [Key(name, each.picture, each.text) for each in watched]
        parts = shares_of_text(layer, args, kwargs, [each.batch for each in watched])
        record.sums.add(keys, call.step, parts, [each.rows for each in watched])
        return args, kwargs

    def after(self, module: nn.Module, output: object) -> object:
        return output

    def _chosen_layers(self) -> dict[str, Attention]:
        _, model = traced_model(self._pipe)
        found = layers_of(model)
        chosen = choose_layers(self._layers, found)
        for name in chosen:
            check_layer(name, found[name])
        return {name: found[name] for name in chosen}

    def _watched(self, record: Record, batch: int, picture: int, row: Row, pair: int) -> _Watched:
        encoded = row.encoded
        text, n_rows = encoded.plan.texts[pair], encoded.tables[TEXT].shape[1]
        if text not in record.texts:
            # T5's rows are behind those of CLIP, and are no repetition of them
            repeats = self._pipe.conditioner.dialect.repeats and not hasattr(
                self._pipe, "transformer"
            )
            rows = encoded.tokens[pair].lengthened(n_rows, repeats=repeats)
            record.texts[text] = TracedText(row.index, rows)
        own = record.texts[text].encoded
        return _Watched(batch, picture, record.place(text), own.rows, n_rows)

    def _check_rows(self, name: str, text: Tensor, call: _Pass) -> None:
        n_rows = call.watched[0].n_rows
        if (text.shape[0], text.shape[1]) != (call.n_batch, n_rows):
            raise PipelineError(
                f"Heat maps cannot be made of {name!r}: it reads {text.shape[0]} x "
                f"{text.shape[1]} rows of text, and {call.n_batch} x {n_rows} were encoded.",
                "What changes the rows of text within the model cannot be traced.",
            )


def _sample(call: DenoiserCall) -> Tensor:
    """Get the latents [B C h w] that a model is called with."""
    args, kwargs = call.arguments
    named = (kwargs[name] for name in ("sample", "hidden_states") if name in kwargs)
    sample: Tensor = next(named) if not args else args[0]
    return sample
