"""What an adapter makes of states: shapes, masks, weights, precision."""

import pytest
import torch

from clipcond.adapters import AdapterConfig, build_adapter
from clipcond.adapters.base import MAX_CHUNKS, CastAdapter
from clipcond.errors import TowerError, UnknownNameError
from tests.adapters.made import LENGTH, adapter

KINDS = pytest.mark.parametrize("kind", ["linear", "resampler"])


def states(n: int = 3, length: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, length, 32, generator=torch.Generator().manual_seed(seed))


def mask(*n_counted: int, length: int = 12) -> torch.Tensor:
    return (torch.arange(length) < torch.tensor(n_counted)[:, None]).long()


@KINDS
@pytest.mark.parametrize("pooled_width", [None, 10])
def test_a_chunk_of_any_length_gives_as_many_rows(kind, pooled_width):
    made = adapter(kind, pooled_width=pooled_width, width=24)
    for length in (3, 12, LENGTH):
        output = made(states(length=length))

        assert output.hidden.shape == (3, LENGTH, 24)
        assert (output.pooled is None) == (pooled_width is None)
        assert pooled_width is None or output.pooled.shape == (3, 10)


@KINDS
def test_what_does_not_count_changes_nothing(kind):
    made, counted = adapter(kind, pooled_width=10), mask(12, 5, 1)
    clean = states()
    spoilt = torch.where(counted[..., None] != 0, clean, torch.nan)
    expected, found = made(clean, counted), made(spoilt, counted)

    assert torch.equal(found.hidden, expected.hidden)
    assert torch.equal(found.pooled, expected.pooled)
    changed = made(clean, mask(12, 6, 1))
    assert not torch.equal(changed.hidden[1], expected.hidden[1])


@KINDS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_chunk_in_which_nothing_counts_is_defined(kind, dtype):
    made = adapter(kind, pooled_width=10).to(dtype)
    one, other = made(states(1), mask(0)), made(states(1, seed=1), mask(0))

    assert one.hidden.isfinite().all()
    assert one.pooled.isfinite().all()
    assert torch.equal(one.hidden, other.hidden)


@KINDS
def test_neighbours_in_the_batch_change_nothing(kind):
    made, counted = adapter(kind, pooled_width=10), mask(12, 5, 1)
    together = made(states(), counted)
    for i in range(3):
        alone = made(states()[i : i + 1], counted[i : i + 1])
        # batches of another size are summed in another order
        assert torch.allclose(alone.hidden[0], together.hidden[i], rtol=0, atol=2e-6)
        assert torch.allclose(alone.pooled[0], together.pooled[i], rtol=0, atol=2e-6)


@KINDS
def test_the_same_call_gives_the_same_bits(kind):
    made = adapter(kind)

    assert torch.equal(made(states(), mask(12, 5, 1)).hidden, made(states(), mask(12, 5, 1)).hidden)


@KINDS
@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 0.02), (torch.bfloat16, 0.12)])
def test_half_precision_is_near(kind, dtype, most):
    made = adapter(kind, pooled_width=10)
    exact = made(states(), mask(12, 5, 1))
    half = made.to(dtype)(states(), mask(12, 5, 1))

    assert half.hidden.dtype == half.pooled.dtype == dtype
    assert (half.hidden.float() - exact.hidden).abs().max() < most * exact.hidden.abs().max()
    assert (half.pooled.float() - exact.pooled).abs().max() < most * exact.pooled.abs().max()


@KINDS
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.3, -1.0])
def test_a_weight_on_a_state_acts(kind, weight):
    made, plain = adapter(kind), states()
    weighted = plain.clone()
    weighted[:, 4] *= weight

    assert (made(weighted).hidden - made(plain).hidden).abs().amax(dim=(1, 2)).min() > 1e-3


def test_a_weight_changes_how_much_a_token_says_and_not_where_it_is_found():
    """The first block's attention: what it adds is linear in the weight of one token."""
    block = adapter(layers=1).blocks[0].to_states
    keys, values = states(1)[..., :16], states(1, seed=1)
    queries = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(2))

    def said(weight: float) -> torch.Tensor:
        weighted = values.clone()
        weighted[:, 4] *= weight
        return block(queries, keys, weighted)

    steps = said(1.5) - said(1.0), said(2.0) - said(1.5)
    assert steps[0].abs().max() > 1e-3
    assert torch.allclose(*steps, rtol=0, atol=1e-6)
    # and a positive weight leaves its key as it was, up to the norm's epsilon
    norm = adapter().state_norm
    assert torch.allclose(norm(states() * 1.7), norm(states()), rtol=0, atol=1e-4)


def test_rows_of_other_norms_can_be_written():
    """CLIP's first row has a norm 1.5 times that of the others, whatever the prompt."""
    made = adapter()
    with torch.no_grad():
        made.row_scale[0] = 0.0
        made.row_bias[0] = 43.8
    rows = made(states()).hidden

    assert torch.equal(rows[:, 0], torch.full_like(rows[:, 0], 43.8))
    assert rows[:, 1:].abs().max() < 43.8


def test_gradients_reach_every_weight():
    for kind in ("linear", "resampler"):
        made = adapter(kind, pooled_width=10).requires_grad_(True)
        output = made(states(), mask(12, 5, 1))
        (output.hidden.square().mean() + output.pooled.square().mean()).backward()
        without = [name for name, p in made.named_parameters() if p.grad is None]
        zero = [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 0]

        assert not without
        assert not zero


def test_linear_is_one_matrix_and_a_row():
    made = adapter("linear", pooled_width=10)
    hidden, counted = states(1), mask(5)
    expected = made.rows.clone()
    expected[:5] += hidden[0, :5] @ made.to_rows.weight.T
    output = made(hidden, counted)

    assert torch.allclose(output.hidden[0], expected, rtol=0, atol=1e-6)
    pooled = made.to_pooled(hidden[0, :5].mean(0))
    assert torch.allclose(output.pooled[0], pooled, rtol=0, atol=1e-6)


def test_linear_takes_no_longer_chunks_than_it_has_rows():
    with pytest.raises(TowerError) as caught:
        adapter("linear").check_context(52, "zh")

    assert str(caught.value) == (
        "a linear adapter hands on 20 rows, one a token, but chunks of 'zh' have 52\n"
        "Give the tower context_length=20, or take a resampler."
    )
    adapter("resampler").check_context(52, "zh")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"kind": "linear", "hidden": 8}, "hidden of a 'linear' adapter is 0, not 8"),
        ({"width": 0}, "width of a 'resampler' adapter is a whole number from 1 to 65536, not 0"),
        (
            {"layers": 10**9},
            "layers of a 'resampler' adapter is a whole number from 1 to 256, not 1000000000",
        ),
        (
            {"pooled_width": True},
            "pooled_width of a 'resampler' adapter is a whole number from 1 to 65536, not True",
        ),
        (
            {"heads": 3},
            "hidden=16 of an adapter cannot be shared among heads=3\nGive a multiple.",
        ),
    ],
)
def test_sizes_that_no_adapter_has(sizes, message):
    good = {"kind": "resampler", "tower_width": 32, "width": 32, "length": 20}
    with pytest.raises(TowerError) as caught:
        AdapterConfig(**{**good, "hidden": 16, "heads": 2, "layers": 1, **sizes})

    assert str(caught.value) == message


@pytest.mark.parametrize("own_sizes", [(16, 2, 1), ()])
def test_an_unknown_kind(own_sizes):
    config = AdapterConfig("resampled", 32, 32, 20, None, *own_sizes)
    with pytest.raises(UnknownNameError) as caught:
        build_adapter(config)

    assert str(caught.value) == (
        "no kind of adapter 'resampled'. Did you mean 'resampler'? Known: image, linear, resampler."
    )


def test_states_that_do_not_fit():
    with pytest.raises(TowerError) as caught:
        adapter()(torch.zeros(1, 12, 40))
    assert str(caught.value) == "the adapter reads states [n L 32], not [1, 12, 40]"

    with pytest.raises(TowerError) as caught:
        adapter()(states(), mask(1, 1))
    assert str(caught.value) == "the mask of states [3, 12, 32] is [3, 12], not [2, 12]"


def test_only_an_adapter_of_another_dtype_is_copied():
    own, used = adapter(), []
    # copies have it too; a list of modules would count as what the hook computes with
    own.register_forward_hook(lambda module, *_: used.append((module,)))
    cast = CastAdapter(own)

    assert torch.equal(cast(states(), mask(12, 5, 1)).hidden, own(states(), mask(12, 5, 1)).hidden)
    cast(states().half(), None)
    cast(states().half(), None)
    own.row_bias.add_(1.0)
    cast(states().half(), None)

    plain, _, first, again, changed = (module for (module,) in used)
    assert plain is own
    assert first is again
    assert len({id(module) for module in (own, first, changed)}) == 3
    assert (own.dtype, first.dtype) == (torch.float32, torch.float16)


@pytest.mark.parametrize("pooled_width", [None, 10])
def test_many_chunks_are_mapped_a_part_at_a_time(pooled_width):
    own, sizes = adapter(pooled_width=pooled_width), []
    hidden, counted = states(MAX_CHUNKS + 3), mask(*[12, 5, 1, 7] * 16, 3, 4, 5)
    expected = own(hidden, counted)
    own.register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))

    found = CastAdapter(own)(hidden, counted)

    assert sizes == [MAX_CHUNKS, 3]
    # batches of another size are summed in another order
    assert torch.allclose(found.hidden, expected.hidden, rtol=0, atol=5e-6)
    assert (found.pooled is None) == (pooled_width is None)
    assert pooled_width is None or torch.allclose(found.pooled, expected.pooled, rtol=0, atol=5e-6)
    assert torch.equal(CastAdapter(own)(hidden, None).hidden[:64], own(hidden[:64]).hidden)


def test_the_largest_sizes_are_possible():
    good = {"kind": "resampler", "tower_width": 2**16, "width": 2**16, "length": 2**16}
    AdapterConfig(**good, hidden=2**16, heads=2**16, layers=256, pooled_width=2**16)
    AdapterConfig("linear", 1, 1, 1, 1)
    AdapterConfig("resampler", 1, 1, 1, 1, 1, 1, 1)
    with pytest.raises(TowerError, match="from 1 to 65536, not 65537"):
        AdapterConfig(**{**good, "width": 2**16 + 1}, hidden=1, heads=1, layers=1)
    with pytest.raises(TowerError, match=r"pooled_width of a 'linear' adapter .*, not 0"):
        AdapterConfig("linear", 1, 1, 1, 0)
