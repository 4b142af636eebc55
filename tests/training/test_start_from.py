"""An adapter is trained further: from its very weights, its record continued."""

import pytest
import torch

from clipcond.adapters import load_adapter
from clipcond.errors import CheckpointError, TrainingError
from clipcond.training import align
from tests.training.made import QUIET, few_measures, settings, teacher, tower_zh, write
from tests.training.xl import teacher_xl

pytestmark = pytest.mark.usefixtures("measure_little")
FEW = settings(text_steps=30, unet_steps=0, hidden=32, clip_skips=(1,))
# a rate at which nothing moves, so that what comes out is what went in
STILL = settings(text_steps=0, unet_steps=2, unet_lr=1e-12, clip_skips=(1,))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    path = folder / "first.safetensors"
    with few_measures():
        align(teacher(), tower_zh(), write(folder), path, settings=FEW, loop=QUIET)
    return path


@pytest.mark.slow
def test_it_goes_on_from_these_weights_and_counts_on(tmp_path, first):
    output = tmp_path / "second.safetensors"
    again = {"settings": STILL, "loop": QUIET, "start_from": first}
    record = align(teacher(), tower_zh(), write(tmp_path), output, **again)
    (before, old), (after, new) = load_adapter(first), load_adapter(output)

    assert new == record
    assert after.config == before.config  # 32 wide, though the settings say 16
    for name, tensor in before.state_dict().items():
        assert torch.allclose(after.state_dict()[name], tensor, rtol=0, atol=1e-6)
    assert record.stages == {"text": 30, "unet": 2}
    assert record.losses["text.read"] == old.losses["text.read"]
    assert record.losses["unet.read"] == pytest.approx(old.losses["text.read"], abs=1e-3)
    assert record.minutes >= old.minutes


@pytest.mark.slow
def test_training_further_comes_nearer(tmp_path, first):
    more = settings(text_steps=100, unet_steps=0, clip_skips=(1,))
    record = align(
        teacher(), tower_zh(), write(tmp_path), tmp_path / "more.safetensors",
        settings=more, loop=QUIET, start_from=first,
    )  # fmt: skip

    assert record.losses["text.read"] < 0.8 * load_adapter(first)[1].losses["text.read"]
    assert record.stages == {"text": 130, "unet": 0}


@pytest.mark.slow
def test_what_it_cannot_start_from(tmp_path, first):
    pairs, output = write(tmp_path), tmp_path / "a.safetensors"
    other = tower_zh()
    with torch.no_grad():
        next(other.model.parameters()).add_(1.0)
    with pytest.raises(TrainingError) as caught:
        align(teacher(), other, pairs, output, settings=STILL, loop=QUIET, start_from=first)
    assert str(caught.value) == (
        "the adapter to start from was not aligned to 'zh'\n"
        "Name its own tower, or begin without start_from=."
    )
    with pytest.raises(TrainingError, match=r"writes .* \(32, 77, None\), but the teacher's UNet"):
        align(teacher_xl(), tower_zh(), pairs, output, settings=STILL, loop=QUIET, start_from=first)
    with pytest.raises(CheckpointError, match="is no safetensors file but text"):
        align(teacher(), tower_zh(), pairs, output, settings=STILL, loop=QUIET, start_from=pairs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.tsv"]


@pytest.mark.slow
def test_another_start_is_another_run(tmp_path, first):
    pairs, output = write(tmp_path), tmp_path / "a.safetensors"
    align(
        teacher(), tower_zh(), pairs, output, settings=STILL, loop=QUIET, start_from=first,
        keep=True,
    )  # fmt: skip
    with pytest.raises(TrainingError, match=r"\n  start: '\w{64}' then, None now\n"):
        align(teacher(), tower_zh(), pairs, output, settings=STILL, loop=QUIET, overwrite=True)
