"""Pipelines that encode prompts in several calls, in two text encoders, or list their tokens."""

import pickle
import warnings

import pytest
import torch
from diffusers import DDIMInverseScheduler

from clipcond import attach, detach
from clipcond.errors import ClipcondWarning, PromptWarning
from tests.pipelines.models import WIDTH
from tests.pipelines.zoo import PICTURE, draw, make
from tests.pipelines.zoo_parts import tokenizer

LONG, SHORT = "a cat, " * 60, "a dog"
PAIRS = [(LONG, SHORT), (SHORT, LONG), (LONG, LONG), (SHORT, SHORT), (SHORT, "b " * 100)]


@pytest.fixture(scope="module")
def animate():
    return make("AnimateDiffPipeline")


@pytest.mark.parametrize(("prompt", "negative"), PAIRS)
def test_free_noise(animate, prompt, negative):
    animate.enable_free_noise(context_length=2, context_stride=2)
    attach(animate)
    try:
        frames = draw(animate, "AnimateDiffPipeline", prompt=prompt, negative_prompt=negative)
        by_frame = {"prompt": {0: prompt, 1: SHORT}, "negative_prompt": negative}
        others = draw(animate, "AnimateDiffPipeline", **by_frame)
    finally:
        detach(animate)
        animate.disable_free_noise()

    assert frames.isfinite().all()
    assert others.isfinite().all()
    assert "_encode_prompt_free_noise" not in vars(animate)


def test_free_noise_without_syntax_is_that_of_plain_diffusers(animate):
    animate.enable_free_noise(context_length=2, context_stride=2)
    theirs = draw(animate, "AnimateDiffPipeline")
    ours = draw(attach(animate), "AnimateDiffPipeline")
    detach(animate)
    animate.disable_free_noise()

    assert torch.equal(ours, theirs)


def diffedit():
    pipe = make("StableDiffusionDiffEditPipeline")
    pipe.inverse_scheduler = DDIMInverseScheduler.from_config(pipe.scheduler.config)
    return pipe


def mask(pipe, target, source, **more):
    call = {"num_inference_steps": 2, "num_maps_per_mask": 1, "mask_encode_strength": 1.0}
    generator = torch.Generator().manual_seed(0)
    return pipe.generate_mask(
        PICTURE, target, source_prompt=source, generator=generator, output_type="np", **call, **more
    )


def test_diffedit():
    pipe = diffedit()
    theirs = mask(pipe, "a cat", "a dog")
    attach(pipe)

    assert (mask(pipe, "a cat", "a dog") == theirs).all()
    for target, source in PAIRS:
        assert mask(pipe, target, source).shape == theirs.shape
        assert mask(pipe, SHORT, SHORT, target_negative_prompt=target).shape == theirs.shape
    inverted = pipe.invert(LONG, PICTURE, num_inference_steps=2, inpaint_strength=1.0).latents
    assert inverted.isfinite().all()
    assert "generate_mask" not in vars(detach(pipe))


def test_cycle_diffusion():
    name = "CycleDiffusionPipeline"
    pipe = make(name)
    theirs, kind = draw(pipe, name), type(pipe)
    attach(attach(pipe))

    assert torch.equal(draw(pipe, name), theirs)
    assert type(pipe).__name__ == name
    for prompt, source in PAIRS:
        assert draw(pipe, name, prompt=prompt, source_prompt=source).isfinite().all()
    copied = pickle.loads(pickle.dumps(pipe))
    assert draw(copied, name, prompt=LONG, source_prompt=SHORT).isfinite().all()
    assert type(detach(pipe)) is kind


@pytest.mark.parametrize(
    ("prompt", "indices"),
    [
        ("(red:1.3) cat", {0: "<|startoftext|>", 1: "red</w>", 2: "cat</w>", 3: "<|endoftext|>"}),
        ("a cat", {0: "<|startoftext|>", 1: "a</w>", 2: "cat</w>", 3: "<|endoftext|>"}),
        ("[cat]", {0: "<|startoftext|>", 1: "cat</w>", 2: "<|endoftext|>"}),
        ("", {0: "<|startoftext|>", 1: "<|endoftext|>"}),
        (
            "cat BREAK dog",
            {
                **{0: "<|startoftext|>", 1: "cat</w>", 2: "<|endoftext|>"},
                **{77: "<|startoftext|>", 78: "dog</w>", 79: "<|endoftext|>"},
            },
        ),
    ],
)
def test_indices_are_those_of_the_rows(prompt, indices):
    pipe = make("StableDiffusionAttendAndExcitePipeline")
    attach(pipe)

    assert pipe.get_indices(prompt) == indices
    assert pipe.get_indices("a cat") == detach(pipe).get_indices("a cat")


def prior(pipe, prompt, **call):
    return pipe._encode_prior_prompt(prompt, "cpu", 1, True, **call)


def test_the_prior_of_stable_unclip_reads_the_prompt_too():
    pipe = make("StableUnCLIPPipeline")
    theirs = prior(pipe, "a cat"), prior(pipe, "a red cat")
    attach(pipe)
    ours, weighted = prior(pipe, "a cat"), prior(pipe, "a (red:1.4) cat")

    assert all(map(torch.equal, ours, theirs[0]))
    assert torch.equal(weighted[0], theirs[1][0])
    assert torch.equal(weighted[2], theirs[1][2])
    rows = (weighted[1] != theirs[1][1]).any(dim=-1)
    assert rows.any()
    assert not rows[0].any()
    assert pipe.prior_conditioner.towers[0].model is pipe.prior_text_encoder
    with pytest.warns(PromptWarning, match="dropped"):
        assert prior(pipe, LONG)[1].shape == (2, 77, WIDTH)
    given = {"text_model_output": (ours[0][1:], ours[1][1:]), "text_attention_mask": ours[2][1:]}
    assert all(map(torch.equal, prior(pipe, None, **given), ours))
    assert not {"_encode_prior_prompt", "prior_conditioner"} & vars(detach(pipe)).keys()
    assert all(map(torch.equal, prior(pipe, "a cat"), theirs[0]))


def test_stable_unclip_draws_otherwise_with_a_weight():
    name = "StableUnCLIPPipeline"
    pipe = attach(make(name), clip_skip=2)
    plain, weighted = (draw(pipe, name, prompt=p) for p in ("a red cat", "a (red:1.4) cat"))

    assert not torch.equal(plain, weighted)
    assert pipe.prior_conditioner.clip_skip == 1


def test_a_prior_with_a_negative():
    pipe = make("KandinskyV22PriorPipeline")
    call = ("a cat", "cpu", 2, True, "a dog")
    theirs = pipe._encode_prompt(*call)
    ours = attach(pipe)._encode_prompt(*call)

    assert all(map(torch.equal, ours, theirs))
    assert ours[1].shape == (4, 77, WIDTH)


def test_safe_and_instruct_pix2pix_take_long_prompts():
    for name in ("StableDiffusionPipelineSafe", "StableDiffusionInstructPix2PixPipeline"):
        pipe = attach(make(name))
        for prompt, negative in PAIRS:
            found = draw(pipe, name, prompt=prompt, negative_prompt=negative)
            assert found.isfinite().all(), name
        assert "_encode_prompt" not in vars(detach(pipe))


def test_a_shallow_copy_has_methods_of_its_own():
    import copy

    pipe = attach(make("StableDiffusionAttendAndExcitePipeline"))
    twin = copy.copy(pipe)
    twin.tokenizer = tokenizer("!")

    assert twin.get_indices is not pipe.get_indices
    assert twin.get_indices.encoding.pipe is twin
    assert twin.get_indices("a cat") == pipe.get_indices("a cat")
    name = "StableDiffusionAttendAndExcitePipeline"
    assert draw(pipe, name, prompt="(red:1.3) cat").isfinite().all()


def test_the_clip_skip_of_a_call_acts_where_diffusers_drops_it():
    pipe = make("StableUnCLIPImg2ImgPipeline")
    seen, stock = [], type(pipe)
    with torch.no_grad():
        expected = pipe.encode_prompt("a cat", "cpu", 1, False, clip_skip=None)[0]
    attach(pipe, clip_skip=1)
    pipe.unet.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    embeds = torch.zeros(1, WIDTH)
    for clip_skip in (None, 1, 2):
        call = {"image_embeds": embeds, "clip_skip": clip_skip, "guidance_scale": 1.0}
        draw(pipe, "StableUnCLIPImg2ImgPipeline", image=None, num_inference_steps=1, **call)

    assert torch.equal(seen[0], expected)
    assert torch.equal(seen[1], expected)
    assert torch.equal(seen[2], pipe.conditioner("a cat", clip_skip=2).embeds)
    assert type(detach(pipe)) is stock


def test_the_clip_skip_that_a_class_has_by_itself():
    """I2VGenXL's is 1 for diffusers, the penultimate layer: that is 2 here."""
    name, pipes = "I2VGenXLPipeline", [make("I2VGenXLPipeline") for _ in range(2)]
    theirs = {n: draw(pipes[0], name, clip_skip=n) for n in (None, 1, 2)}
    assert torch.equal(draw(pipes[0], name), theirs[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipcondWarning)
        for chosen, expected in ((None, 1), (1, None), (2, 1), (3, 2)):
            pipe = attach(pipes[1], clip_skip=chosen)
            assert torch.equal(draw(pipe, name), theirs[expected]), chosen
            own = pipe.encode_prompt("a cat", "cpu", 1, negative_prompt="")[0]
            assert torch.equal(own, pipe.conditioner("a cat").embeds)
    pipe = attach(pipes[1], clip_skip=3)
    assert torch.equal(draw(pipe, name, clip_skip=2), theirs[1])
    assert torch.equal(draw(pipe, name, clip_skip=None), theirs[2])
    with pytest.warns(UserWarning, match="clip_skip=1 is layer 1 from the end here"):
        assert torch.equal(draw(attach(pipe), name, clip_skip=1), theirs[None])
    assert type(detach(pipe)) is type(pipes[0])
