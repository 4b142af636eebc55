"""Which negatives of SDXL are zeros: row by row, and as diffusers in its dialect."""

import warnings

import pytest
import torch

from clipcond import attach
from clipcond.errors import PromptWarning
from tests.pipelines.models import latents, seeded, tiny_sdxl

PROMPTS = ["a cat", "a dog"]
# negatives, second negatives
CALLS = [
    (None, None), ("", None), (["", ""], None), (["", "x"], None), (["x", ""], None),
    ("x", None), (["x", "y"], None), (None, "x"), (None, ["x", "y"]), ("", "x"), ("x", ""),
    (["", "x"], ["", "y"]), (["", "x"], ["z", ""]), (["", ""], ["", "y"]),
]  # fmt: skip


def encode(pipe, prompt, negative, negative_2):
    return pipe.encode_prompt(
        prompt,
        device="cpu",
        num_images_per_prompt=1,
        do_classifier_free_guidance=True,
        negative_prompt=negative,
        negative_prompt_2=negative_2,
    )


@pytest.mark.parametrize("forces_zeros", [True, False])
def test_as_diffusers_in_its_dialect(forces_zeros):
    plain, ours, failures = tiny_sdxl(), attach(tiny_sdxl(), dialect="diffusers"), []
    for pipe in (plain, ours):
        pipe.register_to_config(force_zeros_for_empty_prompt=forces_zeros)
    for call in CALLS:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", PromptWarning)
            pairs = zip(encode(ours, PROMPTS, *call), encode(plain, PROMPTS, *call), strict=True)
            same = all(torch.allclose(*each, atol=1e-6, rtol=0) for each in pairs)
        is_lost = forces_zeros and call[0] is None and call[1] is not None
        if not same or ["negative_prompt_2 is not read" in str(w.message) for w in warned] != (
            [True] if is_lost else []
        ):
            failures.append((call, [str(w.message) for w in warned]))
    assert not failures


def test_each_row_is_what_it_is_alone():
    pipe, failures = attach(tiny_sdxl()), []
    for call in CALLS:
        together = encode(pipe, PROMPTS, *call)
        for i, prompt in enumerate(PROMPTS):
            own = [value[i : i + 1] if isinstance(value, list) else value for value in call]
            alone = encode(pipe, [prompt], *own)
            is_zero = not any(each and any(each) for each in own)
            pairs = zip(together, alone, strict=True)
            same = all(torch.allclose(one[i], other[0], atol=1e-5, rtol=0) for one, other in pairs)
            if not same or any(bool(together[n][i].any()) is is_zero for n in (1, 3)):
                failures.append((call, i))
    assert not failures


def test_beside_longer_embeddings_of_the_callers():
    pipe = attach(tiny_sdxl())
    embeds, _, pooled, _ = encode(pipe, ["a cat, " * 40, "a"], "", None)
    given = {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    made = pipe.encode_prompt(
        None, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True,
        negative_prompt=["", "x"], **given,
    )  # fmt: skip

    assert made[1].shape == embeds.shape
    assert not made[1][0].any()
    assert made[1][1, 77:].any()


def test_a_negative_that_is_empty_at_some_steps_is_encoded():
    """As A1111, which looks at all texts of one prompt; a comment is none."""
    pipe = attach(tiny_sdxl())
    n = {"num_inference_steps": 3}
    ours = latents(pipe, "a cat", negative_prompt="[x::1]", **n)
    two = {"negative_prompt": ["", "[x::1]"], "generator": [seeded(), seeded()], **n}
    together = latents(pipe, ["a cat", "a cat"], **two)
    zeros = latents(pipe, "a cat", negative_prompt="", **n)

    torch.testing.assert_close(together, torch.cat([zeros, ours]), atol=1e-4, rtol=0)
    assert (ours - zeros).abs().max() > 1e-2
    with pytest.warns(PromptWarning, match="is a comment"):
        assert torch.equal(latents(pipe, "a cat", negative_prompt="# x", **n), zeros)
