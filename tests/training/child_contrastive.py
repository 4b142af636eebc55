"""One of the processes that compare with each other's pairs."""

import json

import torch
from torch import Tensor, distributed, nn

from clipcond.errors import TrainingError
from clipcond.training.contrastive import contrastive_loss

N_PROCESSES, N_ROWS = 2, 4

__all__ = ["N_PROCESSES", "N_ROWS", "batches", "gradients_together"]


def batches() -> tuple[nn.Module, Tensor, Tensor, list[int]]:
    """A model, and what all processes together encode with it; two pairs share a label."""
    torch.manual_seed(3)
    model, n = nn.Linear(6, 5), N_PROCESSES * N_ROWS
    return model, torch.randn(n, 6), torch.randn(n, 6), [0, 1, 2, 3, 4, 1, 6, 7]


def gradients_together(bias: float | None) -> None:
    """Print this process's loss, the averaged gradients, and how unequal batches are refused."""
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    model, firsts, seconds, labels = batches()
    own = slice(rank * N_ROWS, (rank + 1) * N_ROWS)
    scale = nn.Parameter(torch.tensor(10.0))
    loss = contrastive_loss(
        model(firsts[own]), model(seconds[own]), labels[own],
        scale=scale, bias=bias, gathered=True,
    )  # fmt: skip
    loss.backward()
    gradients = [parameter.grad for parameter in (*model.parameters(), scale)]
    for gradient in gradients:
        distributed.all_reduce(gradient)
        gradient /= N_PROCESSES
    n, refused = N_ROWS - rank, ""
    try:
        contrastive_loss(firsts[:n], seconds[:n], scale=1.0, gathered=True)
    except TrainingError as error:
        refused = str(error)
    found = {"loss": loss.item(), "gradients": [g.tolist() for g in gradients], "refused": refused}
    print(json.dumps(found))
    distributed.destroy_process_group()
