"""Give all chunks of a prompt one state at their eos: two options of compel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.towers.modules import first_eos
from clipcond.weighting.rule import Encode, Rule, RuleWithNeeds

Choose: TypeAlias = Callable[[Tensor], Tensor]  # states at the eos [n D] -> the one state [1 D]


def with_first_eos(rule: Rule) -> RuleWithNeeds:
    """Apply the rule, then give every chunk the first chunk's state at its first eos.

    Source: compel 2.5.1, SplitLongTextMode.COPY_FIRST_CLS_TOKEN (results).
    """
    return _share_eos(rule, _first)


def with_mean_eos(rule: Rule) -> RuleWithNeeds:
    """Apply the rule, then give every chunk the mean of all chunks' states at their first eos.

    Source: compel 2.5.1, SplitLongTextMode.MERGE_CLS_TOKENS (results).
    """
    return _share_eos(rule, _mean)


def _share_eos(rule: Rule, choose: Choose) -> RuleWithNeeds:
    # partial, not a closure: a rule is pickled along with the Conditioner that uses it
    return RuleWithNeeds(partial(_apply, rule, choose), getattr(rule, "needs", _no_needs))


def _no_needs(chunks: Sequence[TokenChunk], special: SpecialTokens) -> Sequence[TokenChunk]:
    return ()


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
    return states[:1]


def _mean(states: Tensor) -> Tensor:
    return states.float().mean(dim=0, keepdim=True).to(states.dtype)
