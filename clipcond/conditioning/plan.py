"""Prompts to chunks as a dialect lays them out, a prompt together with its negative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, chunk, empty_chunk, fill, hard
from clipcond.chunking.tokens import Token, tokenize
from clipcond.conditioning import checks
from clipcond.conditioning.dialects import Dialect
from clipcond.prompt import Break, ParsedPrompt, parse
from clipcond.towers.base import TextTower
from clipcond.weighting import Encode, Mixed, Normalize, Rule

__all__ = ["Chunks", "Key", "Layout", "Whole", "lay_out", "one_prompt", "pooled_chunk"]

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
        columns: for each tower, the chunks of each key; of a mixture, those of all its members.
        keys: for each group of prompts and each prompt, its key in every column.
        mixtures: for each tower, which keys are mixtures.
    """

    columns: list[dict[Key, Chunks]] = field(default_factory=list)
    keys: list[list[tuple[Key, ...]]] = field(default_factory=list)
    mixtures: list[dict[Key, Mixed]] = field(default_factory=list)

    @property
    def prompts(self) -> list[Chunks]:
        """The chunks of every prompt of every tower."""
        return [chunks for column in self.columns for chunks in column.values()]

    @property
    def lengths(self) -> list[int]:
        """How many chunks the conditioning of every prompt of every tower has."""
        return [
            mixed[key].n_chunks if key in mixed else len(chunks)
            for column, mixed in zip(self.columns, self.mixtures, strict=True)
            for key, chunks in column.items()
        ]


@dataclass(frozen=True, slots=True)
class Whole:
    """One prompt as a tower encodes it: its rule's chunks so many times, then empty chunks."""

    rule: Rule
    chunks: Chunks
    masks: list[tuple[int, ...]]
    n_times: int
    n_missing: int

    @classmethod
    def of(
        cls, rule: Rule, chunks: Chunks, mixed: Mixed | None, length: int, *, repeats: bool
    ) -> Whole:
        masks = [chunk.attention_mask for chunk in chunks]
        if mixed is not None:
            rule, masks = mixed.over(rule), mixed.masks(chunks)
        n_times = length // len(masks) if repeats and length % len(masks) == 0 else 1
        return cls(rule, chunks, masks, n_times, length - n_times * len(masks))

    def encoded(self, encode: Encode) -> Tensor:
        """Hidden states [n L D], lengthened behind the rule, which sees only its own chunks."""
        hidden = torch.cat([self.rule(self.chunks, encode).hidden] * self.n_times)
        if not self.n_missing:
            return hidden
        fill = encode([empty_chunk(encode.special)] * self.n_missing).hidden
        return torch.cat([hidden, fill])


def one_prompt(
    parsed: ParsedPrompt, tower: TextTower, dialect: Dialect, normalize: Normalize
) -> Chunks:
    """The chunks of a prompt that has no negative; of a mixture, those of all its members."""
    members = [tokenize(member, dialect.reads(tower)) for member in parsed.members]
    cut = (_cut(tokens, tower, dialect, normalize) for tokens in members)
    return tuple(chain.from_iterable(cut))


def pooled_chunk(
    text: str, chunks: Sequence[TokenChunk], tower: TextTower, dialect: Dialect
) -> TokenChunk:
    """The chunk that gives a prompt's pooled vector."""
    if dialect.pooled_syntax is not None:
        tokens = tokenize(parse(text, dialect.pooled_syntax), dialect.reads(tower))
        chunks = chunk(tokens, dialect.frame(tower.special), hard)
    return dialect.pooled(chunks)


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
        tokens = {
            text: [tokenize(member, dialect.reads(tower)) for member in parsed[text].members]
            for text in texts
        }
        column: dict[Key, Chunks] = {}
        mixtures: dict[Key, Mixed] = {}
        for i, prompts in enumerate(zip(*groups, strict=True)):  # a prompt and its negative
            pair = [prompt[t] for prompt in prompts]
            n_tokens = _n_filled([run for text in pair for run in tokens[text]], tower, dialect)
            for keys, text in zip(layout.keys, pair, strict=True):
                key = Key(text, n_tokens)
                keys[i] += (key,)
                if key in column:
                    continue
                cut = [_cut(run, tower, dialect, normalize, n_tokens) for run in tokens[text]]
                column[key] = tuple(chain.from_iterable(cut))
                mixture = parsed[text].mixture
                if mixture is not None:
                    mixtures[key] = Mixed(mixture, tuple(map(len, cut)))
        layout.columns.append(column)
        layout.mixtures.append(mixtures)
    return _paired(layout, towers, dialect) if dialect.repeats and len(towers) > 1 else layout


def _paired(layout: Layout, towers: Sequence[TextTower], dialect: Dialect) -> Layout:
    """Append empty chunks where one tower has fewer of them for a prompt than the other.

    Elsewhere the shorter prompt is filled up anyway, in all towers; where it is repeated, the
    towers must have repeated the same number of rows.
    """
    paired = Layout([{} for _ in towers], [[] for _ in layout.keys], [{} for _ in towers])
    for keys, new_keys in zip(layout.keys, paired.keys, strict=True):
        for pair in keys:
            both = [column[key] for column, key in zip(layout.columns, pair, strict=True)]
            n_chunks = max(map(len, both))
            new = tuple(key._replace(n_chunks=n_chunks) for key in pair)
            new_keys.append(new)
            for t, tower in enumerate(towers):
                mixed = layout.mixtures[t].get(pair[t])
                if mixed is not None:  # its own chunks must stay what they are
                    paired.columns[t][new[t]], paired.mixtures[t][new[t]] = both[t], mixed
                    continue
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
    checks.warn_cut(tokens, tower)
    chunks = chunk(fill(tokens, n_tokens, special), special, dialect.splitter)
    if limit is not None and len(chunks) > limit:
        checks.warn_dropped(chunks, limit, tower, dialect.name)
    return tuple(normalize(chunks[:limit]))
