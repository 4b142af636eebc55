"""Compute the contrastive losses of CLIP and SigLIP, over large batches and several processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from clipcond.errors import TrainingError, UnknownNameError

Rows = TypeVar("Rows", bound="Sequence[Any] | Tensor")

MAX_SCALE = 100.0  # Source: Radford et al. 2021, section 2.5
# Source: Radford et al. 2021, section 2.5; Zhai et al. 2023, section 3.2
TEMPERATURES = {"softmax": 0.07, "sigmoid": 0.1}
FIRST_BIAS = -10.0  # Source: Zhai et al. 2023, section 3.2


def contrastive_loss(
    first: Tensor,
    second: Tensor,
    *labels: Sequence[int] | Tensor,
    scale: Tensor | float,
    bias: Tensor | float | None = None,
    gathered: bool = False,
) -> Tensor:
    """Compute how badly cosines tell which of the first and second vectors belong together.

    Without a bias it is the symmetric cross-entropy of CLIP: which second belongs to a first, and
    which first to a second? With one it is the loss of SigLIP, in which every pair by itself is
    right or wrong.

    Args:
        first, second: [b P]; row i of both belongs together. They need not have length 1.
        labels: of each pair, b numbers; pairs that share one are not held against each other.
        scale: that cosines are multiplied by, 1 / temperature.
        bias: that is added then.
        gathered: compare with the pairs of all processes. Each gets the loss of its own pairs; the
            mean over processes, as DistributedDataParallel takes it of gradients, is that of the
            whole batch. Labels count across processes.
    Raises:
        TrainingError: labels that are not as many as the pairs, or with `gathered`, processes that
            have different numbers of pairs.
    Source: Radford et al. 2021, figure 3; Zhai et al. 2023, "Sigmoid Loss for Language Image
        Pre-Training", algorithm 1.
    """
    first, second = F.normalize(first, dim=-1), F.normalize(second, dim=-1)
    for label in labels:
        if len(label) != len(first):
            raise TrainingError(f"{len(first)} pairs need as many labels, not {len(label)}")
    own = [torch.as_tensor(label, device=first.device) for label in labels]
    firsts, seconds, every, start = first, second, own, 0
    if gathered and is_distributed():
        start = distributed.get_rank() * len(first)
        _check_equal(len(first), first.device)
        firsts, seconds = _gather(first), _gather(second)
        every = [_gather(label) for label in own]
    target = torch.arange(start, start + len(first), device=first.device)
    twins = torch.zeros(len(first), len(firsts), dtype=torch.bool, device=first.device)
    for mine, all_labels in zip(own, every, strict=True):
        twins |= mine[:, None] == all_labels
    twins[target - start, target] = False
    logits = scale * (first @ seconds.T)
    if bias is not None:
        signs = -torch.ones_like(logits)
        signs[target - start, target] = 1.0
        terms = F.logsigmoid(signs * (logits + bias)).masked_fill(twins, 0.0)
        return -terms.sum() / len(first)
    others = logits.T if firsts is first else scale * (second @ firsts.T)
    return (_cross_entropy(logits, twins, target) + _cross_entropy(others, twins, target)) / 2


def _cross_entropy(logits: Tensor, twins: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.masked_fill(twins, -math.inf), target)


class LearnedScale(nn.Module):
    """The scale of cosines as a parameter, and for the sigmoid loss a bias.

    Args:
        loss: "softmax" or "sigmoid".
        temperature: 1 / scale at first; None = as the loss's paper has it.
    Raises:
        UnknownNameError: no such loss.
    """

    def __init__(self, loss: str = "softmax", temperature: float | None = None) -> None:
        super().__init__()
        check_loss(loss)
        first = TEMPERATURES[loss] if temperature is None else temperature
        self.log_scale = nn.Parameter(torch.tensor(-math.log(first)))
        self.bias = nn.Parameter(torch.tensor(FIRST_BIAS)) if loss == "sigmoid" else None

    def forward(self) -> tuple[Tensor, Tensor | None]:
        """Compute scale and bias; SigLIP's scale has no bound."""
        if self.bias is not None:
            return self.log_scale.exp(), self.bias
        return bounded_scale(self.log_scale), None


def check_loss(name: str) -> None:
    """Refuse a loss that is not there.

    Raises:
        UnknownNameError: suggests one.
    """
    if name not in TEMPERATURES:
        raise UnknownNameError("contrastive loss", name, TEMPERATURES)


def bounded_scale(log_scale: nn.Parameter) -> Tensor:
    """Compute the scale of a parameter that holds its logarithm, and keep that below log 100.

    The parameter itself is changed, as by OpenAI and OpenCLIP: a bound on what is computed of it
    alone would leave it without a gradient beyond, where it could never come back.
    """
    with torch.no_grad():
        log_scale.clamp_(max=math.log(MAX_SCALE))
    return log_scale.exp()


def encode_in_parts(encode: Callable[[Rows], Tensor], rows: Rows, n_at_once: int) -> Tensor:
    """Encode a batch whose activations are too large to be kept: part by part, and once more.

    Activations of one part are in memory at a time; gradients are those of the whole batch. Parts
    are encoded without keeping any, the loss and its gradient are computed of all embeddings, and
    then each part is encoded again, with the same random numbers, to hand the gradient on. That
    takes a third more time.

    Args:
        encode: rows -> embeddings [n P], each row by itself.
        rows: a list or a tensor, of b.
        n_at_once: rows of a part.
    Returns:
        embeddings [b P].
    Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited
        Setup"; the second run is `torch.utils.checkpoint`.
    """
    from torch.utils.checkpoint import checkpoint

    if len(rows) <= n_at_once:
        return encode(rows)
    parts = [rows[i : i + n_at_once] for i in range(0, len(rows), n_at_once)]
    return torch.cat([checkpoint(encode, part, use_reentrant=False) for part in parts])


def is_distributed() -> bool:
    """Whether several processes train together."""
    is_set_up = distributed.is_available() and distributed.is_initialized()
    return is_set_up and distributed.get_world_size() > 1


def _gather(rows: Tensor) -> Tensor:
    """Join the rows of all processes; a row's gradient is the sum of what all have for it."""
    from torch.distributed.nn.functional import all_gather  # not in all builds of torch

    return torch.cat(all_gather(rows.contiguous()))  # type: ignore[no-untyped-call]


def _check_equal(n: int, device: torch.device) -> None:
    """Refuse batches of different sizes, which `all_gather` would join wrongly."""
    sizes = _gather(torch.tensor([n], device=device)).tolist()
    if len(set(sizes)) > 1:
        raise TrainingError(
            f"the batches of the processes differ in size: {', '.join(map(str, sizes))}",
            "Give every process as many pairs.",
        )
