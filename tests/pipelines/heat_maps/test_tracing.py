"""Tracing leaves a pipeline as it was, and follows what a call draws: texts, pictures, layers."""

import copy

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.models import attention_processor as processors

from clipcond import attach, detach
from clipcond.errors import ArgumentError, PipelineError
from clipcond.pipelines import trace
from clipcond.pipelines.attention_kernels import KernelProcessor
from clipcond.pipelines.steps import WATCHERS
from tests.pipelines.heat_maps.seen import near, seen_of, state
from tests.pipelines.models import latents, tiny_sd
from tests.pipelines.zoo import draw, make, quiet

FIRST = {"num_inference_steps": 1}


@pytest.fixture(scope="module")
def pipe():
    return attach(tiny_sd())


def test_the_pipeline_is_as_before_also_after_an_exception(pipe):
    drawn = latents(pipe, "a cat")
    before = state(pipe)
    seen_of(pipe)
    assert state(pipe) == before

    def fail(*_):
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"), trace(pipe):
        latents(pipe, "a cat", callback_on_step_end=fail)
    assert state(pipe) == before
    handle = pipe.unet.mid_block.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"), trace(pipe):
        latents(pipe, "a cat AND a dog")
    handle.remove()
    assert state(pipe) == before
    with pytest.raises(RuntimeError, match="before a call"), trace(pipe):
        raise RuntimeError("before a call")
    assert state(pipe) == before
    assert torch.equal(latents(pipe, "a cat"), drawn)


def test_within_the_block_hooks_are_there_only_during_a_call(pipe):
    before = state(pipe)[0]
    with trace(pipe) as seen:
        assert state(pipe)[0] == before
        latents(pipe, "a cat")
        assert state(pipe)[0] == before
        assert "cat" in seen.words()
        latents(pipe, "a dog")
    assert seen.words() == ("a", "dog")  # the last call


def test_nothing_seen_yet(pipe):
    with trace(pipe) as seen:
        assert repr(seen) == "Seen(no call)"
        with pytest.raises(PipelineError, match="Nothing was traced yet"):
            seen.heat_map("cat")


def test_a_pipeline_is_traced_once_at_a_time(pipe):
    with trace(pipe), pytest.raises(PipelineError, match="is being traced"), trace(pipe):
        pass
    assert pipe not in WATCHERS


def test_a_call_within_a_call_is_not_traced(pipe):
    def preview(own, i, t, tensors):
        if i == 0:
            latents(own, "a fox", num_inference_steps=1)
        return tensors

    with trace(pipe) as seen:
        latents(pipe, "a cat", callback_on_step_end=preview)
    assert near(seen.heat_map("cat"), seen_of(pipe).heat_map("cat"))


def test_another_pipeline_of_the_same_unet_is_not_traced(pipe):
    other = attach(StableDiffusionPipeline(**detach(copy.copy(pipe)).components))
    other.set_progress_bar_config(disable=True)
    with trace(pipe) as seen:
        latents(pipe, "a cat")
        latents(other, "a dog AND a fox")
    assert seen.words() == ("a", "cat")
    assert near(seen.heat_map("cat"), seen_of(pipe).heat_map("cat"))


def test_each_picture_of_a_batch_as_if_it_were_alone(pipe):
    n, prompts = 2, ["a red cat", "a dog BREAK a fox"]
    generators = [torch.Generator().manual_seed(i) for i in range(2 * n)]
    call = {"generator": generators, "num_images_per_prompt": n}
    seen = seen_of(pipe, prompts, call=call)

    assert seen.n_pictures == 2 * n
    for i in range(2 * n):
        generator = torch.Generator().manual_seed(i)
        word = ("cat", "fox")[i // n]
        # as long as the longest of the batch
        alone = seen_of(pipe, [prompts[i // n]] + ["BREAK a"] * (i < n), call={
            "generator": [generator] + [torch.Generator()] * (i < n)})  # fmt: skip
        assert near(seen.heat_map(word, image=i), alone.heat_map(word, image=0))
    with pytest.raises(ArgumentError, match=f"the call drew {2 * n} pictures: image= is from 0"):
        seen.heat_map("cat")
    with pytest.raises(ArgumentError, match="image= is from 0"):
        seen.heat_map("cat", image=2 * n)


def test_a_word_that_is_drawn_in_some_steps(pipe):
    """At its first step an edited prompt is what the plain one is."""
    call = {"num_inference_steps": 4}
    seen = seen_of(pipe, "a [cat:dog:1] and a cat", call=call, each_step=True)
    plain = seen_of(pipe, "a cat and a cat", call=call, each_step=True)

    for occurrence in (1, 2):
        ours = seen.heat_map("cat", occurrence=occurrence, steps=[0])
        assert near(ours, plain.heat_map("cat", occurrence=occurrence, steps=[0]))
    each = [seen.heat_map("dog", steps=[step]).values for step in (2, 3)]
    assert torch.allclose(seen.heat_map("dog").values, torch.stack(each).mean(0), atol=1e-7)
    with pytest.raises(ArgumentError, match="'dog' is not in the texts of these steps"):
        seen.heat_map("dog", steps=[0, 1])
    with pytest.raises(ArgumentError, match="steps= are from 0 to 3, not 4"):
        seen.heat_map("dog", steps=[4])
    assert seen.words() == ("a", "cat", "dog", "and")


def test_each_part_of_and_has_its_own_maps(pipe):
    seen = seen_of(pipe, "a cat AND the dog :0.5", call=FIRST)

    assert near(seen.heat_map("cat"), seen_of(pipe, "a cat", call=FIRST).heat_map("cat"))
    assert near(seen.heat_map("dog"), seen_of(pipe, "the dog", call=FIRST).heat_map("dog"))


@pytest.mark.filterwarnings("ignore:.*safety")
@pytest.mark.parametrize("guidance", [1.0, 7.5])
def test_without_a_negative_and_with_one(pipe, guidance):
    """Only the prompt's half counts; the negative is had as a prompt."""
    call = {**FIRST, "guidance_scale": guidance}
    seen = seen_of(pipe, "a cat", call={**call, "negative_prompt": "a dog"})

    assert near(seen.heat_map("cat"), seen_of(pipe, "a cat", call=call).heat_map("cat"))
    with pytest.raises(ValueError, match="the prompt has no 'dog'"):
        seen.heat_map("dog")


@pytest.mark.parametrize(
    "processor",
    [
        *(processors.AttnProcessor(), processors.SlicedAttnProcessor(1)),
        KernelProcessor("native"),
    ],
)
def test_processors_that_are_known(pipe, processor):
    stock = seen_of(pipe).heat_map("cat")
    before = dict(pipe.unet.attn_processors)
    pipe.unet.set_attn_processor(processor)
    try:
        drawn = latents(pipe, "a cat")
        with trace(pipe) as seen:
            assert torch.equal(latents(pipe, "a cat"), drawn)
    finally:
        pipe.unet.set_attn_processor(before)
    assert near(seen.heat_map("cat"), stock)


def test_a_processor_of_the_users_is_refused(pipe):
    class Mine(processors.AttnProcessor2_0):
        pass

    before = dict(pipe.unet.attn_processors)
    name = "mid_block.attentions.0.transformer_blocks.0.attn2.processor"
    pipe.unet.set_attn_processor({**before, name: Mine()})
    try:
        with pytest.raises(PipelineError, match=r"'mid_block.*how its Mine attends to text is not"):
            seen_of(pipe)
        assert near(
            seen_of(pipe, layers=["up_blocks", "down_blocks.1"]).heat_map(
                "cat", layers="up_blocks"
            ),
            seen_of(pipe, layers="up_blocks").heat_map("cat"),
        )
    finally:
        pipe.unet.set_attn_processor(before)


def test_fused_projections_and_offloading():
    own = attach(tiny_sd())
    stock = seen_of(own).heat_map("cat")
    own.fuse_qkv_projections()
    assert near(seen_of(own).heat_map("cat"), stock)
    own.unfuse_qkv_projections()
    own.enable_model_cpu_offload(device="cpu")
    assert near(seen_of(own).heat_map("cat"), stock)


def test_lora_layers_count():
    peft = pytest.importorskip("peft")
    own = attach(tiny_sd())
    stock = seen_of(own).heat_map("cat")
    config = peft.LoraConfig(r=2, target_modules=["to_k"], init_lora_weights="gaussian")
    own.unet.add_adapter(config)
    with torch.no_grad():
        for name, weight in own.unet.named_parameters():
            if "lora_B" in name:
                weight.normal_(generator=torch.Generator().manual_seed(1))
    lora = seen_of(own).heat_map("cat")
    assert not near(lora, stock)
    own.unet.delete_adapters(own.unet.active_adapters())
    assert near(seen_of(own).heat_map("cat"), stock)


@pytest.mark.parametrize(
    "name",
    [
        *("StableDiffusionImg2ImgPipeline", "StableDiffusionXLInpaintPipeline"),
        *("StableDiffusionInstructPix2PixPipeline", "StableDiffusion3Img2ImgPipeline"),
    ],
)
def test_pipelines_of_other_tasks(name):
    with quiet():
        own = attach(make(name))
        drawn = draw(own, name)
        with trace(own) as seen:
            assert torch.equal(draw(own, name), drawn)
    assert seen.n_pictures == 1
    assert float(seen.heat_map("cat").values.max()) > 1e-3
