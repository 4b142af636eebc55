"""Say what is wrong with a call: warnings about a prompt, errors about what callers hand in.

Only called when something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from clipcond.arguments import type_name, wrong_argument
from clipcond.chunking import TokenChunk
from clipcond.errors import (
    ClipcondError,
    LimitError,
    PromptError,
    PromptTypeError,
    PromptWarning,
    TowerError,
    WeightingError,
    counted,
    excerpt,
    warn,
)
from clipcond.prompt import Issue
from clipcond.towers.protocol import HiddenLayer, ReadsTexts, TowerOutput, too_deep

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from clipcond.conditioning.plan import Plan

MAX_SHOWN = 5


def warn_issues(prompt: str, issues: Sequence[Issue]) -> None:
    """Warn of what was accepted but hardly meant, or cannot be done in one encoding."""
    for i, issue in enumerate(issues):
        warning = PromptWarning(
            issue.message, prompt, issue.position, issue.remedy, code=issue.code, words=issue.words
        )
        warn(warning, shown=i < MAX_SHOWN)
    n_more = len(issues) - MAX_SHOWN
    if n_more > 0:
        warn(PromptWarning(f"{n_more} more such places in this prompt"), collected=False)


def check_limits(max_chunks: object, cache_bytes: object) -> None:
    """Refuse limits that are no whole numbers: of chunks from 1, or None, of bytes from 0.

    Raises:
        LimitError: says which numbers there are; an ArgumentError.
    """
    limits = (("max_chunks", max_chunks, 1), ("cache_bytes", cache_bytes, 0))
    for name, value, least in limits:
        is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if not is_whole and (value is not None or not least):
            also = ", or None for no limit" if least else ""
            raise LimitError(f"{name}={value!r}: it is a whole number from {least}{also}")


def check_objects(layer: object, reads: object, adapter: object) -> None:
    """Refuse what is no layer, no description of what a model reads, no adapter.

    Raises:
        ArgumentError: says what it has to be.
    """
    layers = layer if isinstance(layer, tuple) else (layer,)
    if layer is not None and not all(isinstance(each, HiddenLayer) for each in layers):
        raise wrong_argument("layer", layer, "a HiddenLayer, or a tuple of one for each tower")
    if reads is not None and not (hasattr(reads, "pooled") and hasattr(reads, "layers")):
        raise wrong_argument("reads", reads, "a ModelReads")
    if adapter is not None and not (callable(adapter) and hasattr(adapter, "config")):
        raise wrong_argument("adapter", adapter, "an Adapter, as load_adapter opens it")


def not_prompts(prompts: object, what: str) -> ClipcondError:
    """Say why something is neither a prompt nor a list or tuple of prompts."""
    items = [prompts] if isinstance(prompts, str) else prompts
    if not isinstance(items, list | tuple):
        message = f"a {what} is a string or a list of strings, not {type_name(prompts)}"
        return PromptTypeError(message, _remedy(prompts))
    for i, item in enumerate(items):
        if not isinstance(item, str):
            message = f"{what} {i} of the list is {type_name(item)}, not a string"
            return PromptTypeError(message, _remedy(item))
        try:
            item.encode("utf-8")
        except UnicodeEncodeError as error:
            half = f"half a character (a lone surrogate, {item[error.start]!a}) cannot be read"
            remedy = "Decode the text with the encoding it came in."
            return PromptError(half, item, error.start, remedy)
    return PromptError(f"the list of {what}s is empty", remedy='Use "" for an empty prompt.')


def one_prompt(prompt: object, what: str = "prompt") -> object:
    """Hand a single prompt on.

    Raises:
        PromptTypeError: it is no string.
        PromptError: it is an empty list.
    """
    if isinstance(prompt, str):
        return prompt
    is_list = isinstance(prompt, list | tuple)
    if is_list and not prompt:
        raise not_prompts(prompt, what)
    remedy = "Call this for each of them." if is_list else _remedy(prompt)
    raise PromptTypeError(f"one {what}, a string, is needed here, not {type_name(prompt)}", remedy)


def unlike_numbers(n_given: int, n_prompts: int, what: str) -> PromptError:
    """Say that negatives (or second prompts) are neither one nor as many as the prompts.

    So are prompts of pictures, where `what` is "prompt".
    """
    whose = "picture" if what == "prompt" else "prompt"
    message = f"{counted(n_given, what)} for {counted(n_prompts, whose)}"
    return PromptError(message, remedy="Give one for all, or one for each.")


def check_towers(towers: Sequence[ReadsTexts]) -> None:
    """Refuse objects that are no towers, and pairs that cannot be joined.

    Raises:
        TowerError: says what to give instead.
    """
    for tower in towers:
        if isinstance(tower, type) or not hasattr(tower, "encode") or not hasattr(tower, "special"):
            raise TowerError(
                f"{type_name(tower)} is no text tower",
                "Wrap a transformers model: OpenAIClipTower(model, tokenizer), or open one by "
                "name: load_tower(name).",
            )
    lengths = [tower.special.context_length for tower in towers]
    if len(set(lengths)) > 1:
        raise TowerError(
            f"towers with context lengths {lengths[0]} and {lengths[1]} cannot be joined token "
            f"by token",
            f"Give the longer one context_length={min(lengths)} when you make it.",
        )


def check_layers(
    layer: HiddenLayer | tuple[HiddenLayer, ...], towers: Sequence[ReadsTexts]
) -> tuple[HiddenLayer, ...]:
    """Make one layer for each tower of a layer, or of a tuple of them.

    Raises:
        TowerError: there are not as many layers as towers, or a tower has no such layer.
    """
    layers = layer if isinstance(layer, tuple) else (layer,) * len(towers)
    if len(layers) != len(towers):
        given, needed = counted(len(layers), "layer"), counted(len(towers), "tower")
        raise TowerError(f"{given} for {needed}")
    for each, tower in zip(layers, towers, strict=True):
        if each.depth > tower.depth:
            raise too_deep(each, tower.depth, tower.name)
    return layers


def no_such_layer(clip_skip: object, depth: int, name: str) -> TowerError:
    """Say that clip_skip is not a whole number from 1 to the tower's `depth`."""
    is_zero = clip_skip == 0 and isinstance(clip_skip, int) and not isinstance(clip_skip, bool)
    return TowerError(
        f"clip_skip={clip_skip!r} names no layer of {name!r}, which has {depth}",
        f"Use a whole number from 1 (last layer) to {depth} (first)."
        + (" What diffusers calls clip_skip=0 is 1 here." if is_zero else ""),
    )


def not_finite(
    embeds: Tensor | Sequence[Tensor],
    plans: Sequence[Plan],
    name: str,
    encode: Callable[[Sequence[TokenChunk]], TowerOutput],
) -> ClipcondError:
    """Say where NaN or infinite values come from, which would end as a black image.

    Args:
        embeds: for each plan one row, [S D] or more of them; some values are not finite.
        name: what messages call the model that gave them.
        encode: the same model without weights.
    Returns:
        a WeightingError that shows the most extreme weight if weights led there, else a TowerError.
    """
    rows = zip(embeds, plans, strict=True)
    plan = next(plan for row, plan in rows if not bool(row.isfinite().all()))
    dtype = str(embeds[0].dtype).removeprefix("torch.")
    if not bool(encode(plan.chunks).hidden.isfinite().all()):
        return _broken(f"{name} itself gives NaN or infinite values", plan, embeds[0].dtype)
    weight = max((w for chunk in plan.chunks for w in chunk.weights), key=_extremeness)
    return WeightingError(
        f"the weight {weight:g} leads to NaN or infinite values in {dtype}",
        plan.parsed.source,
        plan.heaviest,
        "Useful weights are between 0 and 2.",
    )


def pooled_not_finite(
    pooled: Tensor | Sequence[Tensor | None], plans: Sequence[Plan], name: str
) -> TowerError:
    """Say for which prompt a pooled vector, in which weights do not count, is not finite.

    Args:
        pooled: for each plan one [P] or [1 P], or None; some values are not finite.
        name: what messages call the model that gave them.
    """
    rows = [(row, plan) for row, plan in zip(pooled, plans, strict=True) if row is not None]
    row, plan = next(each for each in rows if not bool(each[0].isfinite().all()))
    return _broken(f"{name} itself gives NaN or infinite pooled values", plan, row.dtype)


def _broken(problem: str, plan: Plan, dtype: torch.dtype) -> TowerError:
    name = str(dtype).removeprefix("torch.")
    return TowerError(
        f"{problem} for the prompt {excerpt(plan.parsed.source)!r}",
        "Its weights are broken: load it again, from another file if that does not help."
        if name in ("float32", "float64")
        else f"Its weights are broken, or too large for {name}: try float32.",
    )


def _extremeness(weight: float) -> float:
    return abs(weight) if weight == weight else float("inf")


def _remedy(value: object) -> str:
    if value is None:
        return 'Use "" for an empty prompt.'
    if isinstance(value, bytes | bytearray):
        return "Decode it first: prompt.decode('utf-8')."
    if isinstance(value, list | tuple):
        return "Prompts are not nested: give one flat list."
    return ""
