"""What the tests of CLIP's tower encode."""

import torch


def rows(n: int = 3, seed: int = 0) -> torch.Tensor:
    """Chunks [n 77] of random text of different lengths, padded with EOS."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, 49405, (n, 77), generator=random)
    for i, row in enumerate(ids):
        row[5 + 20 * i :] = 49407
    ids[:, 0], ids[:, -1] = 49406, 49407
    return ids
