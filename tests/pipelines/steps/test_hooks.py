"""Hooks are on a pipeline's models only while a prompt needs them, and leave no trace."""

import copy
import gc
import pickle
import warnings

import pytest
import torch
from diffusers import StableDiffusionPipeline

from clipcond import attach, detach
from clipcond.errors import PromptWarning
from clipcond.pipelines.steps import STEPS
from tests.pipelines.models import latents, tiny_sd
from tests.pipelines.steps.stubs import Reusing, Stub

# short calls draw one text of some prompts only
pytestmark = pytest.mark.filterwarnings(
    "ignore:.* never changes while denoising", "ignore:'AND' is several conditions"
)

CHANGING = "a [cat:dog:0.5] AND snow :0.5"


@pytest.fixture
def pipe():
    return attach(tiny_sd())


def n_hooks(module):
    tables = [v for n, v in vars(module).items() if n.startswith("_forward") and "hooks" in n]
    return sum(map(len, tables)) + (module._compiled_call_impl is not None)


def test_hooks_come_and_go(pipe):
    counts = []

    def count(pipe, i, t, kwargs):
        counts.append(n_hooks(pipe.unet))
        return kwargs

    assert n_hooks(pipe.unet) == 0
    changing = latents(pipe, CHANGING, callback_on_step_end=count)
    assert n_hooks(pipe.unet) == 0
    plain = latents(pipe, "a [cat] (dog:1.2)", callback_on_step_end=count)
    assert [n > 0 for n in counts] == [True, True, False, False]
    assert n_hooks(pipe.unet) == 0
    assert torch.equal(latents(pipe, CHANGING), changing)
    assert pipe in STEPS  # rows that a callback may have kept
    detach(pipe)
    assert pipe not in STEPS
    assert n_hooks(pipe.unet) == 0
    assert torch.equal(latents(attach(pipe), "a [cat] (dog:1.2)"), plain)


def test_attaching_again_draws_with_the_new_choices(pipe):
    before = latents(pipe, CHANGING)
    attach(pipe, clip_skip=2)
    skipped = latents(pipe, CHANGING)

    assert not torch.equal(skipped, before)
    assert torch.equal(latents(attach(pipe), CHANGING), before)
    with pytest.warns(PromptWarning, match="is prompt editing in dialect 'a1111'"):
        latents(attach(pipe, dialect="comfyui"), CHANGING)
    assert n_hooks(pipe.unet) == 0


def test_an_exception_in_the_middle(pipe):
    expected = latents(pipe, CHANGING)

    def fail(module, args, kwargs, output=None):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("in the middle")

    for register in ("register_forward_pre_hook", "register_forward_hook"):
        calls = []
        handle = getattr(pipe.unet, register)(fail, with_kwargs=True)
        with pytest.raises(RuntimeError, match="in the middle"):
            latents(pipe, CHANGING)
        handle.remove()
        assert torch.equal(latents(pipe, CHANGING), expected)
    latents(pipe, "a cat")
    assert n_hooks(pipe.unet) == 0


def test_two_pipelines_with_one_unet(pipe):
    other = attach(StableDiffusionPipeline.from_pipe(pipe), clip_skip=2)
    other.scheduler = copy.deepcopy(pipe.scheduler)
    alone = [latents(attach(tiny_sd(), clip_skip=n), CHANGING) for n in (1, 2)]

    def inside(pipe, i, t, kwargs):
        """In the middle of a call of one pipeline, the others draw."""
        if i == 0:
            found.append(latents(other, CHANGING))
            found.append(latents(other, "a cat"))
            found.append(latents(other, CHANGING))
        return kwargs

    found = []
    outer = latents(pipe, CHANGING, callback_on_step_end=inside)

    assert torch.equal(outer, alone[0])
    assert torch.equal(found[0], alone[1])
    assert torch.equal(found[2], alone[1])
    detach(pipe)
    assert torch.equal(latents(other, CHANGING), alone[1])
    detach(other)
    assert n_hooks(other.unet) == 0


def test_a_pipeline_that_is_gone_leaves_no_hook_that_acts():
    pipe = attach(tiny_sd())
    unet = pipe.unet
    latents(pipe, CHANGING)
    del pipe
    gc.collect()
    other = attach(tiny_sd(unet=unet))
    latents(other, CHANGING)
    detach(other)

    assert n_hooks(unet) == 0


def test_copies_draw_for_themselves(pipe):
    expected = latents(pipe, CHANGING)
    for twin in (copy.copy(pipe), copy.deepcopy(pipe), pickle.loads(pickle.dumps(pipe))):
        assert torch.equal(latents(twin, CHANGING), expected)
        assert torch.equal(latents(pipe, CHANGING), expected)
        if twin.unet is not pipe.unet:
            detach(twin)
            assert n_hooks(twin.unet) == 0


def test_another_unet(pipe):
    expected, old = latents(pipe, CHANGING), pipe.unet
    pipe.unet = copy.deepcopy(old)

    assert torch.equal(latents(pipe, CHANGING), expected)
    assert n_hooks(old) == 0


@pytest.mark.parametrize("in_place", [False, True])
def test_compiled_unets_compile_once(pipe, in_place):
    pipe.unet = Stub(pipe.unet)
    expected = [latents(pipe, CHANGING), latents(pipe, "[a|b] c", num_inference_steps=3)]
    frames = []

    def backend(graph, inputs):
        frames.append(graph)
        return graph.forward

    torch._dynamo.reset()
    if in_place:
        pipe.unet.compile(backend=backend)
    else:
        pipe.unet = torch.compile(pipe.unet, backend=backend)
    found = [latents(pipe, CHANGING), latents(pipe, "[a|b] c", num_inference_steps=3)]
    n_frames = len(frames)
    latents(pipe, CHANGING)
    latents(pipe, "a cat")
    torch._dynamo.reset()

    assert n_frames
    assert len(frames) == n_frames
    assert all(map(torch.equal, found, expected))
    assert (pipe.unet._compiled_call_impl is not None) == in_place
    assert len(pipe.unet._forward_pre_hooks) == 0


def test_a_model_may_use_the_memory_of_its_output_again(pipe):
    """As those do that CUDA graphs run."""
    pipe.unet = Stub(pipe.unet)
    expected = latents(pipe, CHANGING)
    pipe.unet = Reusing(pipe.unet)

    assert torch.equal(latents(pipe, CHANGING), expected)


def test_offload(pipe):
    expected = latents(pipe, CHANGING)
    pipe.enable_model_cpu_offload(device="cpu")

    assert torch.equal(latents(pipe, CHANGING), expected)


@pytest.mark.filterwarnings(
    "ignore:.* never changes while denoising", "ignore:.* alternates in vain"
)
def test_embeddings_for_one_side(pipe):
    embeds = pipe.conditioner("a cat").embeds

    ours = latents(pipe, prompt_embeds=embeds, negative_prompt="[x:y:0]")

    assert torch.equal(ours, latents(pipe, "a cat", negative_prompt="y"))
    ours = latents(pipe, "[a|b]", negative_prompt_embeds=embeds)
    assert torch.equal(ours, latents(pipe, "[a|b]", negative_prompt="a cat"))


def test_a_callback_has_the_last_word(pipe):
    other = pipe.conditioner(["", "a fox"]).embeds
    both = latents(pipe, "a fox", num_inference_steps=4)
    seen = []

    def replace(pipe, i, t, kwargs):
        seen.append(kwargs["prompt_embeds"].shape)
        return {"prompt_embeds": other}

    inputs = {"callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    call = {"num_inference_steps": 4, "callback_on_step_end": replace, **inputs}
    replaced = latents(pipe, "a fox", **call)
    ours = latents(pipe, "[a fox:a cat:1]", **call)

    assert torch.equal(replaced, both)
    assert torch.equal(ours, both)
    assert seen == [(2, 77, 32)] * 8

    def write(pipe, i, t, kwargs):
        kwargs["prompt_embeds"].copy_(other)
        return kwargs

    call["callback_on_step_end"] = write
    assert torch.equal(latents(pipe, "[a fox:a cat:1]", **call), both)


def test_embeddings_that_are_lost_are_warned_of(pipe):
    """A pipeline that changes its embeddings on the way to the model."""

    class Scaled(type(pipe)):
        def __call__(self, prompt, **call):
            embeds, _ = self.encode_prompt(prompt, "cpu", 1, True)
            self.unet(torch.zeros(1, 4, 8, 8), 1, encoder_hidden_states=embeds * 2)
            return embeds

    stock = type(pipe)
    pipe.__class__ = Scaled
    with pytest.warns(PromptWarning, match="this pipeline changes its embeddings"):
        pipe("[a|b]")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe("a b")
    pipe.__class__ = stock
    latents(pipe, "a b")


def test_loras_and_callables_are_handed_over_once(pipe):
    found = []
    attach(pipe, extra_networks=found.append)
    latents(pipe, "[a|b] <lora:x:1> [[c:d:9]:e:30]", num_inference_steps=12)

    assert [each.name for (each,) in found] == ["x"]
    with pytest.warns(PromptWarning) as warned:
        latents(attach(pipe), "[a|b] (c <lora:x:1> AND [d|e]", num_inference_steps=5)
    assert sorted(w.message.message for w in warned) == sorted(
        [
            "'(' is never closed",
            "'<lora:x:1>' is left out of the text, and nothing loads it",
            "AND splits the brackets around it: '[a|b] (c' and '[d|e]' are conditions of their own",
        ]
    )


@pytest.mark.filterwarnings("ignore:.* never changes while denoising")
def test_an_empty_prompt_with_a_negative_that_changes(pipe):
    ours = latents(pipe, "", negative_prompt="[x:y:1]", num_inference_steps=4)

    assert not torch.equal(ours, latents(pipe, "", negative_prompt="x", num_inference_steps=4))
    assert torch.equal(
        latents(pipe, "", negative_prompt="[x:y:0]"), latents(pipe, "", negative_prompt="y")
    )


def test_all_texts_are_encoded_in_one_call_of_the_tower(pipe):
    n_rows = []
    handle = pipe.text_encoder.register_forward_hook(
        lambda module, args, kwargs, output: n_rows.append(len(output[0])), with_kwargs=True
    )
    latents(pipe, ["[a|b] AND c", "d"], negative_prompt="[e:f:0.5]", num_inference_steps=4)
    latents(pipe, ["[a|b] AND c", "d"], negative_prompt="[e:f:0.5]", num_inference_steps=5)
    handle.remove()

    assert n_rows == [6]
