"""Small adapters with drawn weights, and records, that tests of several files use."""

import pytest
import torch

from clipcond.adapters import Adapter, AdapterConfig, AlignmentRecord, build_adapter, load_adapter
from clipcond.errors import CheckpointError

LENGTH = 20  # rows for a chunk: neither the Chinese tower's 52 nor CLIP's 77


def adapter(kind: str = "resampler", *, seed: int = 5, **sizes) -> Adapter:
    """Every weight drawn, also those that begin as zeros and ones, and would hide what they do."""
    own = {"hidden": 16, "heads": 2, "layers": 2} if kind != "linear" else {}
    stated = {"tower_width": 32, "width": 32, "length": LENGTH, **own, **sizes}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = build_adapter(AdapterConfig(kind, **stated))
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
    return made.eval().requires_grad_(False)


def record(**fields) -> AlignmentRecord:
    stated = {
        "tower": "0" * 64,
        "tower_name": "zh",
        "tower_clip_skips": (1, 2),
        "teacher": "1" * 64,
        "teacher_clip_skips": (1,),
        "unet": "2" * 64,
        "family": "sd1",
        "width": 32,
        "data": "捏造的 pairs",
        "n_pairs": 3,
        "stages": {"text": 10, "unet": 5},
        "losses": {"mse": 0.1 + 0.2},
        "minutes": 0.5,
    }
    return AlignmentRecord(**{**stated, **fields})


def refusal(path) -> str:
    """What is said of a file that is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_adapter(path)
    assert str(caught.value.path) == str(path)
    return str(caught.value)
