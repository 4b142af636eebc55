"""Prompts to chunks as a dialect lays them out, a prompt together with its negative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from clipcond import notices
from clipcond.chunking import TokenChunk, chunk, empty_chunk, fill
from clipcond.dialects import Dialect
from clipcond.prompt import Break, ParsedPrompt
from clipcond.tokens import Token, tokenize
from clipcond.towers.base import TextTower
from clipcond.weighting import Normalize

__all__ = ["Chunks", "Key", "Layout", "lay_out", "one_prompt"]

Chunks: TypeAlias = tuple[TokenChunk, ...]
Tokens: TypeAlias = tuple[Token | Break, ...]
Group: TypeAlias = Sequence[tuple[str, ...]]  # what each tower reads, for each prompt


class Key(NamedTuple):
    """A text, and what it is filled up to at least: so many tokens, so many chunks."""

    text: str
    n_tokens: int
    n_chunks: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The chunks that a call needs, equal prompts once.

    Args:
        columns: for each tower, the chunks of each key.
        keys: for each group of prompts and each prompt, its key in every column.
    """

    columns: list[dict[Key, Chunks]] = field(default_factory=list)
    keys: list[list[tuple[Key, ...]]] = field(default_factory=list)

    @property
    def prompts(self) -> list[Chunks]:
        """The chunks of every prompt of every tower."""
        return [chunks for column in self.columns for chunks in column.values()]


def one_prompt(
    parsed: ParsedPrompt, tower: TextTower, dialect: Dialect, normalize: Normalize
) -> Chunks:
    """The chunks of a prompt that has no negative."""
    return _cut(tokenize(parsed, tower.tokenizer), tower, dialect, normalize)


def lay_out(
    groups: Sequence[Group],
    parsed: Mapping[str, ParsedPrompt],
    towers: Sequence[TextTower],
    dialect: Dialect,
    normalize: Normalize,
) -> Layout:
    """Cut the prompts of a call.

    Args:
        groups: prompts, or prompts and as many negatives.
        parsed: every text that occurs in them.
        normalize: what happens to weights.
    """
    layout = Layout(keys=[[()] * len(group) for group in groups])
    for t, tower in enumerate(towers):
        texts = {prompt[t] for group in groups for prompt in group}
        tokens = {text: tokenize(parsed[text], tower.tokenizer) for text in texts}
        column: dict[Key, Chunks] = {}
        for i, prompts in enumerate(zip(*groups, strict=True)):  # a prompt and its negative
            pair = [prompt[t] for prompt in prompts]
            n_tokens = _n_filled([tokens[text] for text in pair], tower, dialect)
            for keys, text in zip(layout.keys, pair, strict=True):
                key = Key(text, n_tokens)
                keys[i] += (key,)
                if key not in column:
                    column[key] = _cut(tokens[text], tower, dialect, normalize, n_tokens)
        layout.columns.append(column)
    return _paired(layout, towers, dialect) if dialect.repeats and len(towers) > 1 else layout


def _paired(layout: Layout, towers: Sequence[TextTower], dialect: Dialect) -> Layout:
    """Append empty chunks where one tower has fewer of them for a prompt than the other.

    Elsewhere the shorter prompt is filled up anyway, in all towers; where it is repeated, the
    towers must have repeated the same number of rows.
    """
    paired = Layout([{} for _ in towers], [[] for _ in layout.keys])
    for keys, new_keys in zip(layout.keys, paired.keys, strict=True):
        for pair in keys:
            both = [column[key] for column, key in zip(layout.columns, pair, strict=True)]
            n_chunks = max(map(len, both))
            new = tuple(key._replace(n_chunks=n_chunks) for key in pair)
            new_keys.append(new)
            for t, tower in enumerate(towers):
                empty = (empty_chunk(dialect.frame(tower.special)),)
                paired.columns[t][new[t]] = (*both[t], *empty * (n_chunks - len(both[t])))
    return paired


def _n_filled(prompts: Sequence[Tokens], tower: TextTower, dialect: Dialect) -> int:
    """How many tokens a prompt and its negative are both filled up to; 0 = they are not."""
    if not dialect.fills or tower.special.mask_padding:  # what is masked fills nothing
        return 0
    longest, limit = max(len(tokens) for tokens in prompts), dialect.max_chunks
    return longest if limit is None else min(longest, limit * tower.special.room)


def _cut(
    tokens: Tokens, tower: TextTower, dialect: Dialect, normalize: Normalize, n_tokens: int = 0
) -> Chunks:
    special, limit = dialect.frame(tower.special), dialect.max_chunks
    chunks = chunk(fill(tokens, n_tokens, special), special, dialect.splitter)
    if limit is not None and len(chunks) > limit:
        notices.warn_dropped(chunks, limit, tower, dialect.name)
    return tuple(normalize(chunks[:limit]))
