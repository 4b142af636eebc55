"""Say which rows of embeds each token of a prompt is in, from the plans that were encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from clipcond.chunking import TokenChunk
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.prompt_text import PromptText, Texts
from clipcond.prompt import ParsedPrompt, Segment

if TYPE_CHECKING:
    from clipcond.adapters.base import AdapterConfig

ChooseRows: TypeAlias = Callable[[Sequence[Sequence[TokenChunk]]], Sequence[int]]
# The plans of some prompts: of each, of the prompt and its negative if any, one a tower.
Planned: TypeAlias = Sequence[Sequence[tuple[Plan, ...]]]


def kept_rows(planned: Planned, choose: ChooseRows) -> Sequence[int]:
    """Choose the rows that a dialect hands on of prompts that share a length."""
    n_towers = range(len(planned[0][0]))
    own = [dict.fromkeys(each[t] for row in planned for each in row) for t in n_towers]
    return choose([plan.chunks for each in own for plan in each])


@dataclass(frozen=True, slots=True)
class PlacedToken:
    """One token of text.

    Args:
        id: of the tower's vocabulary.
        rows: of the embeds; several where a dialect repeats a prompt, none where it was dropped.
        segment: which part of the parsed prompt it comes from.
    """

    id: int
    rows: tuple[int, ...]
    segment: int


@dataclass(frozen=True, slots=True)
class EncodedText:
    """What one tower encoded of a prompt.

    Args:
        text: what was read.
        plan: its chunks.
        members: the tokens of text in order; of a mixture, those of each of its prompts.
    """

    text: PromptText
    plan: Plan
    members: tuple[tuple[PlacedToken, ...], ...]


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """The rows of one prompt: S of them, and for each tower the tokens in them.

    `has_places`: whether rows are tokens' places; an adapter's learned queries are not.
    """

    n_rows: int
    towers: tuple[EncodedText, ...]
    has_places: bool = True

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows that hold a token of text, in order."""
        own = (each.rows for t in self.towers for tokens in t.members for each in tokens)
        return tuple(sorted({row for rows in own for row in rows}))

    def lengthened(self, n_rows: int, *, repeats: bool) -> EncodedPrompt:
        """Make it of more rows: of the same again where the dialect repeats, else without text."""
        n_times, rest = divmod(n_rows, self.n_rows)
        if n_times == 1 or rest or not repeats:
            return EncodedPrompt(n_rows, self.towers, self.has_places)

        def repeated(token: PlacedToken) -> PlacedToken:
            rows = (row + i * self.n_rows for i in range(n_times) for row in token.rows)
            return PlacedToken(token.id, tuple(rows), token.segment)

        towers = (
            EncodedText(t.text, t.plan, tuple(tuple(map(repeated, own)) for own in t.members))
            for t in self.towers
        )
        return EncodedPrompt(n_rows, tuple(towers), self.has_places)


# What collects it; None = nobody does.
NOTED: ContextVar[list[tuple[EncodedPrompt, ...]] | None] = ContextVar("noted", default=None)


@contextmanager
def note_tokens() -> Iterator[list[tuple[EncodedPrompt, ...]]]:
    """Collect, for each call of a Conditioner inside, what it encodes of its prompts.

    Those of a call are in its order, negatives left out.
    """
    noted: list[tuple[EncodedPrompt, ...]] = []
    token = NOTED.set(noted)
    try:
        yield noted
    finally:
        NOTED.reset(token)


def note(
    texts: Sequence[Texts],
    plans: Sequence[tuple[Plan, ...]],
    kept: Sequence[int] | None,
    adapter: AdapterConfig | None,
) -> None:
    """Note what a call encodes, if anyone collects it.

    Args:
        texts, plans: of each prompt, one a tower.
        kept: the rows that are handed on; None = all.
        adapter: what maps the tower's rows, if anything does.
    """
    noted = NOTED.get()
    if noted is not None:
        pairs = zip(texts, plans, strict=True)
        noted.append(tuple(_encoded(own, each, kept, adapter) for own, each in pairs))


def _encoded(
    texts: Texts, plans: tuple[Plan, ...], kept: Sequence[int] | None, adapter: AdapterConfig | None
) -> EncodedPrompt:
    length = plans[0].cutter.special.context_length if adapter is None else adapter.length
    n_all = length * (plans[0].n_chunks * plans[0].n_times + plans[0].n_empty)
    rows = range(n_all) if kept is None else kept
    place_of = {row: i for i, row in enumerate(rows)}
    towers = tuple(
        EncodedText(text, plan, _members(plan, length, place_of))
        for text, plan in zip(texts, plans, strict=True)
    )
    return EncodedPrompt(len(rows), towers, adapter is None or adapter.kind == "linear")


def _members(
    plan: Plan, length: int, place_of: dict[int, int]
) -> tuple[tuple[PlacedToken, ...], ...]:
    """Place the tokens of each prompt of a plan.

    Args:
        length: of a chunk, in rows.
        place_of: row -> its place among those that are handed on.
    """
    mixture, n_own = plan.parsed.mixture, plan.n_chunks * length
    sizes = [len(chunks) for chunks in plan.members]
    is_joined = mixture is not None and mixture.mode == "join"
    firsts = [*accumulate(sizes[:-1], initial=0)] if is_joined else [0] * len(sizes)

    def place(chunk: TokenChunk, first: int, i: int) -> PlacedToken:
        every = (first + i + n * n_own for n in range(plan.n_times))
        rows = tuple(place_of[row] for row in every if row in place_of)
        return PlacedToken(chunk.input_ids[i], rows, chunk.segments[i])

    return tuple(
        tuple(
            place(chunk, (first + c) * length, i)
            for c, chunk in enumerate(chunks)
            for i in chunk.places
            if _is_text(parsed, chunk.segments[i])
        )
        for chunks, first, parsed in zip(plan.members, firsts, plan.parsed.members, strict=True)
    )


def _is_text(parsed: ParsedPrompt, segment: int) -> bool:
    """Whether a part of a prompt is text; padding that counts as text is behind its last part."""
    part = parsed.parts[segment] if segment < len(parsed.parts) else None
    return isinstance(part, Segment) and not part.text.isspace()
