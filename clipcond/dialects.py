"""The table of dialects: how each tool reads, cuts, weighs and pools a prompt. One row a tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from clipcond.chunking import Splitter, TokenChunk, comma_backtrack, hard
from clipcond.errors import UnknownNameError
from clipcond.prompt import ParsedPrompt
from clipcond.weighting import Normalize, Rule

__all__ = ["DIALECTS", "Dialect", "find_dialect"]

PooledRule: TypeAlias = Callable[[Sequence[TokenChunk]], TokenChunk]
ZeroRule: TypeAlias = Callable[[Sequence[str] | None], bool]


def first_chunk(chunks: Sequence[TokenChunk]) -> TokenChunk:
    """The pooled vector is that of the first chunk, without weights."""
    return chunks[0]


def last_chunk(chunks: Sequence[TokenChunk]) -> TokenChunk:
    """The pooled vector is that of the last chunk, without weights."""
    return chunks[-1]


def never(negatives: Sequence[str] | None) -> bool:
    """Negatives are always encoded; none at all is the empty prompt."""
    return False


def if_missing(negatives: Sequence[str] | None) -> bool:
    """No negative at all is zeros; the empty string is encoded."""
    return negatives is None


def if_all_empty(negatives: Sequence[str] | None) -> bool:
    """Negatives that are all the empty string are zeros; a single space is encoded."""
    return not any(negatives or ())


@dataclass(frozen=True, slots=True)
class Dialect:
    """One tool's way from a prompt to a conditioning.

    Args:
        name: how it is called.
        syntax: a name for `clipcond.parse`, or a function from a prompt to a ParsedPrompt.
        splitter: how a text longer than one chunk is cut.
        weighting: the rule, by name or itself.
        normalize: what happens to weights before the rule, by name or itself.
        pooled: which of a prompt's chunks (or which other chunk) gives the pooled vector.
        zero_negative: for which negatives (None = none given) a pair of towers gives zeros.
        max_chunks: what a prompt needs beyond is dropped, with a warning; None = no limit.
        settles: whether `[a:b:0.5]`, `[a|b]` and AND are its syntax, so that one encoding shows
            the prompt as it is at the last step.
    """

    name: str
    syntax: str | Callable[[str], ParsedPrompt]
    splitter: Splitter
    weighting: str | Rule
    normalize: str | Normalize = "none"
    pooled: PooledRule = first_chunk
    zero_negative: ZeroRule = never
    max_chunks: int | None = None
    settles: bool = False


DIALECTS: dict[str, Dialect] = {
    row.name: row
    for row in (
        Dialect(
            "a1111",
            syntax="a1111",
            splitter=comma_backtrack(),
            weighting="scale_mean",
            zero_negative=if_all_empty,
            settles=True,
        ),
        Dialect(
            "diffusers",
            syntax="plain",
            splitter=hard,
            weighting="none",
            zero_negative=if_missing,
            max_chunks=1,
        ),
        Dialect("plain", syntax="plain", splitter=comma_backtrack(), weighting="none"),
    )
}


def find_dialect(dialect: str | Dialect) -> Dialect:
    """A dialect by name, or the dialect itself.

    Raises:
        UnknownNameError: no such name; says which is meant.
    """
    if isinstance(dialect, Dialect):
        return dialect
    if not isinstance(dialect, str) or dialect not in DIALECTS:
        raise UnknownNameError("dialect", dialect, DIALECTS)
    return DIALECTS[dialect]
