"""Give each call of a pipeline's denoisers the texts of its step."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import PromptWarning, warn
from clipcond.pipelines.regions.region import Regional
from clipcond.pipelines.steps.calls import is_drawing
from clipcond.pipelines.steps.cross_attention import RegionalAttention
from clipcond.pipelines.steps.encoding import TEXT, EncodedCall, recognise
from clipcond.pipelines.steps.hooks import Hooks, remove_strays
from clipcond.pipelines.steps.passes import (
    NEGATIVE,
    Mixture,
    Rows,
    has_mixture,
    lacks_negative,
    passes_of,
)
from clipcond.pipelines.steps.position import Position, StepCount, scheduler_of
from clipcond.pipelines.steps.refusals import DENOISERS, no_negative, strange_rows
from clipcond.pipelines.steps.residuals import Residuals
from clipcond.pipelines.steps.rows import Seen, map_tensors
from clipcond.pipelines.steps.texts import CallArguments, Found, TextsOfStep
from clipcond.pipelines.steps.watching import WATCHERS, DenoiserCall, Watcher

_TIMES = ("timestep", "timesteps", "timestep_ratio", "r")  # what they call the timestep
_MOST_CALLS = 4  # encoded, and not drawn yet


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
        self._attention = RegionalAttention()
        self.is_midway = False  # a call has begun to draw with marked rows
        self._forget()

    def _forget(self) -> None:
        self._seen: Seen[Rows | None] = Seen()
        self._texts = TextsOfStep()
        self._residuals = Residuals()
        self._is_awaited = False  # a call with prompts over time
        self._n_strange = 0  # calls of models without them

    # between calls of the pipeline

    def put_on(self, encoded: EncodedCall, step_count: StepCount) -> None:
        """Draw with this call from now on, and with those that are kept."""
        self._encoded = [*self._encoded, encoded][-_MOST_CALLS:]
        # SDXL's: another pipeline has taken the steps before
        goes_on = getattr(self._pipe(), "denoising_start", None) is not None
        self._position = Position("schedule" if goes_on else step_count)
        self._forget()
        self._is_awaited = True
        if (watcher := self._watcher) is not None:
            watcher.begin(encoded)
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
        if any(each.regions for each in self._encoded):
            self._attention.put_on(hooks.module for hooks in self._hooks.values())
        if (watcher := self._watcher) is not None:
            watcher.put_on()

    @property
    def _watcher(self) -> Watcher | None:
        pipe = self._pipe()
        return None if pipe is None else WATCHERS.get(pipe)

    @property
    def is_needed(self) -> bool:
        """Whether there is a call to draw."""
        return bool(self._encoded)

    def has_drawn(self, regional: Regional) -> bool:
        """Whether a call with these regions has been drawn."""
        drawn = (each.regions for each in self._encoded if each.is_used)
        return any(each is not None and each.regional is regional for each in drawn)

    def set_negative(self, answer: Sequence[object]) -> None:
        """Let what the pipeline gets as negatives be those of the prompts."""
        for each in self._encoded:
            each.negative = each.rows_of(answer)

    def keep(self, tensors: Iterable[object]) -> None:
        """Forget the calls that were drawn, unless one of these tensors is theirs."""
        used = {
            id(row.encoded)
            for tensor in tensors
            if isinstance(tensor, Tensor)
            for row in self.find(tensor) or ()
            if row is not None
        }
        kept = [each for each in self._encoded if not each.is_used or id(each) in used]
        self._encoded, self._is_awaited = kept, False
        for each in kept:
            each.negative = None
        if kept:
            self._install()

    def pause(self) -> None:
        """Take the hooks off; rows that a callback has kept may be drawn in a later call."""
        for hooks in self._hooks.values():
            hooks.remove()
        self._attention.remove()
        self._hooks, self.is_midway = {}, False
        if (watcher := self._watcher) is not None:
            watcher.take_off()

    def rest(self) -> None:
        """Pause at the end of a call, and let go of what its ControlNet gave."""
        self.pause()
        self._residuals = Residuals()

    def resume(self) -> None:
        """Draw on after `pause`, with the pipeline's models of now."""
        self._install()
        self.is_midway = True

    def take_off(self) -> None:
        """Leave the pipeline's models as they were."""
        self.pause()
        self._encoded = []
        self._forget()

    def unmarked(self, tensor: Tensor) -> Tensor:
        """Replace the marked rows of a tensor by those of the last text, first part."""
        rows = self.find(tensor)
        if rows is None:
            return tensor
        pairs = zip(rows, tensor, strict=True)
        return torch.stack([own if row is None else row.unmarked.to(own) for row, own in pairs])

    # during a call of a denoiser

    def before(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> CallArguments:
        """Run the passes of a call besides its own; return the arguments of its own."""
        if self._call.is_pass:
            return args, kwargs
        self._call.mixture = self._call.passes = None
        found = self._search((args, kwargs))
        if not found:
            self._warn_of_loss()
            return args, kwargs
        self.is_midway = True
        self._move(module, args, kwargs, found)
        step = self._position.step
        rows = max(found.values(), key=len)
        self._check(rows)
        is_control = module is getattr(self._pipe(), "controlnet", None)
        outputs = {}
        for n in passes_of(rows, step):
            if n == NEGATIVE and is_control and any(row and row.encoded.negative for row in rows):
                continue  # the pipeline gives its negatives the residuals of the prompt
            own_args, own_kwargs = self._put((args, kwargs), found, n)
            with self._passing():
                self._show(module, (own_args, own_kwargs), found, n)
                output = module(*own_args, **own_kwargs)
            # compiled models may use the memory of an output again
            outputs[n] = map_tensors(output, torch.clone)
        if is_control:
            self._call.passes = outputs
        elif has_mixture(rows, step):
            self._call.mixture = Mixture(rows, step, outputs)
        self._attention.begin(rows, (args, kwargs), self._pipe())
        own = self._put((args, kwargs), found, 0)
        self._show(module, own, found, 0)
        return own

    def _show(self, module: nn.Module, arguments: CallArguments, found: Found, n: int) -> None:
        """Let the watcher see a pass."""
        watcher, position = self._watcher, self._position
        of_text = (rows for rows in found.values() if any(row and row.slot == TEXT for row in rows))
        rows = next(of_text, ()) if n != NEGATIVE else ()
        if watcher is not None:
            watcher.see(DenoiserCall(module, arguments, rows, n, position.step, position.n_steps))

    def after(self, module: nn.Module, output: object) -> object:
        """Mix the passes of a call."""
        if self._call.is_pass:
            return output
        self._attention.end()
        if (watcher := self._watcher) is not None:
            watcher.see(None)
        mixture, passes = self._call.mixture, self._call.passes
        self._call.mixture = self._call.passes = None
        if passes:
            self._residuals.keep(output, passes)
        return output if mixture is None else mixture.mix(output)

    def _search(self, arguments: object) -> Found:
        found: Found = {}

        def look(tensor: Tensor) -> Tensor:
            rows = self.find(tensor)
            if rows is not None:
                found[id(tensor)] = rows
            return tensor

        map_tensors(arguments, look)
        return found

    def find(self, tensor: Tensor) -> Rows | None:
        """Find which texts the rows of a tensor are marks of; None if it has none."""
        slots = [
            (each, name, slot)
            for each in self._encoded
            for name, slot in each.slots.items()
            if slot.markers.shape[1:] == tensor.shape[1:]
        ]
        if not slots or not tensor.is_floating_point():
            return None
        return self._seen(tensor, lambda own: recognise(own, slots))

    def _move(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], found: Found
    ) -> None:
        named = (kwargs[name] for name in _TIMES if name in kwargs)
        timestep = next(named, args[1] if len(args) > 1 else None)
        if self._position.move(scheduler_of(self._pipe(), module), timestep):
            self._residuals = Residuals()
        own = {row.encoded for rows in found.values() for row in rows if row is not None}
        apart = [self.find(each.negative["embeds"]) or () for each in own if each.negative]
        for encoded in own | {row.encoded for rows in apart for row in rows if row is not None}:
            encoded.is_used = True
            for each in encoded.with_regions:
                if each.settle(self._position.n_steps, self._position.n_drawn):
                    self._texts.forget()
        self._texts.step = self._position.step

    def _put(self, arguments: CallArguments, found: Found, n: int) -> CallArguments:
        return self._texts.put(arguments, found, n, self._residuals, self.find)

    def _check(self, rows: Rows) -> None:
        for row in rows:
            if row is not None and lacks_negative(row, self._position.step):
                total = sum(weight for _, weight in row.parts(self._position.step))
                raise no_negative(self._pipe(), row.encoded.arguments, row.index, total)

    @contextmanager
    def _passing(self) -> Iterator[None]:
        self._call.is_pass = True
        try:
            yield
        finally:
            self._call.is_pass = False

    def _warn_of_loss(self) -> None:
        """Warn if the pipeline itself makes this call, with other embeddings than it was given.

        Raises:
            PipelineError: so it does, in a call with regions.
        """
        if self._is_awaited and self._encoded[-1].regions and is_drawing(self._pipe()):
            raise strange_rows()
        unused = any(not each.is_used for each in self._encoded)
        if not (self._is_awaited and unused and is_drawing(self._pipe())):
            return
        self._n_strange += 1
        if self._n_strange <= 2 and any(each.family.negatives_apart for each in self._encoded):
            return  # the models may be called with plain prompts before negatives over time
        self._is_awaited = False
        message = (
            "the prompt changes over the steps or has parts, but this pipeline changes its "
            "embeddings before the model reads them: only its last text, or first part, is drawn"
        )
        warn(PromptWarning(message, remedy="Write the prompt without [a:b:0.5], [a|b] and AND."))
