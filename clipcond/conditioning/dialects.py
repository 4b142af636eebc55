"""List the dialects: how each tool reads, cuts, weighs and pools a prompt.

In every dialect clip skip counts as in A1111. What the tools call it:

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

Options of the tools are dialects with a field changed, for `dialect=`:

    sd_embed, pad_last_block=True      replace(DIALECTS["sd_embed"], rows=None)
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
    A1111, unlike lengths run apart    replace(DIALECTS["a1111"], repeats=True): attention treats
                                               repeated rows like none

CLIP's tokenizer comes in two kinds, which differ in HTML entities, full-width letters, ligatures,
curly quotes and `<|endoftext|>`. A1111 tokenizes for SD2's tower and SDXL's second tower as
open_clip does; all other tools tokenize for every tower as transformers does. So do their dialects,
whichever tokenizer the tower came with.

Deviations:
* clip_skip applies to the negative prompt in every dialect; diffusers and lpw for SDXL apply it to
  the positive alone.
* A clip_skip or layer beyond the tower's blocks is a TowerError; to ComfyUI it means the last
  layer, normed.
* A prompt does not depend on its neighbours in a batch in any dialect, only on its own negative,
  and only in sd_embed and lpw, which pad the shorter of the two before they cut it.
* A prompt and its negative come out equally long in every dialect: the shorter one gets empty
  chunks. A1111 runs the UNet twice instead, unless its option "pad prompt/negative" is on.
  ComfyUI repeats both up to their least common multiple, or runs them apart, which gives attention
  the same; comfyui repeats them too, but where that is more than 4 times the longest of a call,
  the shorter ones get empty chunks.
* Where the two towers of a pair read texts of different length, as with `prompts_2`, the shorter
  gets empty chunks in every dialect.
* Weights that lead to NaN or infinity, and to a black image in the tools, raise a WeightingError
  that shows the place.
* A Conditioner alone encodes an A1111 prompt with editing, alternation or AND as it is at the last
  step, up to its first AND, with a warning; a pipeline draws it. All texts of a call are brought to
  one length by empty chunks; A1111 repeats the last row of the shorter parts. Only in a prompt
  with AND is a closing `: number` a weight: `photo 16:9` keeps its `:9`, which A1111 reads as a
  guidance of 9.
* In an A1111 prompt all in capitals, such as `BLACK AND WHITE CAT`, AND is a word, with a warning;
  A1111 makes two conditions of it.
* Of `<lora:x:0.8>` and `# comments` A1111's dialect encodes nothing, as A1111; networks are not
  loaded, which a warning says, in a negative prompt too.
* NovelAI publishes no code. Its dialect follows its documentation for the syntax, and weighs and
  cuts as A1111; `|`, which mixes prompts there, is text, with a warning.
* Where ftfy is not installed, a1111 reads accents, full-width letters, ligatures and curly quotes
  for SD2's tower and SDXL's second tower as they are, with a warning; A1111 repairs them with ftfy.
* A prompt and a negative that both have no token are one chunk without text in sd_embed and in lpw
  for SDXL, where the tools raise an exception.
* Full-width punctuation, as in `（猫：1.3）`, is syntax where the tower is a Chinese one, unless
  `fullwidth=False`, in a1111, comfyui, lpw and sd_embed. Text keeps it: `，` stays a full-width
  comma. With other towers, or with False, the syntax is exactly the tool's.
* What a dialect drops (beyond one chunk in diffusers, three in lpw for Stable Diffusion 1) is named
  in a warning.
* For SDXL, a1111 takes zeros for an empty negative prompt as A1111 does, whatever the pipeline's
  `force_zeros_for_empty_prompt` says; dialect `diffusers` follows that setting. In a batch each
  prompt has zeros for its own negative; A1111 has them if all negatives are empty. A negative that
  is empty at some steps only is encoded.
* For a tower that masks its padding, as the Chinese ones do, sd_embed and lpw pad no text.
* In compel, weights of a conjunction act in both towers of a pair; the tool raises an error. And a
  fragment below 1 is hidden at its own place; the tool searches its ids, and also hits padding if
  the fragment begins a later chunk and its first token is the padding token (`!` in SDXL's second
  tower).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias

from clipcond.chunking import comma_backtrack, hard, sentences, whole_groups
from clipcond.conditioning.dialect import (
    Dialect,
    closed_with_eos,
    if_empty,
    if_missing,
    last_chunk,
    padded_with_eos,
    trainer_tokenizer,
    without_padding,
)
from clipcond.conditioning.dialect import without_inner_frames as without_inner_frames
from clipcond.errors import UnknownNameError
from clipcond.prompt import reads_fullwidth
from clipcond.prompt.syntaxes import comfyui

# The keys of DIALECTS, for editors and type checkers.
DialectName: TypeAlias = Literal[
    "a1111",
    "comfyui",
    "comfyui_words",
    "compel",
    "diffusers",
    "lpw",
    "novelai",
    "plain",
    "sd_embed",
]

COMFYUI = Dialect(
    "comfyui", syntax=comfyui.parse_groups, splitter=whole_groups(), weighting="lerp", repeats=True
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
            zero_negative=if_empty,
            takes_out=True,
            settles=True,
            tokenizer=trainer_tokenizer,
        ),
        COMFYUI,
        # releases until 2024 kept a word together in a chunk, not a fragment
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
            "compel", syntax="compel", splitter=sentences, weighting="masked", pooled_syntax="plain"
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
        # NovelAI publishes neither its rule nor its chunks; its models descend from SD1, whose
        # users know A1111's
        Dialect(
            "novelai",
            syntax="novelai",
            splitter=comma_backtrack(),
            weighting="scale_mean",
            zero_negative=if_empty,
        ),
        Dialect(
            "plain", syntax="plain", splitter=comma_backtrack(), weighting="none", tokenizer=None
        ),
    )
}


def find_dialect(dialect: str | Dialect) -> Dialect:
    """Find a dialect by name; a dialect itself comes back as it is.

    Raises:
        UnknownNameError: there is no such name; suggests the nearest.
    """
    if isinstance(dialect, Dialect):
        return dialect
    if not isinstance(dialect, str) or dialect not in DIALECTS:
        raise UnknownNameError("dialect", dialect, DIALECTS)
    return DIALECTS[dialect]


def choose_fullwidth(
    wanted: bool | None, dialect: Dialect, towers: Sequence[object]
) -> bool | None:
    """Decide whether full-width punctuation is syntax.

    Args:
        wanted: None = yes if all towers are for languages written with it (`fullwidth`) and the
            dialect's syntax can read it.
    Returns:
        True or False; None = it is not, but the caller has not said so.
    Raises:
        UnknownNameError: it is wanted, and the dialect's syntax cannot read it.
    """
    can_read = reads_fullwidth(dialect.syntax)
    if wanted and not can_read:
        known = [row.name for row in DIALECTS.values() if reads_fullwidth(row.syntax)]
        raise UnknownNameError("dialect with full-width punctuation", dialect.name, known)
    if wanted is not None:
        return bool(wanted)
    is_usual = all(getattr(tower, "fullwidth", False) for tower in towers)
    return True if is_usual and can_read else None
