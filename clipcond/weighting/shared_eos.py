"""One end for all chunks of a prompt: two options of compel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk
from clipcond.towers.base import TowerOutput
from clipcond.towers.modules import first_eos
from clipcond.weighting.rule import Encode, Rule, RuleWithNeeds, needs_of

__all__ = ["with_first_eos", "with_mean_eos"]

Choose: TypeAlias = Callable[[Tensor], Tensor]  # what becomes of the states at the eos, [n D]


def with_first_eos(rule: Rule) -> RuleWithNeeds:
    """The rule, and every later chunk's state at its first eos is that of the first chunk.

    Source: compel 2.5.1, SplitLongTextMode.COPY_FIRST_CLS_TOKEN; its results.
    """
    return _with(rule, _first)


def with_mean_eos(rule: Rule) -> RuleWithNeeds:
    """The rule, and every chunk's state at its first eos is the mean of all of them.

    Source: compel 2.5.1, SplitLongTextMode.MERGE_CLS_TOKENS; its results.
    """
    return _with(rule, _mean)


def _with(rule: Rule, choose: Choose) -> RuleWithNeeds:
    # partial, not a closure: a rule is pickled along with the Conditioner that uses it
    return RuleWithNeeds(partial(_apply, rule, choose), partial(needs_of, rule))


def _apply(rule: Rule, choose: Choose, chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    output = rule(chunks, encode)
    if len(chunks) == 1:
        return output
    n = torch.arange(len(chunks))
    ends = first_eos(torch.tensor([chunk.input_ids for chunk in chunks]), encode.special.eos)
    hidden = output.hidden.clone()
    hidden[n, ends] = choose(hidden[n, ends])
    return TowerOutput(hidden, output.pooled)


def _first(states: Tensor) -> Tensor:
    return states[:1].expand_as(states)


def _mean(states: Tensor) -> Tensor:
    return states.float().mean(dim=0, keepdim=True).to(states.dtype).expand_as(states)
