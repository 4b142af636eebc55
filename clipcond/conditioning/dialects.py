"""The table of dialects: how each tool reads, cuts, weighs and pools a prompt. One row a tool.

Clip skip counts here as A1111 does, in every dialect. What the tools call it:

    tool                       1                     2                         3
    A1111, SD1                 1                     2                         3
    ComfyUI, SD1               -1, or no node        -2                        -3
    diffusers, lpw, SD1        0, or None            1                         2
    sd_embed, SD1              0                     1                         2
    compel, SD1                last, normalized      penultimate, normalized   -
    A1111, SDXL                always                always                    -
    ComfyUI, SDXL              -2, or no node        -2, or no node            -3
    diffusers, lpw, SDXL       0, or None            0, or None                1
    sd_embed, SDXL             0, or None            0, or None                1
    compel, SDXL               penultimate, raw      penultimate, raw          -

Options of the tools are rows with a field changed, for `dialect=`:

    sd_embed, pad_last_block=True      replace(DIALECTS["sd_embed"], rows=all_rows)
    lpw, max_embeddings_multiples=1    replace(DIALECTS["lpw"], max_chunks=1)
    lpw, no_boseos_middle=True         replace(DIALECTS["lpw"], rows=without_inner_frames,
                                               weighting=scale_mean_joined)
    compel, SplitLongTextMode.PHRASES  replace(DIALECTS["compel"], splitter=phrases); or words, hard
    compel, DownweightMode.REMOVE      replace(DIALECTS["compel"], weighting="removed"); with
                                               another splitter weighting=removing(splitter)
    compel, COPY_FIRST_CLS_TOKEN       replace(DIALECTS["compel"], weighting=with_first_eos(masked))
    compel, MERGE_CLS_TOKENS           replace(DIALECTS["compel"], weighting=with_mean_eos(masked))
    compel, truncate_long_prompts=True replace(DIALECTS["compel"], splitter=hard, max_chunks=1)
    A1111, comma_padding_backtrack=n   replace(DIALECTS["a1111"], splitter=comma_backtrack(n))
    A1111, emphasis "None"             replace(DIALECTS["a1111"], syntax="plain")
    A1111, "Ignore", "No norm"         weighting="none", weighting="scale"
    A1111, unlike lengths run apart    replace(DIALECTS["a1111"], repeats=True): repeated rows
                                               are to attention as none

CLIP's tokenizer comes in two kinds, which differ in HTML entities, full-width letters, ligatures,
curly quotes and `<|endoftext|>`. A1111 reads SD2's and SDXL's second tower by open_clip's, all
other tools every tower by transformers'; so do their dialects, whichever the tower came with.

Deviations:
* clip_skip applies to the negative prompt in every dialect; diffusers and lpw for SDXL apply it to
  the positive alone.
* A clip_skip or layer beyond the tower's blocks is a TowerError; to ComfyUI it means the last
  layer, normed.
* A prompt does not depend on its neighbours in a batch in any dialect, only on its own negative,
  and only in sd_embed and lpw, which fill up the shorter of the two before they cut it.
* A prompt and its negative come out equally long in every dialect, by empty chunks behind the
  shorter one. A1111 runs the UNet twice instead, unless its option "pad prompt/negative" is on.
  ComfyUI repeats both up to their least common multiple, or runs them apart, which is the same to
  attention; comfyui repeats them too, but where that is more than 4 times the longest of a call,
  the shorter ones get empty chunks.
* Where the two towers of a pair read texts of different length, as with `prompts_2`, the shorter
  gets empty chunks in every dialect.
* Weights that lead to NaN or infinity, which give a black image elsewhere, are a WeightingError
  that shows the place in every dialect.
* An A1111 prompt with editing, alternation or AND is encoded as it is at the last step, up to its
  first AND, with a warning. Only beside an AND a closing `: number` is taken off as a weight:
  `photo 16:9` keeps its `:9`, which A1111 reads as a guidance of 9.
* Where ftfy is not installed, a1111 reads accents, full-width letters, ligatures and curly quotes
  in SD2's and SDXL's second tower as they stand, with a warning; A1111 repairs them with ftfy.
* A prompt without a token beside a negative without a token, in sd_embed and lpw for SDXL, is one
  chunk without text; an exception there.
* Full-width punctuation, as in `（猫：1.3）`, is syntax where the tower is a Chinese one, unless
  `fullwidth=False`, in a1111, comfyui, lpw and sd_embed. Text keeps it: `，` stays a full-width
  comma. With other towers, or with False, the syntax is exactly the tool's.
* What a dialect drops (beyond one chunk in diffusers, three in lpw) is told in a warning.
* A tower that masks its padding, as the Chinese ones do, is not filled up in sd_embed and lpw.
* In compel, weights of a conjunction act in both towers of a pair; compel raises. And a fragment
  below 1 is hidden where it stands; compel looks for it by its ids, and finds padding too where a
  later chunk begins with it and it begins with the token that pads: `!` in SDXL's second tower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from clipcond.chunking import (
    Splitter,
    TokenChunk,
    comma_backtrack,
    hard,
    joined_rows,
    sentences,
    whole_groups,
)
from clipcond.errors import UnknownNameError
from clipcond.prompt import ParsedPrompt, reads_fullwidth
from clipcond.prompt.syntaxes import comfyui
from clipcond.tokenizers.base import SpecialTokens, Tokenizer
from clipcond.tokenizers.clip_bpe import with_transformers_cleaning
from clipcond.tokenizers.open_clip import with_open_clip_cleaning
from clipcond.towers.base import TextTower
from clipcond.weighting import Normalize, Rule

__all__ = ["DIALECTS", "Dialect", "choose_fullwidth", "find_dialect"]

PooledRule: TypeAlias = Callable[[Sequence[TokenChunk]], TokenChunk]
ZeroRule: TypeAlias = Callable[[Sequence[str] | None], bool]
FrameRule: TypeAlias = Callable[[SpecialTokens], SpecialTokens]
ReadRule: TypeAlias = Callable[[TextTower], Tokenizer]
RowRule: TypeAlias = Callable[[Sequence[Sequence[TokenChunk]]], Sequence[int] | None]


def first_chunk(chunks: Sequence[TokenChunk]) -> TokenChunk:
    """The pooled vector is that of the first chunk, without weights."""
    return chunks[0]


def last_chunk(chunks: Sequence[TokenChunk]) -> TokenChunk:
    """The pooled vector is that of the last chunk, without weights."""
    return chunks[-1]


def as_trained(special: SpecialTokens) -> SpecialTokens:
    """Chunks are framed as the tower was trained: bos, text, eos, the tower's padding."""
    return special


def padded_with_eos(special: SpecialTokens) -> SpecialTokens:
    """Padding is eos, in towers too that were trained with another."""
    return replace(special, pad=special.eos)


def closed_with_eos(special: SpecialTokens) -> SpecialTokens:
    """The padding follows the text, and eos closes the chunk."""
    return replace(special, eos_last=True)


def own_tokenizer(tower: TextTower) -> Tokenizer:
    """The tower's own, whatever that is."""
    return tower.tokenizer


def of_transformers(tower: TextTower) -> Tokenizer:
    """Transformers' for a tower with CLIP's vocabulary; else the tower's own."""
    return with_transformers_cleaning(tower.tokenizer)


def of_trainer(tower: TextTower) -> Tokenizer:
    """open_clip's for its towers, whose padding is not eos; else as `of_transformers`."""
    is_open_clip = tower.special.pad != tower.special.eos
    return with_open_clip_cleaning(tower.tokenizer) if is_open_clip else of_transformers(tower)


def all_rows(prompts: Sequence[Sequence[TokenChunk]]) -> None:
    """Every row of every chunk is handed on."""


def without_padding(prompts: Sequence[Sequence[TokenChunk]]) -> list[int]:
    """The last chunk ends with the eos of the prompt that has most text in it."""
    n_chunks = max(map(len, prompts))
    eos = max(chunks[-1].places.stop for chunks in prompts if len(chunks) == n_chunks)
    length = len(prompts[0][0].input_ids)
    return list(range((n_chunks - 1) * length + eos + 1))


def without_inner_frames(prompts: Sequence[Sequence[TokenChunk]]) -> list[int]:
    """The eos and bos between two chunks are left out."""
    return joined_rows(max(map(len, prompts)), len(prompts[0][0].input_ids))


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
        syntax: a name for `clipcond.parse`, or a function from a prompt to a ParsedPrompt, with a
            keyword `fullwidth` if it can read full-width punctuation.
        splitter: how a text longer than one chunk is cut.
        weighting: the rule, by name or itself.
        normalize: what happens to weights before the rule, by name or itself.
        pooled: which of a prompt's chunks (or which other chunk) gives the pooled vector.
        pooled_syntax: by which syntax the prompt is read for the pooled vector, if by another; it
            is then cut wherever a chunk is full.
        zero_negative: for which negatives (None = none given) a pair of towers gives zeros.
        max_chunks: what a prompt needs beyond is dropped, with a warning; None = no limit.
        settles: whether `[a:b:0.5]`, `[a|b]` and AND are its syntax, so that one encoding shows
            the prompt as it is at the last step.
        frame: how chunks are framed, from the tower's own special tokens.
        fills: whether the shorter of a prompt and its negative is filled up with padding before
            both are cut and weighed, so that its chunks depend on the other.
        rows: which rows of the joined chunks are handed on, given the chunks of all prompts of a
            call; None = all.
        repeats: whether a shorter prompt is repeated whole until it is as long as its negative, not
            filled up with empty chunks. To attention, repeated rows are as good as none.
        reads: by which tokenizer a tower's prompts are read.
        appends_second: whether a pair of towers both read "prompt prompt_2", not each its own.
        pair: what the tool does with a pair of towers, if it is another thing.
    """

    name: str
    syntax: str | Callable[..., ParsedPrompt]
    splitter: Splitter
    weighting: str | Rule
    normalize: str | Normalize = "none"
    pooled: PooledRule = first_chunk
    pooled_syntax: str | None = None
    zero_negative: ZeroRule = never
    max_chunks: int | None = None
    settles: bool = False
    frame: FrameRule = as_trained
    fills: bool = False
    rows: RowRule = all_rows
    repeats: bool = False
    reads: ReadRule = of_transformers
    appends_second: bool = False
    pair: Dialect | None = None

    def of(self, n_towers: int) -> Dialect:
        """The dialect for so many towers: itself, or what it is for a pair."""
        return self if n_towers == 1 or self.pair is None else self.pair


COMFYUI = Dialect(
    "comfyui",
    syntax=comfyui.parse_groups,
    splitter=whole_groups(),
    weighting="lerp",
    repeats=True,
)

SD_EMBED = Dialect(
    "sd_embed",
    syntax="sd_embed",
    splitter=hard,
    weighting="scale",
    normalize="half",
    pooled=last_chunk,
    frame=padded_with_eos,
    fills=True,
)

LPW_XL = replace(
    SD_EMBED,
    name="lpw",
    syntax="lpw_xl",
    weighting="lerp_last",
    rows=without_padding,
    appends_second=True,
)

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
            reads=of_trainer,
        ),
        COMFYUI,
        # as releases until 2024 did: what is kept together in a chunk is a word, not a fragment
        replace(COMFYUI, name="comfyui_words", syntax=partial(comfyui.parse_groups, words=True)),
        Dialect(
            "diffusers",
            syntax="diffusers",
            splitter=hard,
            weighting="none",
            zero_negative=if_missing,
            max_chunks=1,
        ),
        Dialect(
            "compel",
            syntax="compel",
            splitter=sentences,
            weighting="masked",
            pooled_syntax="plain",
        ),
        replace(SD_EMBED, rows=without_padding, pair=SD_EMBED),
        Dialect(
            "lpw",
            syntax="lpw",
            splitter=hard,
            weighting="scale_mean_prompt",
            max_chunks=3,
            frame=closed_with_eos,
            fills=True,
            pair=LPW_XL,
        ),
        Dialect(
            "plain",
            syntax="plain",
            splitter=comma_backtrack(),
            weighting="none",
            reads=own_tokenizer,
        ),
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


def choose_fullwidth(
    wanted: bool | None, dialect: Dialect, towers: Sequence[object]
) -> bool | None:
    """Whether full-width punctuation is syntax; None = it is not, and nobody has said so.

    Args:
        wanted: None = where all towers say that those who write for them type it (`fullwidth`), and
            the dialect's syntax can read it.
    Raises:
        UnknownNameError: it is wanted, and the dialect's syntax cannot.
    """
    can_read = reads_fullwidth(dialect.syntax)
    if wanted and not can_read:
        known = [row.name for row in DIALECTS.values() if reads_fullwidth(row.syntax)]
        raise UnknownNameError("dialect with full-width punctuation", dialect.name, known)
    if wanted is not None:
        return bool(wanted)
    is_usual = all(getattr(tower, "fullwidth", False) for tower in towers)
    return True if is_usual and can_read else None
