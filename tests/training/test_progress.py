"""A training that goes astray ends with an error, before it takes hours more."""

import math

import pytest
import torch

from clipcond.errors import TrainingError
from clipcond.training import align
from clipcond.training.measures import Baseline, check_progress
from tests.training.made import QUIET, settings, teacher, tower_zh, write

pytestmark = pytest.mark.usefixtures("measure_little")


@pytest.mark.parametrize(
    ("reached", "named"),
    [
        ({"read": 1.1e9, "noise": 3.0}, "read is 1.1e+09"),
        ({"read": 0.2, "noise": 977_709.4}, "noise is 9.777e+05"),
        ({"read": 0.2, "noise": 0.1, "pooled": 10.5}, "pooled is 10.5"),
        ({"read": math.nan, "noise": 50.0}, "read is nan"),
        ({"read": math.inf}, "read is inf"),
    ],
)
def test_what_is_far_worse_than_nothing(reached, named):
    with pytest.raises(TrainingError, match="went astray") as caught:
        check_progress(reached)

    assert named in str(caught.value)


def test_what_has_learnt_little_goes_on():
    check_progress({"read": 1.4, "noise": 0.9})


@pytest.mark.slow
def test_no_further_stage_begins(tmp_path, monkeypatch):
    """Nothing is written, and the same command tries the stage's end again, not the next stage."""
    measured = []

    def measure(self, model, teacher):
        measured.append(model)
        return {"read": 1e9, "noise": 1.0}

    monkeypatch.setattr(Baseline, "measure", measure)
    output = tmp_path / "zh.safetensors"
    chosen = settings(text_steps=2, unet_steps=2)
    for n in (1, 2):
        with pytest.raises(TrainingError, match="went astray"):
            align(teacher(), tower_zh(), write(tmp_path), output, settings=chosen, loop=QUIET)
        assert len(measured) == n
    assert not output.exists()
    assert torch.is_grad_enabled()
