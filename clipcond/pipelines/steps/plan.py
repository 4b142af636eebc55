"""Plan a call over time: the texts of each step, the weights of its parts, and one call for all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor

from clipcond.conditioning.checks import warn_issues
from clipcond.conditioning.settled import SettlesTexts
from clipcond.pipelines.steps.timeline import timed_parts

Arguments: TypeAlias = Mapping[str, Any]  # of the method that encodes prompts
Part: TypeAlias = tuple[int, float]  # a pair of texts of the plan, and its weight
Texts: TypeAlias = dict[str, list[str]]  # argument -> its text for each prompt of the batch

# What diffusers calls the number of pictures of each prompt.
NUMBERS = ("num_images_per_prompt", "num_videos_per_prompt")
_PROMPTS = ("prompt", "negative_prompt")


@dataclass(frozen=True, slots=True)
class Plan:
    """What each prompt of a call is drawn with at each step.

    Args:
        arguments: of the call that encodes it all: a prompt and its negative for every pair.
        texts: the texts of each pair, for comparison.
        rows: for each prompt of the batch, (until_step, its parts) in order.
    """

    arguments: Arguments
    texts: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[tuple[int, tuple[Part, ...]], ...], ...]

    def parts(self, row: int, step: int) -> tuple[Part, ...]:
        """Find the parts of a prompt of the batch at a step, counted from 0.

        A1111 counts its steps from 0 and takes the first entry of the schedule that does not end
        before: a text that ends at step 5 is drawn in six.
        """
        timed = self.rows[row]
        return next((parts for until, parts in timed if step <= until), timed[-1][1])

    def with_pairs_of(self, other: Plan) -> Plan | None:
        """Make the same plan with the pairs of another; None if this one has others."""
        places = {texts: i for i, texts in enumerate(other.texts)}
        if not places.keys() >= set(self.texts):
            return None
        moved = [places[texts] for texts in self.texts]
        rows = tuple(
            tuple((until, tuple((moved[pair], w) for pair, w in parts)) for until, parts in row)
            for row in self.rows
        )
        return replace(other, rows=rows)

    @property
    def is_mixed(self) -> bool:
        """Whether a prompt has parts, or one part with a weight."""
        return any(is_mixture(parts) for row in self.rows for _, parts in row)

    @property
    def needs_negative(self) -> bool:
        """Whether a mixture takes something of the negative: its weights do not sum up to 1."""
        return any(rest_of(parts) != 0.0 for row in self.rows for _, parts in row)


def is_mixture(parts: Sequence[Part]) -> bool:
    """Whether these are several parts, or one of another weight than 1."""
    return len(parts) != 1 or parts[0][1] != 1.0


def rest_of(parts: Sequence[Part]) -> float:
    """Compute the weight of the negative in a mixture."""
    return 1.0 - math.fsum(weight for _, weight in parts)


def changes(arguments: Arguments, conditioner: SettlesTexts, *, negative: bool = False) -> bool:
    """Whether a prompt or negative has editing, alternation or AND.

    Args:
        negative: all are negatives, whatever the arguments are called.
    """
    texts = ((text, negative or name.startswith("negative")) for name, text in _each(arguments))
    return any(conditioner.changes(text, negative=is_one) for text, is_one in texts)


def warn_undrawn(
    arguments: Arguments,
    conditioner: SettlesTexts,
    n_steps: int,
    *,
    n_drawn: int,
    negative: bool = False,
) -> None:
    """Warn of each edit of which a call that takes `n_steps` steps draws one text only.

    Args:
        n_drawn: how many of the steps it draws, from the first on.
        negative: all are negatives, whatever the arguments are called.
    """
    found = {text: negative or name.startswith("negative") for name, text in _each(arguments)}
    for text, is_negative in found.items():
        issues = conditioner.undrawn(text, n_steps, n_drawn=n_drawn, negative=is_negative)
        if issues:
            warn_issues(text, issues)


def plan_steps(
    arguments: Arguments,
    conditioner: SettlesTexts,
    n_steps: int,
    *,
    again: bool = False,
    negative: bool = False,
    limited: bool = True,
) -> Plan | None:
    """Plan a call that takes `n_steps` steps; None if its prompts and negatives do not pair.

    Args:
        again: the prompts were planned before: nothing is warned of twice.
        negative: all are negatives, whatever the arguments are called.
        limited: the Conditioner's `max_chunks` limits the parts of AND.
    Raises:
        PromptError: two prompts of one picture have AND, and not as many parts or other weights.
    """
    texts = _texts(arguments)
    if texts is None:
        return None
    pairs: dict[tuple[str, ...], int] = {}
    chosen: list[tuple[int, dict[str, str]]] = []  # of each pair: its prompt, its texts
    rows = []
    for row in range(len(next(iter(texts.values())))):
        timed = []
        over_time = partial(conditioner.over_time, steps=n_steps, again=again, limited=limited)
        own = {name: each[row] for name, each in texts.items()}
        for until, parts in timed_parts(own, over_time, negative=negative):
            found = []
            for each, weight in parts:
                key = (str(row), *each.values())
                if key not in pairs:
                    pairs[key] = len(chosen)
                    chosen.append((row, each))
                if weight != 0.0 or all(w == 0.0 for _, w in parts):
                    found.append((pairs[key], weight))
            timed.append((until, tuple(found)))
        rows.append(tuple(timed))
    return Plan(_expanded(arguments, texts, chosen), tuple(pairs), tuple(rows))


def _expanded(
    arguments: Arguments, texts: Texts, chosen: Sequence[tuple[int, dict[str, str]]]
) -> Arguments:
    """Make the arguments that encode a picture for each pair: its texts, its rows of tensors."""
    rows, n = [row for row, _ in chosen], len(next(iter(texts.values())))
    taken = {
        name: value[rows]
        for name, value in arguments.items()
        if isinstance(value, Tensor) and len(value) == n
    }
    single: dict[str, Any] = {name: 1 for name in arguments if name in NUMBERS}
    image = arguments.get("image")
    if image is not None and "image" not in taken:  # that a text model reads with each prompt
        images = image if isinstance(image, list) else [image] * n
        single["image"] = [images[row] for row in rows]
    wanted = {name: [each[name] for _, each in chosen] for name in texts}
    return {**arguments, **taken, **single, **wanted}


def _texts(arguments: Arguments) -> Texts | None:
    """Find the arguments that are prompts; a text for each picture. None if they do not pair."""
    own = {name: value for name, value in arguments.items() if name.startswith(_PROMPTS)}
    found = {name: texts for name, value in own.items() if (texts := _strings(value))}
    prompt = own.get("prompt")
    if prompt == "":
        found["prompt"] = [""]
    n = len(prompt) if isinstance(prompt, list | tuple) else 1
    if prompt is None:
        n = max((len(each) for each in own.values() if isinstance(each, Tensor)), default=0)
    if not found or any(len(texts) not in (1, n) for texts in found.values()):
        return None
    return {name: texts * n if len(texts) == 1 else texts for name, texts in found.items()}


def _each(arguments: Arguments) -> Iterator[tuple[str, str]]:
    """Yield every prompt and negative, with the name of its argument."""
    for name, value in arguments.items():
        if name.startswith(_PROMPTS):
            yield from ((name, text) for text in _strings(value))


def _strings(value: object) -> list[str]:
    """List the strings of an argument; none if it is empty, or something else."""
    items = [value] if isinstance(value, str) and value else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        return []
    return list(items)
