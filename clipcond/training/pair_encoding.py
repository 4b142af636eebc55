"""The two sides of a pair: prompts to what the adapter reads, and to what it should come to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from clipcond.conditioning.conditioner import Conditioner
from clipcond.errors import ClipcondWarning, PromptError
from clipcond.training.pairs import BadPair, Pairs

__all__ = ["Encoded", "Side", "quiet_prompts", "unusable"]

MAX_WEIGHT = 100  # of emphasis; useful ones lie below 2


@dataclass(frozen=True, slots=True)
class Encoded:
    """Prompts of one number of chunks: embeds [n K S D] for K layers, mask [n S], pooled [n P]."""

    embeds: Tensor
    mask: Tensor | None
    pooled: Tensor | None


@dataclass(frozen=True, slots=True)
class Side:
    """One side's Conditioner, and the layers it is read at.

    Args:
        length: rows of one chunk.
    """

    conditioner: Conditioner
    clip_skips: tuple[int, ...]
    length: int

    def n_chunks(self, prompt: str) -> int:
        """How many chunks a prompt takes, without running the tower.

        Raises:
            PromptError: it cannot be read, or a weight in it is beyond all use.
        """
        chunks = self.conditioner.chunks(prompt)
        if any(abs(weight) > MAX_WEIGHT for chunk in chunks for weight in chunk.weights):
            raise PromptError(f"a weight in it is beyond {MAX_WEIGHT}")
        return len(chunks)

    def encode(self, prompts: Sequence[str], n_chunks: int) -> Encoded:
        """Encode prompts that take `n_chunks` each, at every layer; "" is repeated."""
        with quiet_prompts():
            found = [self.conditioner(list(prompts), clip_skip=k) for k in self.clip_skips]
        self.conditioner.cache.clear()  # what is wanted again is kept elsewhere
        n_times = n_chunks * self.length // found[0].embeds.shape[1]
        mask = found[0].attention_mask
        return Encoded(
            torch.stack([each.embeds for each in found], dim=1).repeat(1, 1, n_times, 1),
            None if mask is None else mask.repeat(1, n_times),
            found[0].pooled,
        )


@contextmanager
def quiet_prompts() -> Iterator[None]:
    """Without the warnings about single prompts: there are thousands of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipcondWarning)
        yield


def unusable(
    pairs: Pairs, teacher: Side, tower: Side, max_chunks: int
) -> tuple[list[BadPair], list[tuple[int, int]]]:
    """Pairs that a side cannot read, and the number of chunks (teacher, tower) of the others."""
    bad: list[BadPair] = []
    sizes: list[tuple[int, int]] = []
    with quiet_prompts():
        for pair in pairs.pairs:
            try:
                size = (teacher.n_chunks(pair.teacher), tower.n_chunks(pair.tower))
            except PromptError as error:
                bad.append(BadPair(pair.line, f"its prompt cannot be read: {error.message}"))
                continue
            if max(size) > max_chunks:
                reason = f"its prompt takes {max(size)} chunks, at most {max_chunks} are trained"
                bad.append(BadPair(pair.line, reason))
            else:
                sizes.append(size)
    return bad, sizes
