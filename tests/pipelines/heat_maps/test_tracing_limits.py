"""Sums of heat maps stay within a limit; wrong arguments are refused."""

import pytest
import torch

from clipcond import attach
from clipcond.errors import ArgumentError, PipelineError, UnknownNameError
from clipcond.pipelines import trace
from clipcond.pipelines.steps import WATCHERS
from tests.pipelines.heat_maps.eager import noted
from tests.pipelines.heat_maps.seen import ATOL, near, seen_of, state
from tests.pipelines.models import tiny_sd


@pytest.fixture(scope="module")
def pipe():
    return attach(tiny_sd())


def test_repeated_rows_count_all():
    """In ComfyUI's dialect a prompt is repeated until it is as long as its negative."""
    own = attach(tiny_sd(), dialect="comfyui")
    negative = torch.randn(1, 154, 32, generator=torch.Generator().manual_seed(2))
    call = {"negative_prompt_embeds": negative}
    seen = seen_of(own, "a cat", call=call)
    names = [layer.name for layer in seen.layers]
    eager, _ = noted(own, own.unet, names, "a cat", **call)

    assert seen.heat_map("cat").n_tokens == 2
    for layer in seen.layers:
        theirs = eager.map_of(layer.name, [2, 79], (layer.height, layer.width), (16, 16))
        assert torch.allclose(seen.heat_map("cat", layers=layer.name).values, theirs, atol=ATOL)


def test_a_prompt_without_words(pipe):
    with pytest.raises(ValueError, match="It has no words"):
        seen_of(pipe, "").heat_map("cat")


def test_sums_stay_within_a_limit(pipe):
    seen = seen_of(pipe, "a cat")
    cells = sum(layer.height * layer.width for layer in seen.layers)
    assert seen.n_bytes == 4 * 2 * cells  # two tokens of text
    apart = seen_of(pipe, "a cat", each_step=True, each_head=True)
    assert apart.n_bytes == sum(
        4 * 2 * 2 * layer.n_heads * layer.height * layer.width for layer in seen.layers
    )
    assert near(apart.heat_map("cat"), seen.heat_map("cat"))
    assert near(seen_of(pipe, max_bytes=seen.n_bytes).heat_map("cat"), seen.heat_map("cat"))
    before = state(pipe)
    with pytest.raises(PipelineError) as caught:
        seen_of(pipe, max_bytes=seen.n_bytes - 1, each_head=True)
    assert str(caught.value) == (
        f"The heat maps of this call take more than the {(seen.n_bytes - 1) / 2**20:.4g} MiB that "
        "max_bytes= allows.\nTrace with layers=... for some layers only, or each_head=False, or a "
        "higher max_bytes=."
    )
    assert state(pipe) == before


def test_layers_are_chosen_by_name(pipe):
    seen = seen_of(pipe)
    names = [layer.name for layer in seen.layers]
    some = seen_of(pipe, layers=["mid_block", names[0]])

    assert [layer.name for layer in some.layers] == [names[0], "mid_block.attentions.0."
                                                     "transformer_blocks.0.attn2"]  # fmt: skip
    assert near(some.heat_map("cat", layers="mid_block"), seen.heat_map("cat", layers="mid_block"))
    with pytest.raises(UnknownNameError, match=r"'mid_blok'\. Did you mean 'mid_block'"):
        seen_of(pipe, layers="mid_blok")
    with pytest.raises(UnknownNameError, match="no layer 'up_blocks'"):
        some.heat_map("cat", layers="up_blocks")
    with pytest.raises(PipelineError, match="steps of this call were added up"):
        seen.heat_map("cat", steps=[0])
    with pytest.raises(PipelineError, match="heads of this call were added up"):
        seen.heat_map("cat", heads=[0])


def test_wrong_arguments(pipe):
    for choice, expected in (
        ({"each_step": 1}, "each_step is True or False"),
        ({"max_bytes": 0}, "max_bytes is a number of bytes"),
        ({"layers": 3}, "layers is names of layers, or None"),
        ({"layers": []}, "layers= names no layer"),
    ):
        with pytest.raises(ArgumentError, match=expected), trace(pipe, **choice):
            pass
    assert pipe not in WATCHERS
