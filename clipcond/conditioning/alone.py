"""Condition on prompts together, on each as if it were alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clipcond.conditioning import prompt_text
from clipcond.conditioning.explaining import Prompts
from clipcond.conditioning.issues import issues_of
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.prompt_text import Texts, collect_warnings, collected_issues
from clipcond.conditioning.results import Conditioning, Encoded


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


class ConditionsEach:
    """A mixin for a Conditioner: several prompts, each with a length of its own."""

    @abstractmethod
    def _texts(
        self, texts: list[str], texts_2: Prompts | None, *, negative: bool = False
    ) -> list[Texts]: ...

    @abstractmethod
    def _condition(
        self, rows: Sequence[Sequence[Texts]], clip_skip: int | None, *, apart: bool = False
    ) -> list[Encoded]: ...

    def each(self, prompts: Prompts, clip_skip: int | None = None) -> list[ConditionedAlone]:
        """Condition on each prompt as if it were alone, in as few tower calls as for all at once.

        Each result is as long as its own prompt needs, and has the issues of its own prompt.
        Arguments and errors are those of a call.
        """
        texts = prompt_text.list_prompts(prompts)
        with collect_warnings() as warned:
            read = self._texts(texts, None)
            made = self._condition([(prompt,) for prompt in read], clip_skip, apart=True)
        own = [
            {text, *(part.prompt for part in parts)}
            for text, parts in zip(texts, read, strict=True)
        ]
        issues = issues_of(own, collected_issues(warned))
        return [
            ConditionedAlone(replace(encoded.columns[0], issues=found), own_rows(encoded))
            for encoded, found in zip(made, issues, strict=True)
        ]


def own_rows(encoded: Encoded) -> tuple[int, ...]:
    """List the rows of one prompt that are not padding: those of any tower's own tokens.

    Of a mixture, and of what an adapter made, all rows are the prompt's own.
    """
    (conditioning,), ((plans,),) = encoded.columns, encoded.planned
    n_rows, mask = conditioning.embeds.shape[1], conditioning.attention_mask
    if mask is not None:
        return tuple(mask[0].nonzero().flatten().tolist())
    n_chunks = len(plans[0].chunks) * plans[0].n_times + plans[0].n_empty
    n_whole = n_chunks * plans[0].cutter.special.context_length
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
