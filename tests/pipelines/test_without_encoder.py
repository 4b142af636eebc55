"""Pipelines without text encoders take embeddings, attached or not."""

import pytest
import torch

from clipcond import attach, detach
from clipcond.errors import PipelineError
from tests.pipelines.models import WIDTH, WIDTH_G, latents, seeded, tiny_sd, tiny_sdxl


def embeds(width, rows=77, seed=0):
    return torch.randn(1, rows, width, generator=seeded(seed))


@pytest.fixture
def given():
    return {"prompt_embeds": embeds(WIDTH), "negative_prompt_embeds": embeds(WIDTH, seed=1)}


@pytest.mark.parametrize("removed_first", [True, False])
def test_embeddings_go_through(pipe, given, removed_first):
    theirs = latents(pipe, **given)
    if removed_first:
        pipe.text_encoder = pipe.tokenizer = None
        attach(pipe)
    else:
        attach(pipe)
        pipe.text_encoder = None

    assert torch.equal(latents(pipe, **given), theirs)
    alone = latents(pipe, prompt_embeds=given["prompt_embeds"], guidance_scale=1.0)
    assert alone.isfinite().all()
    before = vars(detach(pipe)).keys()
    assert "encode_prompt" not in before
    assert "conditioner" not in before


@pytest.mark.parametrize(
    "call",
    [
        {"prompt": "a cat"},
        {"prompt_embeds": embeds(WIDTH)},
        {"prompt_embeds": embeds(WIDTH), "negative_prompt": "x"},
        {"prompt_embeds": embeds(WIDTH, 154), "negative_prompt_embeds": embeds(WIDTH)},
    ],
)
def test_text_that_would_be_encoded_is_refused_then(pipe, call):
    pipe.text_encoder = None
    attach(pipe)
    with pytest.raises(PipelineError) as caught:
        pipe.encode_prompt(**{"prompt": None, **call}, device="cpu", num_images_per_prompt=1,
                           do_classifier_free_guidance=True)  # fmt: skip

    assert str(caught.value) == (
        "This StableDiffusionPipeline has no text_encoder.\n"
        "Load it with one, or say which tower to use: attach(pipe, tower=...)."
    )


def test_an_encoder_that_comes_later_is_used(pipe):
    theirs, encoder = latents(pipe, "a cat"), pipe.text_encoder
    pipe.text_encoder = None
    attach(pipe)
    pipe.text_encoder = encoder

    assert torch.equal(latents(pipe, "a cat"), theirs)
    assert pipe.conditioner.towers[0].model is encoder


def test_xl_gives_zeros_for_no_negative():
    pipe = tiny_sdxl()
    given = {
        "prompt_embeds": embeds(WIDTH + WIDTH_G),
        "pooled_prompt_embeds": torch.randn(1, WIDTH_G, generator=seeded()),
    }
    theirs = latents(pipe, **given)
    pipe.text_encoder = pipe.text_encoder_2 = None
    attach(pipe)

    assert torch.equal(latents(pipe, **given), theirs)


def test_no_tower_is_opened_for_embeddings(given, monkeypatch):
    pipe = tiny_sd()
    attach(pipe)
    monkeypatch.setattr(pipe.text_encoder, "forward", None)

    assert latents(pipe, **given).isfinite().all()
