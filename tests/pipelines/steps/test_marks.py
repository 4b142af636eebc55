"""Marked rows exist within a call of the pipeline; what users get are rows of a text."""

import copy
import warnings

import diffusers
import pytest
import torch

from clipcond import attach
from clipcond.errors import PipelineError, PromptWarning
from tests.pipelines import zoo
from tests.pipelines.models import latents, seeded, tiny_sd, tiny_sdxl

pytestmark = pytest.mark.filterwarnings("ignore:.* alternates in vain")  # in two steps

# a prompt, its negative, and the texts that a Conditioner encodes of them
SETTLED = [
    ("[cat|dog]", "", "dog", ""),
    ("a [cat:dog:0.5]", "[x|y]", "a dog", "y"),
    ("[a [cat|dog]:fox:3]", "blurry", "fox", "blurry"),
    ("a cat AND a (dog:1.2) :0.5", "[x:y:2]", "a cat", "y"),
    ("cat", "[blurry::4] x", "cat", "x"),
    ("(red:1.3) [fox AND owl:1] " * 40, "[x|y]", None, "x"),
    (["[cat|dog]", "fox :0.4 AND owl"], ["", "[x:y:0.5]"], ["dog", "fox"], ["", "y"]),
]


def encode(pipe, prompt, negative=None, **call):
    given = {"negative_prompt": negative, "device": "cpu", "num_images_per_prompt": 1}
    return pipe.encode_prompt(prompt, do_classifier_free_guidance=True, **{**given, **call})


def quietly(function, *args, **call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PromptWarning)
        return function(*args, **call)


@pytest.mark.parametrize("make", [tiny_sd, tiny_sdxl])
def test_users_get_rows_of_a_text_and_the_warning_of_a_conditioner(make):
    pipe, failures = attach(make()), []
    for prompt, negative, text, negative_text in SETTLED:
        with pytest.warns(PromptWarning) as ours:
            found = encode(pipe, prompt, negative)
        with pytest.warns(PromptWarning) as theirs:
            pair = pipe.conditioner.guided(prompt, negative)
        expected = [pair.positive.embeds, pair.negative.embeds]
        said = [[str(w.message) for w in each] for each in (ours, theirs)]
        same = all(map(torch.equal, found, expected)) and said[0] == said[1]
        if text is not None:
            by_hand = pipe.conditioner.guided(text, negative_text)
            same &= torch.equal(found[0], by_hand.positive.embeds)
            same &= torch.equal(found[1], by_hand.negative.embeds)
        if not same or pipe.unet._forward_pre_hooks:
            failures.append((prompt, said))

    assert not failures


@pytest.mark.parametrize("name", ["_encode_prompt", "of a subclass", "of a copy", "after a call"])
def test_however_they_ask(name):
    class Mine(diffusers.StableDiffusionPipeline):
        def embeds(self, prompt):
            return encode(self, prompt, "")[0]

    pipe = attach(Mine(**tiny_sd().components, requires_safety_checker=False))
    pipe.set_progress_bar_config(disable=True)
    if name == "after a call":
        latents(pipe, "[cat|dog]")
    ways = {
        "_encode_prompt": lambda: pipe._encode_prompt("[cat|dog]", "cpu", 1, True)[1:],
        "of a subclass": lambda: pipe.embeds("[cat|dog]"),
        "of a copy": lambda: encode(copy.deepcopy(pipe), "[cat|dog]")[0],
        "after a call": lambda: encode(pipe, "[cat|dog]")[0],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found = quietly(ways[name])

    assert torch.equal(found, pipe.conditioner("dog").embeds)


def test_what_users_do_with_them_is_right():
    """Scaled, saved, averaged, in another pipeline: they are embeddings like all others."""
    pipe, other = attach(tiny_sd()), tiny_sd()
    embeds, negative = quietly(encode, pipe, "[cat:dog:0.5]", "[x|y]")
    dog, x = pipe.conditioner.guided("dog", "y"), pipe.conditioner("x").embeds
    given = {"prompt_embeds": embeds, "negative_prompt_embeds": negative}
    expected = latents(pipe, "dog", negative_prompt="y")

    for each in (pipe, other, attach(tiny_sd())):
        assert torch.equal(latents(each, **given), expected)
    assert torch.equal((embeds + x) / 2, (dog.positive.embeds + x) / 2)
    latents(pipe, "[cat|dog]")  # what was drawn before does not matter
    assert torch.equal(latents(pipe, **given), expected)


def test_rows_of_another_pipeline_may_be_asked_for_between_steps():
    pipe, other = attach(tiny_sd()), attach(tiny_sd())
    expected = latents(pipe, "[cat:dog:1]", num_inference_steps=4)

    def ask(_, i, t, kwargs):
        quietly(encode, other, "[fox|owl]")
        return kwargs

    call = {"num_inference_steps": 4, "callback_on_step_end": ask}
    assert torch.equal(latents(pipe, "[cat:dog:1]", **call), expected)


def leaked(pipe, **call):
    """The rows that a callback gets, which carry marks."""
    found = []

    def keep(_, i, t, kwargs):
        found.append(kwargs["prompt_embeds"][-1:].clone())
        return kwargs

    inputs = {"callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    latents(pipe, "[cat|dog]", callback_on_step_end=keep, **inputs, **call)
    return found[0]


def test_marks_that_a_callback_has_kept_are_refused_elsewhere():
    pipe, other = attach(tiny_sd()), attach(tiny_sd())
    rows = leaked(pipe)

    assert torch.equal(latents(pipe, prompt_embeds=rows), latents(pipe, "[cat|dog]"))
    for call in (
        lambda: latents(other, prompt_embeds=rows),
        lambda: latents(other, "a cat", negative_prompt_embeds=rows),
        lambda: latents(pipe, prompt_embeds=torch.cat([rows, other.conditioner("a").embeds])),
        lambda: encode(other, None, prompt_embeds=rows.half()),
        lambda: encode(other, "[a|b]", negative_prompt_embeds=rows),
    ):
        with pytest.raises(PipelineError, match="prompt_embeds are not embeddings of a text") as e:
            call()
        assert "Pass the prompt itself" in str(e.value)


@pytest.mark.filterwarnings("ignore:.* never changes while denoising")
def test_a_subclass_may_encode_in_its_own_call():
    class Mine(diffusers.StableDiffusionPipeline):
        def __call__(self, prompt, **call):
            embeds, negative = encode(self, prompt, "")
            more = {"prompt_embeds": embeds, "negative_prompt_embeds": negative}
            return super().__call__(**more, **call)

    pipe = attach(Mine(**tiny_sd().components, requires_safety_checker=False))
    pipe.set_progress_bar_config(disable=True)

    assert torch.equal(latents(pipe, "[cat:dog:1]"), latents(attach(tiny_sd()), "[cat:dog:1]"))


@pytest.mark.parametrize("name", ["StableDiffusionPanoramaPipeline", "StableUnCLIPPipeline"])
def test_in_pipelines_that_refuse_or_have_two_encoders(name):
    pipe = attach(zoo.make(name))
    found = quietly(encode, pipe, "[cat|dog]")

    assert torch.equal(found[0], pipe.conditioner("dog").embeds)


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
def test_a_prior_hands_out_rows_of_a_text():
    """Stable Cascade's decoder takes them, attached or not: of the last text, first part."""
    attached = attach(zoo.make("StableCascadePriorPipeline"))
    call = {"num_inference_steps": 2, "output_type": "pt", "generator": seeded()}
    for prompt, text in (("a [cat|dog]", "a dog"), ("a cat AND a dog", "a cat"), ("a cat",) * 2):
        output = attached(prompt, negative_prompt="[grey|blurry]", **call)
        expected = attached.encode_prompt("cpu", 1, 1, True, text, negative_prompt="blurry")
        found = (
            *(output.prompt_embeds, output.prompt_embeds_pooled),
            *(output.negative_prompt_embeds, output.negative_prompt_embeds_pooled),
        )
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.equal(ours, theirs)
