"""Several prompts made one, on made-up hidden states: no tower, milliseconds."""

import pytest
import torch

from clipcond.chunking import TokenChunk
from clipcond.prompt.segments import Mixture
from clipcond.weighting.mixing import mix, mix_masks, mixed_length

L, D = 3, 4
RANDOM = torch.Generator().manual_seed(0)
EMPTY = torch.randn(1, L, D, generator=RANDOM)
LONG, SHORT = torch.randn(2, L, D, generator=RANDOM), torch.randn(1, L, D, generator=RANDOM)
FILLED = torch.cat([SHORT, EMPTY])


def mixture(mode, *weights):
    return Mixture((), weights, mode)


def masked(*masks):
    return [TokenChunk((1,) * L, (1.0,) * L, mask, (-1,) * L) for mask in masks]


def test_joined_prompts_follow_each_other_each_moved_from_the_empty_chunk():
    ours = mix(mixture("join", 1.0, 0.5), [LONG, SHORT], EMPTY)

    assert torch.equal(ours[:2], LONG)
    torch.testing.assert_close(ours[2:], EMPTY + 0.5 * (SHORT - EMPTY))


@pytest.mark.parametrize(("mode", "divisor"), [("mean", 4.0), ("sum", 1.0)])
def test_sums_fill_the_shorter_prompt_with_the_empty_chunk(mode, divisor):
    ours = mix(mixture(mode, 3.0, 1.0), [LONG, SHORT], EMPTY)

    torch.testing.assert_close(ours, (3 * LONG + FILLED) / divisor)


@pytest.mark.parametrize("mode", ["join", "mean", "sum"])
def test_weights_act_in_float32_and_the_dtype_stays(mode):
    halves = [LONG.half(), SHORT.half()]
    exact = mix(mixture(mode, 0.3, 0.7), [half.float() for half in halves], EMPTY.half().float())

    ours = mix(mixture(mode, 0.3, 0.7), halves, EMPTY.half())

    assert torch.equal(ours, exact.half())


@pytest.mark.parametrize(("mode", "n_chunks"), [("join", 3), ("mean", 2), ("sum", 2)])
def test_how_many_chunks_there_are(mode, n_chunks):
    assert mixed_length(mixture(mode, 1.0, 1.0), [1, 2]) == n_chunks
    assert len(mix(mixture(mode, 1.0, 1.0), [SHORT, LONG], EMPTY)) == n_chunks


def test_a_position_of_a_sum_counts_if_it_does_in_any_prompt():
    prompts = [masked((1, 0, 0), (1, 1, 0)), masked((0, 1, 0))]

    assert mix_masks(mixture("mean", 1.0, 1.0), prompts) == [(1, 1, 0), (1, 1, 0)]
    assert mix_masks(mixture("join", 1.0, 1.0), prompts) == [(1, 0, 0), (1, 1, 0), (0, 1, 0)]
