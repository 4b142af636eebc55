"""Bring the prompts of one picture together: one weight for each part, whichever has the AND."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from clipcond.conditioning.settled import OverTime, Settled
from clipcond.errors import PromptError

_Parts = Sequence[tuple[Settled, float]]


def timed_parts(
    texts: dict[str, str], over_time: Callable[..., OverTime], *, negative: bool
) -> Iterator[tuple[int, list[tuple[dict[str, str], float]]]]:
    """Yield, for each last step, the texts and weight of every part of one picture.

    Args:
        texts: of each argument that is a prompt.
        over_time: what makes the timed parts of one of them.
        negative: all are negatives, whatever the arguments are called.
    Raises:
        PromptError: two of them have AND, and not as many parts or other weights.
    """
    # Kandinsky's priors draw the negatives as prompts too, each with itself as its negative
    both = {"prompt"} if texts.get("prompt") == texts.get("negative_prompt") else {""}
    timed = {
        name: over_time(text, negative=negative or name.startswith("negative") or name in both)
        for name, text in texts.items()
    }
    for until in sorted({until for each in timed.values() for until, _ in each}):
        now = {name: _at(each, until) for name, each in timed.items()}
        weights = _weights(now, texts)
        found = (
            {name: parts[i % len(parts)][0] for name, parts in now.items()}
            for i in range(len(weights))
        )
        yield until, list(zip(map(dict[str, str], found), weights, strict=True))


def _weights(now: Mapping[str, _Parts], texts: Mapping[str, str]) -> tuple[float, ...]:
    """Find the weights of the parts: those of the prompts that have AND and say any."""
    n_parts = max(map(len, now.values()))
    chosen = none = (1.0,) * n_parts
    for name, parts in now.items():
        own = tuple(weight for _, weight in parts)
        text = texts[name]
        if len(own) not in (1, n_parts):
            message = f"{len(own)} parts in one prompt, {n_parts} in another"
            remedy = "Write AND in one of the two prompts, or as often in both."
            raise PromptError(message, text, text.find("AND"), remedy)
        if len(own) < n_parts or own in (none, chosen):
            continue
        if chosen != none:
            here, there = (" and ".join(f"{w:g}" for w in each) for each in (own, chosen))
            message = f"its parts have the weights {here}, those of the other prompt {there}"
            remedy = "Write the same weights in both prompts, or weights in one of them only."
            raise PromptError(message, text, text.find("AND"), remedy)
        chosen = own
    return chosen


def _at(timed: OverTime, step: int) -> _Parts:
    return next(parts for until, parts in timed if step <= until)
