"""SDXL's refiner: a pipeline of XL with its second text encoder alone."""

import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline

from clipcond import attach, detach
from clipcond.errors import PromptWarning
from clipcond.pipelines.families import family_of
from clipcond.towers import OpenAIClipTower
from tests.pipelines.models import WIDTH_G, latents, tiny_sdxl, unet_of
from tests.pipelines.zoo import PICTURE, XL
from tests.pipelines.zoo_parts import drawn


@pytest.fixture
def pipe():
    sizes = {**XL, "projection_class_embeddings_input_dim": WIDTH_G + 5 * 8}
    parts = tiny_sdxl(unet=drawn(lambda: unet_of(WIDTH_G, **sizes))).components
    parts |= {"text_encoder": None, "tokenizer": None}
    made = StableDiffusionXLImg2ImgPipeline(
        **parts, requires_aesthetics_score=True, add_watermarker=False
    )
    made.set_progress_bar_config(disable=True)
    return made


def drawing(pipe, *args, **call):
    return latents(pipe, *args, image=PICTURE, strength=1.0, **call)


CALLS = (
    {"negative_prompt": "blurry"},
    {},
    {"negative_prompt": "", "num_images_per_prompt": 2},
    {"do_classifier_free_guidance": False},
)


def test_what_is_encoded_is_that_of_plain_diffusers(pipe):
    theirs = [pipe.encode_prompt("a cat", device="cpu", **call) for call in CALLS]
    attach(pipe, dialect="diffusers")
    ours = [pipe.encode_prompt("a cat", device="cpu", **call) for call in CALLS]

    assert family_of(pipe).name == "Stable Diffusion XL refiner"
    for one, other in zip(ours, theirs, strict=True):
        for ours_of_it, theirs_of_it in zip(one, other, strict=True):
            assert (ours_of_it is None) == (theirs_of_it is None)
            assert ours_of_it is None or torch.equal(ours_of_it, theirs_of_it)


def test_pictures(pipe):
    theirs = drawing(pipe, "a cat", negative_prompt="blurry")
    attach(pipe)

    assert torch.equal(drawing(pipe, "a cat", negative_prompt="blurry"), theirs)
    assert not torch.equal(drawing(pipe, "a (cat:1.4)", negative_prompt="blurry"), theirs)
    assert drawing(pipe, "a cat, " * 60).isfinite().all()


def test_length_clip_skip_and_zeros(pipe):
    attach(pipe, clip_skip=1)
    long = pipe.encode_prompt("a cat, " * 60, device="cpu", negative_prompt="x")
    assert [tuple(each.shape) for each in long] == [(1, 231, WIDTH_G)] * 2 + [(1, WIDTH_G)] * 2
    first, second, third = (
        pipe.encode_prompt("a cat", device="cpu", clip_skip=n)[0] for n in (1, 2, 3)
    )
    assert torch.equal(first, second)
    assert not torch.equal(second, third)
    assert not bool(pipe.encode_prompt("a cat", device="cpu")[1].any())


def test_its_own_tower_may_be_given(pipe):
    theirs = attach(pipe).encode_prompt("a cat", device="cpu")
    tower = OpenAIClipTower(pipe.text_encoder_2, pipe.tokenizer_2)
    ours = attach(pipe, tower=tower).encode_prompt("a cat", device="cpu")

    assert all(map(torch.equal, ours, theirs))


def test_a_second_prompt_is_not_read(pipe):
    attach(pipe)
    with pytest.warns(PromptWarning, match="prompt_2 is not read: this pipeline has one text"):
        pipe.encode_prompt("a cat", prompt_2="a dog", device="cpu")
    assert "encode_prompt" not in vars(detach(pipe))


def test_an_empty_negative_is_zeros_beside_others(pipe):
    attach(pipe)
    given = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": True}
    both = pipe.encode_prompt(["a", "b"], negative_prompt=["", "x"], **given)
    alone = pipe.encode_prompt("b", negative_prompt="x", **given)

    assert not both[1][0].any()
    assert not both[3][0].any()
    torch.testing.assert_close(both[1][1:], alone[1], atol=1e-5, rtol=0)
