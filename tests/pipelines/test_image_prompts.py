"""Pictures in place of prompts, drawn: by pipelines, and next to diffusers' own ways to use one."""

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from clipcond import attach, build_pipeline, detach
from clipcond.adapters import load_adapter
from clipcond.embedded import image_adapter_file
from clipcond.errors import PictureError, TowerError
from clipcond.reading import load_encoder
from tests.adapters.made import adapter, record
from tests.pipelines.features import ip_adapter_weights
from tests.pipelines.models import WIDTH, latents, seeded, tiny_sd, tiny_sdxl
from tests.pipelines.zoo import draw, make

P = 12
MAX_BYTES = 3_000_000  # of the shipped adapter


class Encoder:
    """Numbers are pictures: each has a direction of its own."""

    name, width = "numbers", P

    def encode_image(self, images) -> Tensor:
        numbers = images if isinstance(images, list) else [images]
        return normalize(torch.stack([torch.randn(P, generator=seeded(n)) for n in numbers]))

    def image_fingerprint(self) -> str:
        return "ab" * 32


def taught(pipe, **choices):
    """The pipeline, attached and with an image adapter of random weights."""
    conditioner = attach(pipe, **choices).conditioner
    pooled = conditioner("").pooled
    made = adapter(
        "image",
        tower_width=P,
        width=conditioner.embeds_width,
        length=77,
        pooled_width=None if pooled is None else pooled.shape[-1],
    )
    made.record = record(tower=Encoder().image_fingerprint(), width=made.config.width)
    conditioner.take_images(made, Encoder())
    return pipe


def call(pipe, *given, **more) -> dict[str, Tensor]:
    """The arguments of a pipeline's call for a picture."""
    found = pipe.conditioner.with_image(*given, **more)
    pooled = {} if found.pooled is None else {"pooled_prompt_embeds": found.pooled}
    return {"prompt_embeds": found.embeds, **pooled}


@pytest.mark.parametrize("tiny", [tiny_sd, tiny_sdxl])
def test_a_pipeline_draws_pictures_prompts_and_both(tiny):
    pipe = taught(tiny())
    stock = latents(pipe, "a cat", negative_prompt="")
    none = latents(pipe, **call(pipe, 1, image_weight=0), negative_prompt="")
    one, two, both = (
        latents(pipe, **call(pipe, *given), negative_prompt="blurry")
        for given in ((1,), (2,), (1, "a cat"))
    )

    torch.testing.assert_close(none, latents(pipe, "", negative_prompt=""))
    different = [stock, none, one, two, both]
    assert all(each.isfinite().all() for each in different)
    assert not any(
        torch.allclose(a, b, atol=1e-3) for i, a in enumerate(different) for b in different[:i]
    )


def test_a_negative_gets_the_length_of_picture_and_prompt():
    pipe = taught(tiny_sd())
    negative = "blurry, " * 60  # two chunks
    found = latents(pipe, **call(pipe, 1), negative_prompt=negative)
    both = pipe.conditioner.guided("", negative).negative
    embeds = torch.cat([pipe.conditioner.with_image(1).embeds, pipe.conditioner("").embeds], dim=1)

    expected = latents(pipe, prompt_embeds=embeds, negative_prompt_embeds=both.embeds)
    assert torch.equal(found, expected)


def test_a_negative_may_change_while_a_picture_is_drawn():
    pipe = taught(tiny_sd())
    first, then, late = (
        latents(pipe, **call(pipe, 1), negative_prompt=negative, num_inference_steps=4)
        for negative in ("red", "blue", "[red:blue:0.5]")
    )

    assert not any(torch.equal(late, other) for other in (first, then))
    again = latents(pipe, **call(pipe, 1), negative_prompt="red", num_inference_steps=4)
    assert torch.equal(again, first)


def test_the_adapter_stays_when_the_text_encoder_is_replaced():
    pipe = taught(tiny_sd())
    before = pipe.conditioner
    pipe.text_encoder = tiny_sd().text_encoder

    assert pipe.conditioner is not before
    assert torch.equal(pipe.conditioner.with_image(1).embeds, before.with_image(1).embeds)
    detach(pipe)
    with pytest.raises(TowerError, match="no image adapter"):
        attach(pipe).conditioner.with_image(1)


def test_diffusers_ip_adapter_reads_a_picture_next_to_ours():
    pipe, dim = taught(tiny_sd()), 8
    given = call(pipe, 1, "a cat")
    ours = latents(pipe, **given)
    weights = ip_adapter_weights(pipe.unet, dim)
    pipe.unet._load_ip_adapter_weights([weights], low_cpu_mem_usage=False)
    embeds = {"ip_adapter_image_embeds": [torch.randn(2, 1, dim, generator=seeded(1))]}
    pipe.set_ip_adapter_scale(0.0)
    silent = latents(pipe, **given, **embeds)
    pipe.set_ip_adapter_scale(1.0)
    both, theirs = latents(pipe, **given, **embeds), latents(pipe, "a cat", **embeds)

    torch.testing.assert_close(silent, ours)
    assert both.isfinite().all()
    assert not torch.allclose(both, ours, atol=1e-3)  # their picture counts
    assert not torch.allclose(both, theirs, atol=1e-3)  # and ours does


def test_stable_unclip_reads_its_own_picture_next_to_ours():
    name = "StableUnCLIPImg2ImgPipeline"
    pipe = taught(make(name))

    def drawn(number, theirs):
        own = {"image": None, "image_embeds": torch.full((1, WIDTH), theirs)}
        return draw(pipe, name, prompt=None, **call(pipe, number, "a cat"), **own)

    first, ours, theirs = drawn(1, 0.0), drawn(2, 0.0), drawn(1, 1.0)
    assert first.isfinite().all()
    assert not torch.allclose(ours, first, atol=1e-3)
    assert not torch.allclose(theirs, first, atol=1e-3)


def test_stable_unclip_of_texts_draws_as_without_an_adapter():
    name = "StableUnCLIPPipeline"
    expected = draw(make(name), name, prompt="a cat")

    assert torch.equal(draw(taught(make(name)), name, prompt="a cat"), expected)


def test_the_embedded_model_brings_an_adapter_of_its_own():
    pipe = build_pipeline()
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ((214, 46, 48), (44, 100, 222)))
    found = pipe.conditioner.with_image([red, blue])
    own, aligned = load_adapter(image_adapter_file())

    assert image_adapter_file().stat().st_size <= MAX_BYTES
    assert (aligned.tower_name, aligned.tower) == (
        "embedded",
        load_encoder("embedded").image_fingerprint(),
    )
    assert aligned.losses["unet.read"] < 0.5  # 1 = the same rows for every picture
    assert found.embeds.shape == (2, 77, own.config.width)
    rows = pipe.conditioner(["a red background", "a blue background"]).embeds
    near = torch.cdist(found.embeds.flatten(1), rows.flatten(1)).argmin(dim=1)
    assert near.tolist() == [0, 1]


def test_the_embedded_adapter_is_for_its_unet_alone():
    pipe = build_pipeline()
    with torch.no_grad():
        next(p for n, p in pipe.unet.named_parameters() if n.endswith("attn2.to_k.weight")).add_(1)
    pipe = attach(detach(pipe))

    with pytest.raises(TowerError, match="this model has no image adapter"):
        pipe.conditioner.with_image(Image.new("RGB", (64, 64)))


@pytest.mark.parametrize("size", [(1, 1), (300, 40), (64, 64)])
def test_pictures_of_any_size_are_read(size):
    conditioner = build_pipeline().conditioner
    found = conditioner.with_image(Image.new("RGB", size, (214, 46, 48))).embeds

    expected = conditioner.with_image(Image.new("RGB", (64, 64), (214, 46, 48))).embeds
    torch.testing.assert_close(found, expected)


def test_a_text_that_is_named_as_a_picture(tmp_path):
    path = tmp_path / "fox.png"
    path.write_text("a fox")
    with pytest.raises(PictureError, match=r"fox\.png' is no picture that Pillow can read"):
        build_pipeline().conditioner.with_image(path)
