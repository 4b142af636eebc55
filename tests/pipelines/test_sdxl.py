"""SDXL: its pair of towers, and another tower with an adapter in the place of both."""

import diffusers
import pytest
import torch
from PIL import Image

from clipcond import attach, build_pipeline, detach
from clipcond.adapters import teacher_fingerprint, tower_fingerprint, unet_fingerprint
from clipcond.errors import PipelineError, PromptWarning
from clipcond.pipelines.families import STABLE_DIFFUSION_XL, family_of
from clipcond.pipelines.prompt_embeds import pooled_width
from clipcond.towers import OpenAIClipTower
from tests.adapters.made import LENGTH, adapter, record
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, latents, stock_class, tiny_sdxl
from tests.towers.chinese import tower_zh

CAT = "蓝色背景上的一只猫"
PICTURE = Image.new("RGB", (SIDE, SIDE), "red")


@pytest.fixture
def pipe():
    return tiny_sdxl()


def both(pipe, prompt, **choices):
    """The four tensors of `encode_prompt`."""
    return pipe.encode_prompt(prompt, device="cpu", **choices)


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"negative_prompt": "blurry"},
        {"negative_prompt": ""},
        {"prompt_2": "in oil", "negative_prompt": "blurry", "negative_prompt_2": "grey"},
        {"num_images_per_prompt": 3, "negative_prompt": "blurry"},
        {"do_classifier_free_guidance": False},
    ],
)
def test_all_four_tensors_equal_diffusers(pipe, choices):
    theirs = both(pipe, "a cat, sitting", **choices)
    ours = both(attach(pipe, dialect="diffusers"), "a cat, sitting", **choices)

    assert len(ours) == len(theirs) == 4
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)


@pytest.mark.parametrize("forced", [True, False])
def test_no_negative_is_zeros_where_the_model_has_it_so(pipe, forced):
    pipe.register_to_config(force_zeros_for_empty_prompt=forced)
    theirs = both(pipe, "a cat")
    ours = both(attach(pipe, dialect="diffusers"), "a cat")

    assert bool((ours[1] == 0).all()) == bool((ours[3] == 0).all()) == forced
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


def test_clip_skip_counts_from_the_trained_layer(pipe):
    theirs = both(pipe, "a cat", clip_skip=1)[0]  # diffusers: one deeper than the penultimate
    attach(pipe, dialect="diffusers", clip_skip=1)

    assert torch.equal(both(pipe, "a cat", clip_skip=3)[0], theirs)
    assert torch.equal(both(pipe, "a cat", clip_skip=1)[0], both(pipe, "a cat", clip_skip=2)[0])


def test_pictures_equal_diffusers_and_detach_restores(pipe):
    before, call = dict(vars(pipe)), {"negative_prompt": "blurry", "guidance_scale": 5.0}
    theirs = latents(pipe, "a cat", **call)
    attach(pipe, dialect="diffusers")

    assert torch.equal(latents(pipe, "a cat", **call), theirs)
    attach(pipe)
    assert not torch.equal(latents(pipe, "a (cat:1.4)", **call), latents(pipe, "a cat", **call))
    long = both(pipe, "a cat, " * 60, negative_prompt="grey")
    assert long[0].shape == long[1].shape == (1, 3 * 77, WIDTH + WIDTH_G)
    assert long[2].shape == long[3].shape == (1, WIDTH_G)
    detach(pipe)
    assert "encode_prompt" not in vars(pipe)
    assert all(vars(pipe)[name] is value for name, value in before.items() if name[0] != "_")
    assert torch.equal(latents(pipe, "a cat", **call), theirs)


def test_embeddings_of_the_callers_own(pipe):
    attach(pipe)
    embeds, _, pooled, _ = both(pipe, "a cat, " * 60, do_classifier_free_guidance=False)
    given = {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    found = both(pipe, None, negative_prompt="grey", **given)

    assert torch.equal(found[0], embeds)
    assert torch.equal(found[2], pooled)
    assert found[1].shape == embeds.shape
    assert found[3].abs().max() > 0
    assert torch.equal(both(pipe, None, **given)[1], torch.zeros_like(embeds))
    mine = torch.ones_like(pooled)
    assert torch.equal(both(pipe, "a cat", pooled_prompt_embeds=mine)[2], mine)


@pytest.mark.parametrize(
    "name",
    [
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
        "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLPAGPipeline",
    ],
)
def test_the_family_is_known_by_how_it_is_called(name):
    pipeline_class = getattr(diffusers, name)

    assert family_of(pipeline_class.__new__(pipeline_class)) is STABLE_DIFFUSION_XL


def test_build_pipeline(pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "xl")
    built = build_pipeline(tmp_path / "xl")
    theirs = both(attach(pipe), "a (cat:1.2)", negative_prompt="grey")

    assert stock_class(built) is diffusers.StableDiffusionXLPipeline
    assert [tower.name for tower in built.conditioner.towers] == [
        str(tmp_path / "xl"),
        f"{tmp_path / 'xl'}#2",
    ]
    for one, other in zip(both(built, "a (cat:1.2)", negative_prompt="grey"), theirs, strict=True):
        assert torch.equal(one, other)
    other = build_pipeline(tmp_path / "xl", task="image2image")
    assert latents(other, "a cat", image=PICTURE, strength=1.0).isfinite().all()


def aligned(pipe, **sizes):
    pair = [
        OpenAIClipTower(pipe.text_encoder, pipe.tokenizer),
        OpenAIClipTower(pipe.text_encoder_2, pipe.tokenizer_2),
    ]
    made = adapter(**{"width": WIDTH + WIDTH_G, "pooled_width": WIDTH_G, **sizes})
    made.record = record(
        tower=tower_fingerprint(tower_zh()),
        teacher=teacher_fingerprint(pair),
        unet=unet_fingerprint(pipe.unet),
        family="sdxl",
        width=made.config.width,
    )
    return made


def test_one_other_tower_replaces_the_pair(pipe):
    attach(pipe, tower=tower_zh(), adapter=aligned(pipe))
    embeds, negative, pooled, negative_pooled = both(pipe, CAT, negative_prompt="狗")

    assert embeds.shape == negative.shape == (1, LENGTH, WIDTH + WIDTH_G)
    assert pooled.shape == negative_pooled.shape == (1, WIDTH_G)
    assert not torch.equal(pooled, negative_pooled)
    empty = both(pipe, "", negative_prompt="")[0]
    assert torch.allclose(both(pipe, CAT)[1], empty, rtol=0, atol=5e-6)  # of unlike batches
    assert latents(pipe, CAT, negative_prompt="狗").isfinite().all()
    assert not torch.equal(latents(pipe, CAT), latents(pipe, "蓝色背景上的一只(猫:1.4)"))
    with pytest.warns(PromptWarning, match="^prompt_2 is not read: one tower replaces the pair$"):
        both(pipe, CAT, prompt_2="油画")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"pooled_width": None},
            "This pipeline's UNet reads a pooled vector 40 wide; the adapter gives none.\n",
        ),
        (
            {"pooled_width": 41},
            "This pipeline's UNet reads a pooled vector 40 wide; the adapter gives one 41 wide.\n",
        ),
        (
            {"width": 32},
            "The text embeddings are 32 wide, but this pipeline's UNet reads 72.\n",
        ),
    ],
)
def test_an_adapter_of_another_shape_is_refused(pipe, sizes, message):
    with pytest.raises(PipelineError) as caught:
        attach(pipe, tower=tower_zh(), adapter=aligned(pipe, **sizes), allow_unaligned=True)

    assert str(caught.value).startswith(message)


def test_another_tower_alone_is_refused(pipe):
    with pytest.raises(PipelineError, match="32 wide, but this pipeline's UNet reads 72"):
        attach(pipe, tower=tower_zh())


def test_the_pooled_width_of_published_unets():
    def reads(**config):
        pipe = torch.nn.Module()
        pipe.unet, pipe.config = torch.nn.Module(), {}
        pipe.unet.config = config
        return pooled_width(pipe)

    assert reads(addition_embed_type=None) is None
    base = {"projection_class_embeddings_input_dim": 2816, "addition_time_embed_dim": 256}
    assert reads(addition_embed_type="text_time", **base) == 1280
