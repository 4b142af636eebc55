"""Find at which step of the schedule a call of the denoiser is."""

from __future__ import annotations

import inspect
from typing import Literal, TypeAlias

from torch import Tensor

from clipcond.errors import UnknownNameError
from clipcond.pipelines.protocols import ConditionedPipeline

StepCount: TypeAlias = Literal["a1111", "schedule"]
Timestep: TypeAlias = Tensor | float | int | None
STEP_COUNTS = ("a1111", "schedule")
_DEFAULT_STEPS = 50  # of most pipelines of diffusers


def check_step_count(name: StepCount) -> StepCount:
    """Return a way to count steps, if it is one.

    Raises:
        UnknownNameError: names those that there are.
    """
    if name not in STEP_COUNTS:
        raise UnknownNameError("step_count", name, STEP_COUNTS)
    return name


class Position:
    """Counts the steps of a denoising loop from 0, whatever the loop calls and how often.

    A step begins when the scheduler or the timestep has moved since the last call, so that a
    ControlNet, a UNet and a second call of it are one step. Second-order samplers have two steps
    for each of the pipeline's, as A1111 counts. A pipeline that goes back to a copy of its
    scheduler, as videos from one frame do, is at the step of that copy.

    Args:
        step_count: "a1111" starts from 0 in image-to-image too; "schedule" at the place in the
            whole schedule, as is right where another pipeline has taken the steps before.
    """

    def __init__(self, step_count: StepCount) -> None:
        self._step_count = step_count
        self._timesteps: object = None
        self._last: object = None
        self._first = 0  # the place in the schedule that counts as step 0
        self.n_steps = self._n_calls = 0
        self.step = -1

    @property
    def n_drawn(self) -> int:
        """How many steps are drawn, from step 0 on: image-to-image leaves out the first ones."""
        return max(1, self._n_calls - self._first)

    def move(self, scheduler: object, timestep: Timestep) -> bool:
        """Move to the step of a call; returns whether it is a new one."""
        if getattr(scheduler, "timesteps", None) is not self._timesteps or self._last is None:
            self._begin(scheduler, timestep)
        now = _state(scheduler, timestep)
        if now == self._last:
            return False
        self._last = now
        self.step += 1
        return True

    def _begin(self, scheduler: object, timestep: Timestep) -> None:
        before, self._timesteps = self._timesteps, getattr(scheduler, "timesteps", None)
        self._last = None
        self.n_steps = scheduled_steps(scheduler) or 1
        self._n_calls = (
            _n_timesteps(scheduler) or self.n_steps
        )  # more of PNDM's, one less of Heun's
        place = _place(scheduler, timestep)
        if not _are_equal(before, self._timesteps):
            self._first = 0 if self._step_count == "schedule" else place
        self.step = place - self._first - 1


def scheduler_of(pipe: object, module: object) -> object:
    """Find the scheduler of one of a pipeline's models; pipelines of several may have several."""
    names = (n for n in vars(pipe) if n.endswith("_scheduler")) if pipe is not None else ()
    own = (n for n in names if getattr(pipe, n.removesuffix("_scheduler"), None) is module)
    return getattr(pipe, next(own, "scheduler"), None)


def scheduled_steps(scheduler: object) -> int:
    """Count the steps that a scheduler is set to, two for each where it is of second order."""
    n_steps = getattr(scheduler, "num_inference_steps", None)
    if isinstance(n_steps, int) and n_steps > 0:
        return n_steps * int(getattr(scheduler, "order", 1))
    return _n_timesteps(scheduler)


def _n_timesteps(scheduler: object) -> int:
    timesteps = getattr(scheduler, "timesteps", None)
    if timesteps is None:
        return 0
    # Würstchen's ends with a time at which nothing is drawn
    return len(timesteps) - (type(scheduler).__name__ == "DDPMWuerstchenScheduler")


def likely_steps(pipe: ConditionedPipeline) -> int:
    """Guess how many steps a call takes before it says so: as many as the last, or by default."""
    scheduler = getattr(pipe, "scheduler", None)
    n_steps = getattr(scheduler, "num_inference_steps", None)
    if not isinstance(n_steps, int) or n_steps < 1:
        default = inspect.signature(type(pipe).__call__).parameters.get("num_inference_steps")
        n_steps = getattr(default, "default", None)
    if not isinstance(n_steps, int):
        n_steps = _DEFAULT_STEPS
    return n_steps * int(getattr(scheduler, "order", 1))


def _state(scheduler: object, timestep: Timestep) -> tuple[object, ...]:
    """Make something that differs between any two steps; without waiting for a device, if it can.

    DDIM and DDPM count nothing, so the timestep decides. Others count, from None in some.
    """
    own = getattr(scheduler, "__dict__", {})
    counts = [own.get(name) for name in ("_step_index", "counter")]
    if hasattr(scheduler, "step_index") or "counter" in own:
        return tuple(int(count) if count is not None else None for count in counts)
    return (_number(timestep),)


def _place(scheduler: object, timestep: Timestep) -> int:
    """Find the place in the whole schedule at which a loop begins, or goes on."""
    for name in ("step_index", "begin_index"):
        if isinstance(place := getattr(scheduler, name, None), int):
            return place
    timesteps, now = getattr(scheduler, "timesteps", None), _number(timestep)
    if isinstance(timesteps, Tensor):
        if (place := _place_of_view(timesteps, timestep)) is not None:
            return place
        timesteps = timesteps.tolist()  # waits for a device once
    values = [] if timesteps is None else [float(each) for each in timesteps]
    return values.index(now) if now in values else 0


def _place_of_view(timesteps: Tensor, timestep: Timestep) -> int | None:
    """Find the place of a timestep that is an element of the schedule itself; None = it is a copy.

    A loop over the schedule, or over its end, hands its elements on. Their values would not do:
    PNDM's come twice.
    """
    if not isinstance(timestep, Tensor) or not timestep.numel() or timesteps.stride() != (1,):
        return None
    starts = [each.untyped_storage().data_ptr() for each in (timesteps, timestep)]
    if not starts[0] or starts[0] != starts[1] or timesteps.dtype != timestep.dtype:
        return None
    place = int(timestep.storage_offset()) - int(timesteps.storage_offset())
    return place if 0 <= place < len(timesteps) else None


def _are_equal(timesteps: object, others: object) -> bool:
    """Whether two schedules are the same, as a scheduler's and its copy's are."""
    if not (isinstance(timesteps, Tensor) and isinstance(others, Tensor)):
        return False
    return timesteps.tolist() == others.tolist()


def _number(timestep: Timestep) -> float | None:
    if isinstance(timestep, Tensor):
        return float(timestep.reshape(-1)[0]) if timestep.numel() else None
    return None if timestep is None else float(timestep)
