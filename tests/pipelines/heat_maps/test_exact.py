"""Heat maps against the formula; pictures that are the same to the bit."""

import pytest
import torch

from clipcond import attach
from clipcond.pipelines import trace
from clipcond.pipelines.heat_maps import attention
from tests.pipelines.heat_maps.eager import noted
from tests.pipelines.models import latents, tiny_sd, tiny_sdxl
from tests.pipelines.zoo import make, quiet

ATOL = 1e-5  # float32 against float64
LONG = "a cat, red BREAK the dog BREAK an old fox"  # a fox is the third token of the third chunk
ROWS = {"cat": [2], "red": [4], "the dog": [78, 79], "fox": [157], "an old fox": [155, 156, 157]}


def traced(pipe, prompt, *, call=None, **choices):
    with trace(pipe, **choices) as seen:
        drawn = latents(pipe, prompt, **(call or {}))
    return seen, drawn


@pytest.fixture(scope="module", params=[tiny_sd, tiny_sdxl])
def pipe(request):
    return attach(request.param())


@pytest.mark.parametrize(
    ("prompt", "rows"), [("a (red:1.4) cat", {"red": [2], "cat": [3]}), (LONG, ROWS)]
)
@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_maps_equal_the_formula(pipe, prompt, rows, guidance):
    call = {"guidance_scale": guidance, "negative_prompt": "blurry"}
    seen, ours = traced(pipe, prompt, call=call, each_step=True, each_head=True)
    names = [layer.name for layer in seen.layers]
    eager, theirs = noted(pipe, pipe.unet, names, prompt, **call)

    assert torch.equal(ours, theirs)
    n_rows = eager.shares(names[0], 0).shape[-1]
    assert n_rows == 77 * (1 + prompt.count("BREAK"))
    for text, own in rows.items():
        each = []
        for layer in seen.layers:
            at = (layer.name, own, (layer.height, layer.width), (16, 16))
            each.append(eager.map_of(*at))
            assert_close(seen.heat_map(text, layers=layer.name).values, each[-1])
            one = seen.heat_map(text, layers=layer.name, steps=[1], heads=range(2, 4)).values
            assert_close(one, eager.map_of(*at, calls=[1], heads=slice(2, 4)))
        assert_close(seen.heat_map(text).values, torch.stack(each).mean(0))
        assert seen.heat_map(text).n_tokens == len(own)


def assert_close(ours, theirs):
    assert ours.shape == theirs.shape
    assert ours.dtype == torch.float32
    assert torch.allclose(ours, theirs, rtol=0, atol=ATOL)
    assert float(ours.max()) > 10 * ATOL  # else anything would be close


def test_places_are_computed_in_parts(pipe, monkeypatch):
    whole, _ = traced(pipe, LONG)
    monkeypatch.setattr(attention, "MAX_SCORES", 7 * 4 * 231)  # of 64 places 7 at a time
    parts, _ = traced(pipe, LONG)

    assert torch.equal(parts.heat_map("fox").values, whole.heat_map("fox").values)


@pytest.mark.parametrize("norms", [{}, {"qk_norm": "rms_norm"}])
def test_maps_of_joint_attention_equal_the_formula(norms):
    pipe = make("StableDiffusion3Pipeline")
    if norms:
        config = {**pipe.transformer.config, **norms}
        torch.manual_seed(3)
        pipe.transformer = type(pipe.transformer).from_config(config).eval()
    attach(pipe)
    call = {"max_sequence_length": 16, "guidance_scale": 4.0, "height": 16, "width": 16}
    prompt = "a cat BREAK the dog"
    with quiet():
        seen, ours = traced(pipe, prompt, call=call)
        names = [layer.name for layer in seen.layers]
        eager, theirs = noted(pipe, pipe.transformer, names, prompt, joint=True, **call)

    assert torch.equal(ours, theirs)
    assert eager.shares(names[0], 0).shape[-1] == 2 * 77 + 16
    for text, own in {"cat": [2], "the dog": [78, 79]}.items():
        for layer in seen.layers:
            grid = layer.height, layer.width
            theirs = eager.map_of(layer.name, own, grid, seen.heat_map(text).values.shape)
            assert_close(seen.heat_map(text, layers=layer.name).values, theirs)


def test_every_token_together_has_the_rest_of_the_specials(pipe):
    """All words, bos, eos and padding are all of the attention."""
    seen, _ = traced(pipe, "a cat, red")
    names = [layer.name for layer in seen.layers]
    eager, _ = noted(pipe, pipe.unet, names, "a cat, red")
    together = seen.heat_map("a cat, red").values
    parts = [seen.heat_map(word).values for word in ("a", "cat", ",", "red")]

    assert torch.allclose(together, torch.stack(parts).sum(0), atol=1e-6)
    specials = [0, *range(5, 77)]
    each = [
        eager.map_of(layer.name, specials, (layer.height, layer.width), (16, 16))
        for layer in seen.layers
    ]
    assert torch.allclose(together + torch.stack(each).mean(0), torch.ones(16, 16), atol=ATOL)
