"""Plan a call: the layer of each tower, what it encodes for each text, and the common length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, TypeAlias

from clipcond.chunking import (
    Token,
    TokenChunk,
    chunk,
    common_length,
    empty_chunk,
    hard,
    pad_tokens,
    tokenize_each,
)
from clipcond.conditioning import cut_text
from clipcond.conditioning.dialect import Dialect
from clipcond.errors import SUBJECT
from clipcond.prompt import Break, ParsedPrompt, parse
from clipcond.tokenizers.base import SpecialTokens, Tokenizer
from clipcond.towers.protocol import ReadsTexts
from clipcond.weighting.mixing import mix, mix_masks, mixed_length

if TYPE_CHECKING:
    from torch import Tensor

    from clipcond.conditioning.cache import ChunkEncoder
    from clipcond.weighting.rule import Normalize, Rule

Chunks: TypeAlias = tuple[TokenChunk, ...]
Tokens: TypeAlias = tuple[Token | Break, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Cutter:
    """What cuts texts into the chunks of one tower, as a dialect has it.

    Args:
        tokenizer, special: the tower's, or what the dialect puts in their place.
        normalize: what happens to weights; None = nothing.
        pooled: whether the tower's pooled vectors are wanted.
        max_chunks: how many chunks of a prompt are kept, if the dialect keeps more.
    """

    tower: ReadsTexts
    tokenizer: Tokenizer
    special: SpecialTokens
    dialect: Dialect
    normalize: Normalize | None = None
    pooled: bool = False
    max_chunks: int | None = None

    def tokenize(self, texts: Mapping[str, ParsedPrompt]) -> dict[str, list[Tokens]]:
        """Turn texts into tokens; a mixture, each of its prompts. One call of the tokenizer."""
        members = [each.members for each in texts.values()]
        tokens = iter(tokenize_each([*chain.from_iterable(members)], self.tokenizer))
        return {text: [*islice(tokens, len(m))] for text, m in zip(texts, members, strict=True)}

    def cut(self, tokens: Tokens, n_tokens: int, prompt: str, n_members: int = 1) -> Chunks:
        """Pad tokens to at least `n_tokens`, and cut them into chunks; warn of what is lost.

        Args:
            prompt: where they come from, for issues.
            n_members: how many prompts of a mixture share the limit.
        """
        if len(tokens) > self.special.room:
            cut_text.warn_cut(tokens, self.tower, prompt)
        padded = pad_tokens(tokens, n_tokens, self.special)
        chunks = chunk(padded, self.special, self.dialect.splitter)
        limit = self._share(n_members)
        lost = () if limit is None else chunks[limit:]
        own_segments = {token.segment for token in tokens if lost and isinstance(token, Token)}
        first = next((c for c in lost if not own_segments.isdisjoint(c.segments)), None)
        if limit is not None and first is not None:
            at = cut_text.first_lost_word(first, chunks[:limit], tokens, prompt, self.tokenizer)
            self._warn_dropped(chunks, limit, (prompt, at))
        elif limit is not None and lost:
            unpadded = chunk(tokens, self.special, self.dialect.splitter)
            if len(unpadded) > limit:  # breaks alone make more
                self._warn_dropped(unpadded, limit, (prompt, max(t.start for t in tokens)))
        chunks = chunks[:limit]
        return chunks if self.normalize is None else tuple(self.normalize(chunks))

    def _warn_dropped(self, chunks: Chunks, limit: int, at: tuple[str, int]) -> None:
        own = self.dialect.max_chunks is None or limit < self.dialect.max_chunks
        name = "max_chunks" if own else f"dialect {self.dialect.name!r}"
        cut_text.warn_dropped(chunks, limit, self.tower, name, at)

    def _share(self, n_members: int) -> int | None:
        """Find how many chunks of a prompt, or of one prompt of a mixture, are kept."""
        share = None if self.max_chunks is None else max(1, self.max_chunks // n_members)
        limits = [n for n in (self.dialect.max_chunks, share) if n is not None]
        return min(limits, default=None)

    def chunks(self, parsed: ParsedPrompt) -> Chunks:
        """Cut a text that has no negative; a mixture, each of its prompts."""
        (rows,) = self.tokenize({parsed.source: parsed}).values()
        return tuple(c for row in rows for c in self.cut(row, 0, parsed.source, len(rows)))

    def n_filled(self, tokens: Sequence[Tokens]) -> int:
        """Count the tokens that a prompt and its negative are both padded to; 0 = they are not."""
        if not self.dialect.fills or self.special.mask_padding:  # masked padding fills nothing
            return 0
        longest = max(sum(isinstance(each, Token) for each in row) for row in tokens)
        limit = self._share(1)
        return longest if limit is None else min(longest, limit * self.special.room)


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What one tower encodes for one text of a call. Equal texts of a call share a plan.

    Args:
        cutter: made its chunks; knows the tower.
        text: what is encoded.
        parsed: the text as its syntax reads it, positions in the prompt.
        members: its chunks; for a mixture, the chunks of each of its prompts.
        pooled: the chunk that gives the pooled vector, without weights; None = no vector is wanted.
        n_times, n_empty: how its rows are brought to the call's length: so many times, and then so
            many empty chunks.
    """

    cutter: Cutter
    text: str
    parsed: ParsedPrompt
    members: tuple[Chunks, ...]
    pooled: TokenChunk | None = None
    n_times: int = 1
    n_empty: int = 0

    @property
    def chunks(self) -> Chunks:
        """The chunks of all members."""
        return tuple(chain.from_iterable(self.members))

    @property
    def empty(self) -> list[TokenChunk]:
        """The empty chunks that bring it to the call's length."""
        return [empty_chunk(self.cutter.special)] * self.n_empty if self.n_empty else []

    @property
    def n_chunks(self) -> int:
        """How many chunks its rows fill before they are brought to the call's length."""
        mixture, sizes = self.parsed.mixture, [len(chunks) for chunks in self.members]
        return sizes[0] if mixture is None else mixed_length(mixture, sizes)

    @property
    def heaviest(self) -> int:
        """Where the segment begins whose weight is farthest from 1; 0 if none is weighted."""
        segment = max(self.parsed.segments, key=lambda each: abs(each.weight - 1.0), default=None)
        return 0 if segment is None or segment.weight == 1.0 else segment.start

    def needs(self, rule: Rule) -> list[TokenChunk]:
        """List what is encoded for it, what the rule needs besides its own chunks included."""
        others = [*self.empty, *([] if self.pooled is None else [self.pooled])]
        if self.parsed.mixture is not None:
            others.append(empty_chunk(self.cutter.special))
        needed = (self._with_needs(rule, chunks) for chunks in self.members)
        return [*chain.from_iterable(needed), *others]

    def _with_needs(self, rule: Rule, chunks: Chunks) -> list[TokenChunk]:
        needs = getattr(rule, "needs", None)
        return [*chunks, *(() if needs is None else needs(chunks, self.cutter.special))]

    def is_streamed(self, rule: Rule, n_at_once: int) -> bool:
        """Whether its chunks are encoded as the rule comes to them: too many to be kept at once."""
        announces = hasattr(rule, "needs") and not getattr(rule, "chunkwise", False)
        return len(self.chunks) > n_at_once and not announces

    def weigh(self, rule: Rule, encode: ChunkEncoder) -> Tensor:
        """Apply the rule, and bring the result to the call's length: hidden states [S D].

        The rule sees the plan's own chunks only. Its warnings point at the heaviest segment.
        """
        subject = SUBJECT.set((self.parsed.source, self.heaviest))
        try:
            parts = [self._apply(rule, chunks, encode) for chunks in self.members]
        finally:
            SUBJECT.reset(subject)
        hidden, mixture = parts[0], self.parsed.mixture
        if mixture is not None:
            hidden = mix(mixture, parts, encode([empty_chunk(encode.special)]).hidden)
        if self.n_times > 1 or self.n_empty:
            own, n_own = hidden, self.n_times * len(hidden)
            hidden = own.new_empty((n_own + self.n_empty, *own.shape[1:]))
            hidden[:n_own].view(self.n_times, *own.shape)[:] = own
            if self.n_empty:
                hidden[n_own:] = encode(self.empty[:1]).hidden
        return hidden.flatten(0, 1)  # [n L D] -> [S D]

    def _apply(self, rule: Rule, chunks: Chunks, encode: ChunkEncoder) -> Tensor:
        """Apply the rule: hidden states [n L D].

        To a long text in parts, if the rule treats each chunk by itself: one result and no copy.
        """
        n = len(chunks)
        if n <= encode.n_at_once or not getattr(rule, "chunkwise", False):
            return rule(chunks, encode).hidden
        size = max(4, encode.n_at_once // 8)  # a rule makes several copies of what it is given
        bounds = list(pairwise([*range(0, max(1, n - size // 2), size), n]))
        needed = [self._with_needs(rule, chunks[start:stop]) for start, stop in bounds]
        result: Tensor | None = None
        for i, (start, stop) in enumerate(bounds):
            encode.prefetch(needed[i], later=islice(needed, i + 1, None))
            hidden = rule(chunks[start:stop], encode).hidden
            result = hidden.new_empty((n, *hidden.shape[1:])) if result is None else result
            result[start:stop] = hidden
        assert result is not None  # there are more chunks than none
        return result

    def mask(self) -> list[int]:
        """The attention mask of the rows that `weigh` gives, [S]."""
        mixture, masks = self.parsed.mixture, [each.attention_mask for each in self.chunks]
        if mixture is not None:
            masks = mix_masks(mixture, self.members)
        masks = masks * self.n_times + [each.attention_mask for each in self.empty]
        return list(chain.from_iterable(masks))

    def with_length(self, n_chunks: int) -> Plan:
        """Append empty chunks, which the rule sees too; leave a mixture as it is."""
        missing = n_chunks - len(self.chunks)
        if self.parsed.mixture is not None or not missing:
            return self
        empty = (empty_chunk(self.cutter.special),) * missing
        return replace(self, members=((*self.chunks, *empty),))

    def finished(self, n_chunks: int) -> Plan:
        """Decide how it is brought to the call's length, and what gives its pooled vector."""
        cutter, dialect, n_own = self.cutter, self.cutter.dialect, self.n_chunks
        n_times = n_chunks // n_own if dialect.repeats and n_chunks % n_own == 0 else 1
        pooled, chunks = None, self.chunks
        if cutter.pooled and dialect.pooled_syntax is not None:
            parsed = parse(self.text, dialect.pooled_syntax)
            (tokens,) = tokenize_each([parsed], cutter.tokenizer)
            chunks = chunk(tokens, cutter.special, hard)
        if cutter.pooled:
            pooled = dialect.pooled(chunks)
        return replace(self, pooled=pooled, n_times=n_times, n_empty=n_chunks - n_times * n_own)


def plan_call(
    rows: Sequence[Sequence[tuple[str, ...]]],
    parsed: Mapping[str, ParsedPrompt],
    cutters: Sequence[Cutter],
    *,
    sizes: Sequence[int] = (),
) -> list[list[tuple[Plan, ...]]]:
    """Plan a call, or several: one plan for each text and tower, all of a call of one length.

    Args:
        sizes: how many of the rows each call has; () = there is one.
        rows: for each prompt, what each tower reads: of the prompt, and of its negative if any.
        parsed: every text that occurs in them.
        cutters: one a tower.
    Returns:
        the same rows, for each text its plan.
    """
    repeats = cutters[0].dialect.repeats
    tokens = {
        cutter: cutter.tokenize({texts[t]: parsed[texts[t]] for row in rows for texts in row})
        for t, cutter in enumerate(cutters)
    }

    @cache
    def plan(cutter: Cutter, text: str, n_tokens: int) -> Plan:
        source, rows = parsed[text].source, tokens[cutter][text]
        members = tuple(cutter.cut(each, n_tokens, source, len(rows)) for each in rows)
        return Plan(cutter, text, parsed[text], members)

    def plan_row(row: Sequence[tuple[str, ...]]) -> list[tuple[Plan, ...]]:
        n_tokens = [
            cutter.n_filled([each for texts in row for each in tokens[cutter][texts[t]]])
            for t, cutter in enumerate(cutters)
        ]
        return [tuple(map(plan, cutters, texts, n_tokens)) for texts in row]

    planned = [plan_row(row) for row in rows]
    if repeats and len(cutters) > 1:  # both towers must repeat the same number of rows
        lengthen = cache(Plan.with_length)
        for row in planned:
            for i, plans in enumerate(row):
                n_chunks = max(len(plan.chunks) for plan in plans)
                row[i] = tuple(lengthen(plan, n_chunks) for plan in plans)
    finish = cache(Plan.finished)

    def finished(rows: Sequence[Sequence[tuple[Plan, ...]]]) -> list[list[tuple[Plan, ...]]]:
        counts = {plan.n_chunks for row in rows for plans in row for plan in plans}
        n_chunks = common_length(counts, repeats=repeats)
        return [[tuple(finish(p, n_chunks) for p in plans) for plans in row] for row in rows]

    left = iter(planned)
    return [row for n in sizes or (len(planned),) for row in finished([*islice(left, n)])]
