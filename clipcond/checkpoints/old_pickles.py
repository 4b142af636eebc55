"""Read small pickles of torch before 1.6, as the first textual inversions are; no code runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from clipcond.checkpoints.pickle_guard import check_pickle
from clipcond.checkpoints.pickles import check_torch
from clipcond.checkpoints.torchscript import PARAMETERS, InertObject
from clipcond.errors import CheckpointError
from clipcond.files import opened
from clipcond.locks import LOADING

N_PICKLES = 5  # magic number, version, system, the values, their places


def read_old_pickle(path: Path, most_bytes: int) -> object:
    """Read what a file holds that `torch.save` wrote before 1.6.

    Args:
        most_bytes: a larger file is refused.
    Raises:
        CheckpointError: it is too large, damaged, or holds more than tensors.
    """
    check_torch(path)
    try:
        n_bytes = path.stat().st_size
        if n_bytes > most_bytes:
            raise ValueError(f"it has {n_bytes // 2**20} MB, as a whole model has")
        with opened(path) as file:
            for _ in range(N_PICKLES):
                check_pickle(file)
        known: list[Any] = [(InertObject, PARAMETERS)]
        with LOADING, torch.serialization.safe_globals(known):  # of the whole process
            return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # the unpickler lets through what it meets
        raise CheckpointError(
            f"{str(path)!r} cannot be read: it is damaged, or more than tensors is in it",
            path,
            "Download it again, or look for a .safetensors version.",
        ) from error
