"""Give each call of a pipeline's denoisers the texts of its step."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import PipelineError, PromptWarning, warn
from clipcond.pipelines.steps.encoding import EncodedCall, Row
from clipcond.pipelines.steps.hooks import Hooks, remove_strays
from clipcond.pipelines.steps.passes import NEGATIVE, Mixture, Rows, has_mixture, passes_of
from clipcond.pipelines.steps.position import Position, StepCount
from clipcond.pipelines.steps.residuals import Residuals
from clipcond.pipelines.steps.rows import Seen, Slot, map_tensors, read_serials

DENOISERS = ("unet", "transformer", "controlnet", "prior", "decoder")  # attributes of pipelines
_TIMES = ("timestep", "timestep_ratio", "r")  # what they call the timestep
_MOST_CALLS = 4  # encoded, and not drawn yet
_MOST_BUILT = 16  # tensors kept for the next steps

Found = dict[int, Rows]  # id of a tensor in a call -> its rows


class _Call(threading.local):
    """What one thread does in a call of a denoiser."""

    is_pass = False
    mixture: Mixture | None = None
    passes: dict[int, Any] | None = None


class StepsOfPipeline:
    """What a pipeline draws over time: the calls encoded for it, and hooks on its denoisers."""

    def __init__(self, pipe: object) -> None:
        self._pipe = weakref.ref(pipe)
        self._encoded: list[EncodedCall] = []
        self._hooks: dict[str, Hooks] = {}
        self._call = _Call()
        self._forget()

    def _forget(self) -> None:
        self._seen = Seen()
        self._built: dict[tuple[object, ...], Tensor] = {}
        self._residuals = Residuals()
        self._is_awaited = False  # a call with prompts over time

    # between calls of the pipeline

    def put_on(self, encoded: EncodedCall, step_count: StepCount) -> None:
        """Draw with this call from now on, and with those that were not drawn yet."""
        self._encoded = [*self._unused(), encoded][-_MOST_CALLS:]
        self._position = Position(step_count)
        self._forget()
        self._is_awaited = True
        self._install()

    def _install(self) -> None:
        """Put hooks on the pipeline's models of now, also where one was replaced."""
        for name in DENOISERS:
            module = getattr(self._pipe(), name, None)
            hooks = self._hooks.get(name)
            if hooks is not None and not hooks.are_on(module):
                self._hooks.pop(name).remove()
            if isinstance(module, nn.Module) and name not in self._hooks:
                remove_strays(module)
                self._hooks[name] = Hooks(module, self)

    def keep(self, tensors: Iterable[object]) -> bool:
        """Forget the calls that were drawn, unless one of these tensors is theirs.

        Returns:
            whether there are any left.
        """
        used = {
            id(row.encoded)
            for tensor in tensors
            if isinstance(tensor, Tensor)
            for row in self._find(tensor) or ()
            if row is not None
        }
        kept = [each for each in self._encoded if not each.is_used or id(each) in used]
        self._encoded, self._is_awaited = kept, False
        if kept:
            self._install()
        return bool(kept)

    def take_off(self) -> None:
        """Leave the pipeline's models as they were."""
        for hooks in self._hooks.values():
            hooks.remove()
        self._hooks, self._encoded = {}, []
        self._forget()

    def _unused(self) -> list[EncodedCall]:
        return [each for each in self._encoded if not each.is_used]

    # during a call of a denoiser

    def before(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Run the passes of a call besides its own; return the arguments of its own."""
        if self._call.is_pass:
            return args, kwargs
        self._call.mixture = self._call.passes = None
        found = self._search((args, kwargs))
        if not found:
            self._warn_of_loss()
            return args, kwargs
        self._move(args, kwargs, found)
        step = self._position.step
        rows = max(found.values(), key=len)
        outputs = {}
        for n in passes_of(rows, step):
            own_args, own_kwargs = self._substitute((args, kwargs), found, n)
            with self._passing():
                output = module(*own_args, **own_kwargs)
            # compiled models may use the memory of an output again
            outputs[n] = map_tensors(output, torch.clone)
        if module is getattr(self._pipe(), "controlnet", None):
            self._call.passes = outputs
        elif has_mixture(rows, step):
            self._call.mixture = Mixture(rows, step, outputs)
        own: tuple[tuple[Any, ...], dict[str, Any]] = self._substitute((args, kwargs), found, 0)
        return own

    def after(self, module: nn.Module, output: Any) -> Any:
        """Mix the passes of a call."""
        if self._call.is_pass:
            return output
        mixture, passes = self._call.mixture, self._call.passes
        self._call.mixture = self._call.passes = None
        if passes:
            self._residuals.keep(output, passes)
        return output if mixture is None else mixture.mix(output)

    def _search(self, arguments: object) -> Found:
        found: Found = {}

        def look(tensor: Tensor) -> Tensor:
            rows = self._find(tensor)
            if rows is not None:
                found[id(tensor)] = rows
            return tensor

        map_tensors(arguments, look)
        return found

    def _find(self, tensor: Tensor) -> Rows | None:
        slots = [
            (each, name, slot)
            for each in self._encoded
            for name, slot in each.slots.items()
            if slot.markers.shape[1:] == tensor.shape[1:]
        ]
        if not slots or not tensor.is_floating_point():
            return None
        rows: Rows | None = self._seen(tensor, lambda own: _recognise(own, slots))
        return rows

    def _move(self, args: tuple[Any, ...], kwargs: dict[str, Any], found: Found) -> None:
        named = (kwargs[name] for name in _TIMES if name in kwargs)
        timestep = next(named, args[1] if len(args) > 1 else None)
        if self._position.move(getattr(self._pipe(), "scheduler", None), timestep):
            self._residuals = Residuals()
        for encoded in {row.encoded for rows in found.values() for row in rows if row is not None}:
            encoded.is_used = True
            if encoded.settle(self._position.n_steps):
                self._built = {}

    def _substitute(self, arguments: Any, found: Found, n: int) -> Any:
        """Put the texts of a pass into the arguments of a call, and what depends on them."""

        def change(tensor: Tensor) -> Tensor:
            rows = found.get(id(tensor))
            if rows is None:
                return self._residuals.of_pass(tensor, n)
            return self._build(tensor, rows, None if n == NEGATIVE else n)

        return map_tensors(arguments, change)

    def _build(self, tensor: Tensor, rows: Rows, part: int | None) -> Tensor:
        step = self._position.step
        if any(row is None for row in rows):
            each = [
                own if row is None else row.table[row.place(step, part)].to(own)
                for row, own in zip(rows, tensor, strict=True)
            ]
            if len({own.shape for own in each}) > 1:
                raise PipelineError(
                    "A callback has replaced some of the embeddings of a prompt that changes over "
                    "the steps by others of another length.",
                    "Replace all of them, or write prompts that are equally long.",
                )
            return torch.stack(each)
        places = [(row.table, row.place(step, part)) for row in rows if row is not None]
        key = (*((id(table), place) for table, place in places), tensor.dtype, tensor.device)
        if key not in self._built:
            self._built = dict(list(self._built.items())[1 - _MOST_BUILT :])
            self._built[key] = torch.stack([table[at] for table, at in places]).to(tensor)
        return self._built[key]

    @contextmanager
    def _passing(self) -> Iterator[None]:
        self._call.is_pass = True
        try:
            yield
        finally:
            self._call.is_pass = False

    def _warn_of_loss(self) -> None:
        """Warn if the pipeline itself makes this call, with other embeddings than it was given."""
        if not (self._is_awaited and self._unused() and _calls(self._pipe())):
            return
        self._is_awaited = False
        message = (
            "the prompt changes over the steps or has parts, but this pipeline changes its "
            "embeddings before the model reads them: only its last text, or first part, is drawn"
        )
        warn(PromptWarning(message, remedy="Write the prompt without [a:b:0.5], [a|b] and AND."))


def _calls(pipe: object) -> bool:
    """Whether a method of the pipeline is being run."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if pipe is not None and frame.f_locals.get("self") is pipe:
            return True
        frame = frame.f_back
    return False


def _recognise(tensor: Tensor, slots: list[tuple[EncodedCall, str, Slot]]) -> Rows | None:
    rows: list[Row | None] = []
    for serial, own in zip(read_serials(tensor), tensor, strict=True):
        places = ((each, name, slot.place(serial, own)) for each, name, slot in slots if serial)
        hits = (each.row(name, place) for each, name, place in places if place is not None)
        rows.append(next(hits, None))
    return None if all(row is None for row in rows) else rows
