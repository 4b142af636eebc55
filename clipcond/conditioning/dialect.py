"""Define what a dialect is: how one tool reads, cuts, weighs and pools a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from clipcond.chunking import Splitter, TokenChunk, joined_rows
from clipcond.prompt import ParsedPrompt
from clipcond.tokenizers.base import SpecialTokens, Tokenizer
from clipcond.tokenizers.open_clip import with_open_clip_cleaning, with_transformers_cleaning
from clipcond.towers.protocol import ReadsTexts

if TYPE_CHECKING:
    from clipcond.weighting.rule import Normalize, Rule

Prompts: TypeAlias = Sequence[Sequence[TokenChunk]]

# The chunk that gives the pooled vector, without weights.
first_chunk, last_chunk = itemgetter(0), itemgetter(-1)


def transformers_tokenizer(tower: ReadsTexts) -> Tokenizer:
    """Use transformers' tokenizer for a tower with CLIP's vocabulary, else the tower's own."""
    return with_transformers_cleaning(tower.tokenizer)


def trainer_tokenizer(tower: ReadsTexts) -> Tokenizer:
    """Use open_clip's for its own towers, whose padding is not eos; else transformers'."""
    is_open_clip = tower.special.pad != tower.special.eos
    return (
        with_open_clip_cleaning(tower.tokenizer) if is_open_clip else transformers_tokenizer(tower)
    )


def padded_with_eos(special: SpecialTokens) -> SpecialTokens:
    """Pad with eos, also in towers that were trained with another padding."""
    return replace(special, pad=special.eos)


def closed_with_eos(special: SpecialTokens) -> SpecialTokens:
    """Put the padding behind the text, and eos at the end of the chunk."""
    return replace(special, eos_last=True)


def without_padding(prompts: Prompts) -> list[int]:
    """Keep the rows up to the last eos of the prompt that has most text in the last chunk."""
    n_chunks = max(map(len, prompts))
    eos = max(chunks[-1].places.stop for chunks in prompts if len(chunks) == n_chunks)
    length = len(prompts[0][0].input_ids)
    return list(range((n_chunks - 1) * length + eos + 1))


def without_inner_frames(prompts: Prompts) -> list[int]:
    """Keep all rows but the eos and bos between two chunks."""
    return joined_rows(max(map(len, prompts)), len(prompts[0][0].input_ids))


def if_missing(negatives: Sequence[str] | None) -> bool:
    """Give zeros if there is no negative at all; the empty string is encoded."""
    return negatives is None


def if_empty(negatives: Sequence[str] | None) -> bool:
    """Give zeros for the empty string, for both towers; a single space is encoded."""
    return not any(negatives or ())


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a prompt becomes segments and tokens.

    Args:
        syntax: a name for `clipcond.parse`, or a function from a prompt to a ParsedPrompt, with a
            keyword `fullwidth` if it can read full-width punctuation.
        takes_out: whether `<lora:x:0.8>`, any `<word:arguments>`, and comments behind `#` are taken
            out of a prompt before it is read, as A1111's user interface does.
        settles: whether `[a:b:0.5]`, `[a|b]` and AND are its syntax, so that one encoding shows
            the prompt as it is at the last step.
        tokenizer: chooses the tokenizer for a tower; None = the tower's own.
        appends_second: whether a pair of towers both read "prompt prompt_2", not each its own.
    """

    syntax: str | Callable[..., ParsedPrompt]
    takes_out: bool = False
    settles: bool = False
    tokenizer: Callable[[ReadsTexts], Tokenizer] | None = transformers_tokenizer
    appends_second: bool = False


@dataclass(frozen=True, kw_only=True)
class Chunking:
    """How tokens become chunks, and prompts of one call equally long.

    Args:
        splitter: how a text longer than one chunk is cut.
        max_chunks: further chunks are dropped, with a warning; None = no limit.
        frame: changes the tower's special tokens, which frame a chunk; None = as it was trained.
        fills: whether the shorter of a prompt and its negative is padded to the length of the other
            before both are cut and weighed, so that its chunks depend on the other.
        repeats: whether a shorter prompt is repeated whole until it is as long as its negative, not
            filled up with empty chunks. Attention treats repeated rows like none.
        rows: chooses the rows that are handed on, given the chunks of all prompts of a call;
            None = all.
    """

    splitter: Splitter
    max_chunks: int | None = None
    frame: Callable[[SpecialTokens], SpecialTokens] | None = None
    fills: bool = False
    repeats: bool = False
    rows: Callable[[Prompts], Sequence[int]] | None = None


@dataclass(frozen=True, kw_only=True)
class Weighting:
    """How weights act.

    Args:
        weighting: the rule, by name or itself.
        normalize: what happens to weights before the rule, by name or itself.
    """

    weighting: str | Rule
    normalize: str | Normalize = "none"


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """Where pooled vectors come from, and which negatives are zeros.

    Args:
        pooled: chooses the chunk that gives the pooled vector.
        pooled_syntax: the syntax that reads the prompt for the pooled vector; it is then cut
            wherever a chunk is full. None = the prompt's own chunks are used.
        zero_negative: whether a pair of towers gives zeros for a negative, that is for the text
            that each reads (None = none given); None = negatives are always encoded.
    """

    pooled: Callable[[Sequence[TokenChunk]], TokenChunk] = first_chunk
    pooled_syntax: str | None = None
    zero_negative: Callable[[Sequence[str] | None], bool] | None = None


@dataclass(frozen=True)
class Dialect(Pooling, Weighting, Chunking, Reading):
    """How one tool makes a conditioning of a prompt: four groups of choices under one name.

    `dataclasses.replace(DIALECTS["compel"], splitter=words)` changes some of them. The groups are
    the bases `Reading`, `Chunking`, `Weighting` and `Pooling`, which say what their fields are.

    Args:
        name: its name in messages and reports.
        pair: what the tool does with a pair of towers, if that differs.
    """

    name: str
    pair: Dialect | None = field(default=None, kw_only=True)

    def for_towers(self, n_towers: int) -> Dialect:
        """Choose the dialect for so many towers: itself, or what it is for a pair."""
        return self if n_towers == 1 or self.pair is None else self.pair
