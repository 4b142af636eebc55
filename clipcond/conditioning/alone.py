"""Answer several calls of a Conditioner together, each as if it were made alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from clipcond.conditioning import prompt_text
from clipcond.conditioning.explaining import Prompts
from clipcond.conditioning.issues import issues_of
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.prompt_text import Texts, collect_warnings, collected_issues
from clipcond.conditioning.results import Conditioning, Encoded, with_zeros

# The prompts of a call and, of a guided one, its negatives: one for all, or one for each.
Call: TypeAlias = "tuple[Prompts] | tuple[Prompts, Prompts]"


@dataclass(frozen=True, slots=True)
class ConditionedAlone:
    """One prompt's conditioning, as long as the prompt alone needs.

    Args:
        conditioning: of a batch of one.
        rows: which of its rows belong to the prompt, bos and eos included, ascending; the others
            are padding.
    """

    conditioning: Conditioning
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What one of several calls gives.

    Args:
        columns: of its prompts and, of a guided call, of its negatives; equally long.
        rows: which of their rows belong to any of them, bos and eos included, ascending.
    """

    columns: tuple[Conditioning, ...]
    rows: tuple[int, ...]


@dataclass(slots=True)
class _Round:
    """Calls in which a text comes from one prompt only, as a prompt or as a negative."""

    sources: dict[str, tuple[str, bool]]
    members: list[int]


class ConditionsEach:
    """A mixin for a Conditioner: several prompts, or calls, each with a length of its own."""

    @abstractmethod
    def _texts(
        self, texts: list[str], texts_2: Prompts | None, *, negative: bool = False
    ) -> list[Texts]: ...

    @abstractmethod
    def _condition(
        self, rows: Sequence[Sequence[Texts]], clip_skip: int | None, *, sizes: Sequence[int] = ()
    ) -> list[Encoded]: ...

    @abstractmethod
    def _gives_zeros(self, negative: Texts | None) -> bool: ...

    def each(self, prompts: Prompts, clip_skip: int | None = None) -> list[ConditionedAlone]:
        """Condition on each prompt as if it were alone, in as few tower calls as for all at once.

        Each result is as long as its own prompt needs, and has the issues of its own prompt.
        Arguments and errors are those of a call.
        """
        texts = prompt_text.list_prompts(prompts)
        with collect_warnings() as warned:
            read = self._texts(texts, None)
            rows = [(prompt,) for prompt in read]
            made = self._condition(rows, clip_skip, sizes=[1] * len(rows))
        own = [_sources(*each) for each in zip(texts, read, strict=True)]
        issues = issues_of(own, collected_issues(warned))
        return [
            ConditionedAlone(replace(encoded.columns[0], issues=found), own_rows(encoded))
            for encoded, found in zip(made, issues, strict=True)
        ]

    def together(self, calls: Sequence[Call], clip_skip: int | None = None) -> list[Answered]:
        """Answer several calls in as few tower calls as for one.

        Each answer is that of a call of its own, its length, zeros and issues included: of
        `conditioner(prompts)`, or of `conditioner.guided(prompts, negatives)`.

        Args:
            calls: (prompts,) or (prompts, negatives); either all are guided, or none is.
            clip_skip: for all of them.
        Raises:
            PromptError, ...: as a call, of any of them.
        """
        given = [_listed(call) for call in calls]
        with collect_warnings():
            read = [
                [self._texts(texts, None, negative=i > 0) for i, texts in enumerate(columns)]
                for columns in given
            ]
        answered: dict[int, Answered] = {}
        for members in _rounds(read):
            chosen = [given[i] for i in members], [read[i] for i in members]
            answered |= zip(members, self._answer(*chosen, clip_skip), strict=True)
        return [answered[i] for i in range(len(calls))]

    def _answer(
        self, given: list[list[list[str]]], read: list[list[list[Texts]]], clip_skip: int | None
    ) -> list[Answered]:
        """Answer calls that have no text in common, or the same prompts for it."""
        rows = [row for columns in read for row in zip(*columns, strict=True)]
        with collect_warnings() as warned:
            made = self._condition(rows, clip_skip, sizes=[len(columns[0]) for columns in read])
        sides = [
            set[str]().union(*map(_sources, *side))
            for columns in zip(given, read, strict=True)
            for side in zip(*columns, strict=True)
        ]
        issues = iter(issues_of(sides, collected_issues(warned)))
        found = []
        for encoded, texts in zip(made, read, strict=True):
            columns = encoded.columns
            if len(columns) > 1:
                zeros = [self._gives_zeros(each) for each in texts[1]]
                columns = [columns[0], with_zeros(columns[1], zeros)]
            own = tuple(replace(column, issues=next(issues)) for column in columns)
            found.append(Answered(own, own_rows(encoded)))
        return found


def _listed(call: Call) -> list[list[str]]:
    prompts, *negatives = call
    texts = prompt_text.list_prompts(prompts)
    return [
        texts,
        *(prompt_text.list_each(each, len(texts), "negative prompt") for each in negatives),
    ]


def _sources(text: str, parts: Texts) -> set[str]:
    """List the prompts that issues of a text may be about."""
    return {text, *(part.prompt for part in parts)}


def _rounds(read: Sequence[Sequence[Sequence[Texts]]]) -> list[list[int]]:
    """Divide calls so that no text comes from two prompts, of which issues would name one.

    Nor is a text both a prompt and a negative: their issues are worded otherwise.
    """
    rounds: list[_Round] = []
    for i, columns in enumerate(read):
        own = {
            part.text: (part.prompt, side > 0)
            for side, column in enumerate(columns)
            for parts in column
            for part in parts
        }
        fits = (r for r in rounds if all(r.sources.get(text, of) == of for text, of in own.items()))
        chosen = next(fits, None)
        if chosen is None:
            rounds.append(_Round(own, [i]))
        else:
            chosen.sources.update(own)
            chosen.members.append(i)
    return [each.members for each in rounds]


def own_rows(encoded: Encoded) -> tuple[int, ...]:
    """List the rows of prompts of one length that are not padding: any tower's own tokens.

    Of a mixture, and of what an adapter made, all rows are the prompt's own.
    """
    conditioning = encoded.columns[0]
    n_rows = conditioning.embeds.shape[1]
    masks = [c.attention_mask for c in encoded.columns if c.attention_mask is not None]
    if masks:
        seen = sum(mask.sum(dim=0) for mask in masks)
        assert not isinstance(seen, int)  # there are masks
        return tuple(seen.nonzero().flatten().tolist())
    plans = [plan for row in encoded.planned for plans in row for plan in plans]
    first = encoded.planned[0][0][0]
    n_chunks = len(first.chunks) * first.n_times + first.n_empty
    n_whole = n_chunks * first.cutter.special.context_length
    places = range(n_whole) if encoded.kept is None else encoded.kept
    if len(places) != n_rows or any(plan.parsed.mixture is not None for plan in plans):
        return tuple(range(n_rows))
    own = {place for plan in plans for place in _places(plan)}
    return tuple(row for row, place in enumerate(places) if place in own)


def _places(plan: Plan) -> list[int]:
    """List where a plan's own tokens are, bos and eos included, among the rows of all chunks."""
    special = plan.cutter.special
    length, found = special.context_length, list[int]()
    for i, chunk in enumerate(plan.chunks * plan.n_times):
        stop = chunk.places.stop
        eos = length - 1 if special.eos_last else stop
        found += [*range(i * length, i * length + stop), i * length + eos]
    return found
