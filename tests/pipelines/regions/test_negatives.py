"""Editing over the steps in calls with regions: with every kind of negative prompt."""

import pytest
import torch

from clipcond import attach
from clipcond.pipelines import Region
from tests.pipelines.models import latents, seeded, tiny_sd, tiny_sdxl

EDIT = "a [cat:dog:0.5]"
NEGATIVES = [None, "", "x", [""], ["x"], "[fog:rain:0.5]"]
WHERE = {
    "region": ("a field", Region(EDIT, "left")),
    "base": (EDIT, Region("a cat", "left")),
    "both": (EDIT, Region("a [b|c] d", "left")),
    "negative": ("a field", Region("a cat", "left", negative=EDIT)),
    "empty base": ("", Region(EDIT, "left", negative="")),
}


@pytest.fixture(scope="module", params=[tiny_sd, tiny_sdxl], ids=["sd", "sdxl"])
def pipe(request):
    return attach(request.param())


def draw(pipe, prompt, negative, regions, **more):
    own = {"negative_prompt": negative, "regions": regions}
    return latents(pipe, prompt, num_inference_steps=4, **own, **more)


@pytest.mark.parametrize("negative", NEGATIVES, ids=repr)
def test_a_region_over_everything_is_its_edited_prompt(pipe, negative):
    """A region is read with the call's own negative, whatever that is written as."""
    own, call = [Region(EDIT, "all")], {"base_share": 0, "guidance_scale": 5.0}
    if hasattr(pipe, "text_encoder_2"):  # the pooled vector is that of the call's own prompt
        made = pipe.encode_prompt("a field")
        call["pooled_prompt_embeds"], call["negative_pooled_prompt_embeds"] = made[2], made[3]
    plain = {name: each for name, each in call.items() if name != "base_share"}

    alone = draw(pipe, EDIT, negative, None, **plain)
    assert torch.equal(draw(pipe, "a field", negative, own, **call), alone)


@pytest.mark.parametrize("where", WHERE)
def test_an_empty_negative_is_a_list_with_an_empty_text(pipe, where):
    prompt, region = WHERE[where]
    one, two, other = (draw(pipe, prompt, negative, [region]) for negative in ("", [""], "x"))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("where", WHERE)
def test_pictures_of_a_batch_may_share_an_empty_negative(pipe, where):
    prompt, region = WHERE[where]
    generators = [seeded(0), seeded(1)]
    prompts, own = ["snow", prompt], {"base_share": 0.2}  # which an empty base does not have
    together = draw(pipe, prompts, "", [region], generator=generators, **own)
    alone = draw(pipe, prompt, "", [region], generator=seeded(1), **own)
    assert torch.allclose(together[1:], alone, atol=1e-4)


@pytest.mark.parametrize("second", [None, "", "x"], ids=repr)
def test_prompts_of_the_second_tower(second):
    """An empty one is the first's, as in a stock SDXL."""
    pipe = attach(tiny_sdxl())
    own = {"prompt_2": second, "negative_prompt_2": second}
    region = [Region(EDIT, "left")]
    drawn = draw(pipe, EDIT, "fog", region, **own)
    plain = draw(pipe, EDIT, "fog", region)
    assert torch.equal(drawn, plain) == (not second)
