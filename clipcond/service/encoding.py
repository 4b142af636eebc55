"""Encode the prompts of requests in batches, in which one that is wrong costs no other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from clipcond.conditioning.alone import Answered, Call
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.service.answers import Form, Packed, pack
from clipcond.service.models import Model, Reading


@dataclass(frozen=True, slots=True)
class EncodeJob:
    """The prompts of one request, how they are read, and what is answered.

    Args:
        negatives: one for all prompts, or one for each; None = nothing is guided.
    """

    prompts: tuple[str, ...]
    negatives: tuple[str, ...] | None
    reading: Reading
    form: Form

    @property
    def size(self) -> int:
        """How many texts are encoded."""
        return len(self.prompts) + len(self.negatives or ())

    @property
    def kind(self) -> Hashable:
        """What jobs have in common that can be encoded together."""
        return self.reading, self.negatives is None

    @property
    def call(self) -> Call:
        """The call of a Conditioner that gives the same."""
        prompts = [*self.prompts]
        return (prompts,) if self.negatives is None else (prompts, [*self.negatives])


def encode_jobs(
    model: Model, jobs: Sequence[EncodeJob], reword: Callable[[str], str]
) -> list[Packed | Exception]:
    """Answer jobs of one kind in one batch: for each what it gives, or the error that it leads to.

    Each answer is that of the job alone. Where a batch fails, its halves are tried.
    """
    with collect_warnings(shown=False):
        answered = _each(model, jobs)
    return [
        each if isinstance(each, Exception) else _packed(each, job, reword)
        for each, job in zip(answered, jobs, strict=True)
    ]


def _each(model: Model, jobs: Sequence[EncodeJob]) -> list[Answered | Exception]:
    try:
        conditioner = model.conditioner(jobs[0].reading)
        return [*conditioner.together([job.call for job in jobs])]
    except Exception as error:
        if len(jobs) == 1:
            return [error]
    half = len(jobs) // 2
    return _each(model, jobs[:half]) + _each(model, jobs[half:])


def _packed(answered: Answered, job: EncodeJob, reword: Callable[[str], str]) -> Packed | Exception:
    """Write an answer here, on the thread that encodes, and not where others are served."""
    try:
        return pack(answered, job.prompts, job.negatives, job.reading, job.form, reword)
    except Exception as error:
        return error
