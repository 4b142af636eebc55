"""Optimize matrices of linear layers with Muon, all other parameters with AdamW.

An adapter has to learn what hundreds of words look like to another model, each seen now and then:
a table, whose rare entries AdamW moves slowly. Muon makes the update of a matrix orthogonal, so all
its directions move alike. torch.optim.Muon computes in bfloat16 whatever the weights are, ten times
slower on a CPU without it, and takes matrices alone; this one computes in the weights' precision.

Sources: Muon (Jordan et al. 2024, with the coefficients below); its update scaled to the size of
AdamW's, so that one learning rate serves both, from Moonlight (arXiv 2502.16982).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.775, 2.0315)  # of the iteration, steepest at zero
N_ITERATIONS = 5
MOMENTUM = 0.95
BETAS = (0.9, 0.99)  # of AdamW
SIZE = 0.2  # root mean square of an AdamW update of matrices, about


class Muon(torch.optim.AdamW):
    """Muon for the linear layers' matrices of a model, AdamW for its other parameters.

    Args:
        model: its parameters that need gradients are trained.
        weight_decay: of all but vectors.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float) -> None:
        linear = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
        trained = [p for p in model.parameters() if p.requires_grad]
        matrices = [p for p in trained if id(p) in linear]
        others = [p for p in trained if id(p) not in linear]
        super().__init__(decay_groups(others, weight_decay), lr=lr, betas=BETAS)
        self.add_param_group(
            {"params": matrices, "weight_decay": weight_decay, "is_orthogonal": True}
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient; matrices have none afterwards."""
        for group in self.param_groups:
            if group.get("is_orthogonal"):
                for matrix in group["params"]:
                    gradient, matrix.grad = matrix.grad, None  # nothing is left for AdamW
                    if gradient is not None:
                        self._update_matrix(matrix, gradient, group["lr"], group["weight_decay"])
        super().step()

    def _update_matrix(self, matrix: Tensor, gradient: Tensor, lr: float, decay: float) -> None:
        state = self.state[matrix]
        if not state:
            state["step"] = torch.zeros(())  # AdamW looks for one when a state is loaded
            state["momentum"] = torch.zeros_like(matrix)
        state["step"] += 1
        mean = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        update = orthogonalize(gradient.lerp(mean, MOMENTUM))
        size = SIZE * max(matrix.shape) ** 0.5
        matrix.mul_(1 - lr * decay).add_(update, alpha=-lr * size)


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Group the parameters that need gradients, with a weight decay on all but vectors."""
    trained = [p for p in parameters if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def orthogonalize(matrix: Tensor) -> Tensor:
    """Find the nearest matrix [m n] whose singular values are all about 1 (0.7 to 1.2).

    A Newton-Schulz iteration in the matrix's own dtype; a matrix of zeros stays one.
    """
    a, b, c = COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    found: Tensor = matrix.T if is_tall else matrix
    found = found / found.norm().clamp(min=1e-7)
    for _ in range(N_ITERATIONS):
        square = found @ found.T
        found = a * found + (b * square + c * square @ square) @ found
    return found.T if is_tall else found
