"""Slots move from noise to picture as diffusers' own scheduler would take them."""

import random

import pytest
import torch
from diffusers import DDIMScheduler

from clipcond.training.rollout import Rollout

N_STEPS, SHAPE = 4, (2, 3, 3)


def rollout(kind: str, n_slots: int) -> tuple[Rollout, DDIMScheduler]:
    schedule = DDIMScheduler(clip_sample=False, prediction_type=kind)
    return Rollout(schedule, N_STEPS, torch.zeros(n_slots, *SHAPE)), schedule


def restart(some: Rollout, seed: int = 0) -> None:
    rng = random.Random(seed)
    some.restart_finished(lambda: (7, 0, False), rng, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_a_step_is_that_of_ddim(kind):
    """One whole step from one timestep to the next, for slots at different places."""
    some, schedule = rollout(kind, 3)
    restart(some)
    for slot, (done, offset) in zip(some.slots, [(1, 0.0), (2, 0.0), (3, 0.5)], strict=True):
        slot.done, slot.offset = done, offset
    before, steps = some.latents.clone(), some.timesteps()
    prediction = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    some.advance(prediction)

    assert steps.tolist() == [749, 499, 374]
    schedule.set_timesteps(N_STEPS)  # 250 apart
    expected = [
        schedule.step(p[None], t, x[None]).prev_sample[0]
        for p, t, x in zip(prediction, [749, 499], before, strict=False)
    ]
    assert torch.allclose(some.latents[:2], torch.stack(expected), rtol=0, atol=1e-5)
    assert some.timesteps().tolist() == [499, 249, 124]


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_the_right_prediction_leads_to_the_picture(kind):
    some, _ = rollout(kind, 1)
    restart(some)
    some.slots[0].end, some.slots[0].offset = N_STEPS, 0.0
    clean = torch.full((1, *SHAPE), 0.5)
    assert some.timesteps().tolist() == [999]
    for done in range(N_STEPS):
        assert some.slots[0].done == done
        signal = torch.tensor(some._signals)[some.timesteps()].view(-1, 1, 1, 1)
        noise = (some.latents - signal.sqrt() * clean) / (1 - signal).sqrt()
        v = signal.sqrt() * noise - (1 - signal).sqrt() * clean
        some.advance({"epsilon": noise, "sample": clean, "v_prediction": v}[kind])

    assert torch.allclose(some.latents, clean, rtol=0, atol=1e-3)
    assert some.timesteps().tolist() == [-1]


def test_first_rounds_end_early_and_later_ones_do_not():
    some, _ = rollout("epsilon", 6)
    restart(some)
    assert [slot.end for slot in some.slots] == [1, 2, 3, 4, 1, 2]
    assert some.draws() == [(7, 0, False)] * 6
    assert some.latents.std() > 0.5
    before = some.latents.clone()
    some.advance(torch.zeros(6, *SHAPE))
    moved = some.latents.clone()
    restart(some, 1)

    assert not torch.equal(before, moved)
    assert [slot.end for slot in some.slots] == [4, 2, 3, 4, 4, 2]
    assert [slot.done for slot in some.slots] == [0, 1, 1, 1, 0, 1]
    changed = [not torch.equal(a, b) for a, b in zip(some.latents, moved, strict=True)]
    assert changed == [True, False, False, False, True, False]


def test_state_is_that_of_a_checkpoint(tmp_path):
    some, _ = rollout("epsilon", 3)
    restart(some)
    some.advance(torch.ones(3, *SHAPE))
    torch.save(some.state(), tmp_path / "state.pt")
    other, _ = rollout("epsilon", 3)
    other.load(torch.load(tmp_path / "state.pt", weights_only=True))

    assert torch.equal(other.latents, some.latents)
    assert other.slots == some.slots
    for each in (some, other):
        restart(each, 2)
        each.advance(torch.ones(3, *SHAPE))
    assert torch.equal(other.latents, some.latents)
