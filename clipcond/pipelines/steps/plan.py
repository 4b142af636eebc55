"""Plan a call over time: the texts of each step, the weights of its parts, and one call for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

from torch import Tensor

from clipcond.conditioning.settled import OverTime, Settled, SettlesTexts
from clipcond.errors import PromptError
from clipcond.pipelines.prompt_embeds import EncodePromptArguments

__all__ = ["Part", "Plan", "changes", "plan_steps"]

Part: TypeAlias = tuple[int, float]  # a pair of texts of the plan, and its weight
Texts: TypeAlias = dict[str, list[str]]  # argument -> its text for each prompt of the batch


@dataclass(frozen=True, slots=True)
class Plan:
    """What each prompt of a call is drawn with at each step.

    Args:
        call: the call that encodes it all: a prompt and its negative for every pair of texts.
        texts: the texts of each pair, for comparison.
        rows: for each prompt of the batch, (until_step, its parts) in order.
    """

    call: EncodePromptArguments
    texts: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[tuple[int, tuple[Part, ...]], ...], ...]

    def parts(self, row: int, step: int) -> tuple[Part, ...]:
        """Find the parts of a prompt of the batch at a step, counted from 0.

        A1111 counts its steps from 0 and takes the first entry of the schedule that does not end
        before: a text that ends at step 5 is drawn in six.
        """
        timed = self.rows[row]
        return next((parts for until, parts in timed if step <= until), timed[-1][1])

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
    return 1.0 - sum(weight for _, weight in parts)


def changes(call: EncodePromptArguments, conditioner: SettlesTexts) -> bool:
    """Whether a prompt or negative of the call may change over the steps, or have parts."""
    values = (getattr(call, field.name) for field in fields(call))
    return any(conditioner.changes(text) for value in values for text in _strings(value))


def plan_steps(call: EncodePromptArguments, conditioner: SettlesTexts, n_steps: int) -> Plan | None:
    """Plan a call that takes `n_steps` steps; None if its prompts and negatives do not pair.

    Raises:
        PromptError: two prompts of one picture have AND, and not as many parts.
    """
    texts = _texts(call)
    if texts is None:
        return None
    pairs: dict[tuple[str, ...], int] = {}
    chosen: list[tuple[int, dict[str, str]]] = []  # of each pair: its prompt, its texts
    rows = []
    for row in range(len(next(iter(texts.values())))):
        timed = []
        for until, parts in _timeline({n: t[row] for n, t in texts.items()}, conditioner, n_steps):
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
    wanted = {name: [each[name] for _, each in chosen] for name in texts}
    expanded = _expanded(call, [row for row, _ in chosen], len(rows))
    return Plan(replace(expanded, **wanted), tuple(pairs), tuple(rows))


def _timeline(
    texts: dict[str, str], conditioner: SettlesTexts, n_steps: int
) -> Iterator[tuple[int, list[tuple[dict[str, str], float]]]]:
    """Yield, for each last step, the texts and weight of every part of one prompt."""
    timed = {
        name: conditioner.over_time(text, n_steps, negative=name.startswith("negative"))
        for name, text in texts.items()
    }
    for until in sorted({until for each in timed.values() for until, _ in each}):
        now = {name: _at(each, until) for name, each in timed.items()}
        n_parts = max(map(len, now.values()))
        for name, parts in now.items():
            if len(parts) not in (1, n_parts):
                message = f"{len(parts)} parts in one prompt, {n_parts} in another"
                remedy = "Write AND in one of the two prompts, or as often in both."
                raise PromptError(message, texts[name], texts[name].find("AND"), remedy)
        mixed = []
        for i in range(n_parts):
            own = {name: parts[i % len(parts)] for name, parts in now.items()}
            several = [weight for n, (_, weight) in own.items() if len(now[n]) == n_parts]
            mixed.append(({name: text for name, (text, _) in own.items()}, several[0]))
        yield until, mixed


def _at(timed: OverTime, step: int) -> tuple[tuple[Settled, float], ...]:
    return next(parts for until, parts in timed if step <= until)


def _texts(call: EncodePromptArguments) -> Texts | None:
    """Find the arguments that are prompts; a text for each picture. None if they do not pair."""
    given = {field.name: getattr(call, field.name) for field in fields(call)}
    found = {name: _strings(value) for name, value in given.items()}
    found = {name: texts for name, texts in found.items() if texts and name.startswith(_PROMPTS)}
    tensors = [v for n, v in given.items() if isinstance(v, Tensor) and n.startswith(_PROMPTS)]
    n = len(given["prompt"]) if isinstance(given["prompt"], list | tuple) else 1
    if given["prompt"] is None:
        n = max(map(len, tensors), default=0)
    if any(len(texts) not in (1, n) for texts in found.values()):
        return None
    return {name: texts * n if len(texts) == 1 else texts for name, texts in found.items()}


_PROMPTS = ("prompt", "negative_prompt")


def _strings(value: object) -> list[str]:
    """List the strings of an argument; none if it is empty, or something else."""
    items = [value] if isinstance(value, str) and value else value
    is_texts = isinstance(items, list | tuple) and all(isinstance(item, str) for item in items)
    return list(items) if is_texts else []  # type: ignore[arg-type]  # the line above


def _expanded(call: EncodePromptArguments, rows: list[int], n: int) -> EncodePromptArguments:
    """Take the tensors of a call once for each pair; one picture for each."""
    taken = {
        field.name: value[rows]
        for field in fields(call)
        if isinstance(value := getattr(call, field.name), Tensor) and len(value) == n
    }
    return replace(call, num_images_per_prompt=1, **taken)
