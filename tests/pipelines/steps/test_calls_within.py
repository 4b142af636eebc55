"""What a callback may do with the pipeline that draws over time: draw, encode, replace models."""

import copy

import diffusers
import pytest
import torch

from clipcond import attach, detach
from clipcond.errors import PipelineError, PromptWarning
from tests.pipelines import zoo
from tests.pipelines.models import latents, tiny_sd, tiny_sdxl
from tests.pipelines.steps.test_hooks import CHANGING, n_hooks

# short calls draw one text of some prompts only
pytestmark = pytest.mark.filterwarnings("ignore:.* never changes while denoising")

N = {"num_inference_steps": 3}
SCHEDULERS = ("DDIMScheduler", "EulerAncestralDiscreteScheduler", "UniPCMultistepScheduler")
# what is drawn within: its prompt, its arguments
WITHIN = (
    ("a fox", {"guidance_scale": 2.0}),
    ("a fox AND b :0.3", {"negative_prompt": "[x:y:1]", "num_inference_steps": 1}),
    (None, {"prompt_embeds": "a fox", "guidance_scale": 1.0}),
)

ENCODED = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}


def at_step(step, act):
    """A callback that acts once; the scheduler has taken that step."""

    def callback(pipe, i, t, kwargs):
        if i == step:
            act(pipe)
        return kwargs

    return {"callback_on_step_end": callback, **N}


def call_of(pipe, prompt, call):
    if "prompt_embeds" in call:
        made = pipe.conditioner.guided(call["prompt_embeds"], "")
        names = "prompt_embeds", "negative_prompt_embeds"
        call = {
            **call,
            **dict(zip(names, (made.positive.embeds, made.negative.embeds), strict=True)),
        }
    return latents(pipe, prompt, **call)


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
@pytest.mark.parametrize("name", SCHEDULERS)
def test_drawing_within(name):
    pipe = attach(tiny_sd())
    pipe.scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)
    alone, each, found = latents(pipe, CHANGING, **N), [call_of(pipe, *own) for own in WITHIN], []

    def callback(pipe, i, t, kwargs):
        found.append(call_of(pipe, *WITHIN[i]))
        return kwargs

    assert torch.equal(latents(pipe, CHANGING, callback_on_step_end=callback, **N), alone)
    assert len(found) == len(WITHIN)
    assert all(map(torch.equal, found, each))
    assert n_hooks(pipe.unet) == 0


def test_drawing_within_what_is_drawn_within():
    pipe, found = attach(tiny_sd()), []
    alone = [latents(pipe, text, **N) for text in (CHANGING, "[a|b] c", "d")]

    def act(pipe):
        inner = at_step(0, lambda pipe: found.append(latents(pipe, "d", **N)))
        found.append(latents(pipe, "[a|b] c", **inner))

    found.append(latents(pipe, CHANGING, **at_step(1, act)))
    assert all(map(torch.equal, found, reversed(alone)))
    assert n_hooks(pipe.unet) == 0


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "StableDiffusion3Pipeline"])
def test_in_other_families(name):
    pipe = attach(zoo.make(name))
    alone = [latents(pipe, text, **N) for text in ("[a|b] c", "d")]
    found = []
    act = at_step(1, lambda pipe: found.append(latents(pipe, "d", **N)))
    found.insert(0, latents(pipe, "[a|b] c", **act))

    assert all(map(torch.equal, found, alone))


def test_what_fails_within():
    """The outer call goes on, or what a callback raises leaves nothing behind."""
    pipe = attach(tiny_sd())
    alone, plain = latents(pipe, CHANGING, **N), latents(pipe, "a fox")

    def fail(*_):
        raise RuntimeError("within")

    def act(pipe):
        with pytest.raises(RuntimeError, match="within"):
            latents(pipe, "[a|b]", **at_step(1, fail))

    assert torch.equal(latents(pipe, CHANGING, **at_step(1, act)), alone)
    with pytest.raises(RuntimeError, match="within"):
        latents(
            pipe, CHANGING, **at_step(1, lambda pipe: latents(pipe, "[a|b]", **at_step(1, fail)))
        )
    assert n_hooks(pipe.unet) == 0
    assert torch.equal(latents(pipe, "a fox"), plain)
    assert torch.equal(latents(pipe, CHANGING, **N), alone)


def test_rows_of_the_outer_call_are_refused_within():
    pipe = attach(tiny_sd())

    def callback(pipe, i, t, kwargs):
        with pytest.raises(PipelineError, match="are not embeddings of a text"):
            latents(pipe, prompt_embeds=kwargs["prompt_embeds"][1:])
        return kwargs

    inputs = {"callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    ours = latents(pipe, CHANGING, callback_on_step_end=callback, **inputs, **N)
    assert torch.equal(ours, latents(pipe, CHANGING, **N))


@pytest.mark.parametrize("make", [tiny_sd, tiny_sdxl])
def test_encoding_within(make):
    """Rows that are asked for are those of a text; what is drawn goes on."""
    pipe, found = attach(make()), []
    alone = latents(pipe, CHANGING, **N)

    def act(pipe):
        for text in ("a fox", "[a|fox]"):
            found.append(pipe.encode_prompt(text, **ENCODED)[0])

    with pytest.warns(PromptWarning, match="changes while denoising"):
        ours = latents(pipe, CHANGING, **at_step(1, act))
    assert torch.equal(ours, alone)
    assert all(
        map(torch.equal, found, (pipe.conditioner(text).embeds for text in ("a fox", "fox")))
    )


def test_another_model_within():
    pipe = attach(tiny_sd())
    alone, old = latents(pipe, CHANGING, **N), pipe.unet
    other = copy.deepcopy(old)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.01)

    def weights(pipe):
        pipe.unet.load_state_dict(other.state_dict())

    def model(pipe):
        pipe.unet = other

    before = {name: each.clone() for name, each in old.state_dict().items()}
    expected = latents(pipe, CHANGING, **at_step(1, weights))
    old.load_state_dict(before)
    ours = latents(pipe, CHANGING, **at_step(1, model))

    assert not torch.equal(expected, alone)
    assert torch.equal(ours, expected)
    pipe.unet = old
    same = latents(
        pipe, CHANGING, **at_step(1, lambda pipe: setattr(pipe, "unet", copy.deepcopy(old)))
    )
    assert torch.equal(same, alone)
    assert n_hooks(old) == n_hooks(other) == n_hooks(pipe.unet) == 0


def test_detaching_within_is_refused():
    pipe = attach(tiny_sd())
    alone = latents(pipe, CHANGING, **N)

    with pytest.raises(PipelineError, match="cannot be detached before that call ends"):
        latents(pipe, CHANGING, **at_step(1, detach))
    assert n_hooks(pipe.unet) == 0
    assert torch.equal(latents(pipe, CHANGING, **N), alone)
    skipped = at_step(1, lambda pipe: attach(pipe, clip_skip=2))
    assert torch.equal(latents(pipe, CHANGING, **skipped), alone)
    assert pipe.conditioner.clip_skip == 2
    latents(pipe, "a cat", **at_step(1, detach))
    assert "encode_prompt" not in vars(pipe)
    assert detach(pipe) is pipe


def test_copies_have_no_hooks():
    pipe = attach(tiny_sd())
    alone, found = latents(pipe, CHANGING), []
    assert n_hooks(copy.deepcopy(pipe.unet)) == 0
    twin = copy.deepcopy(pipe)
    assert n_hooks(twin.unet) == 0
    assert torch.equal(latents(twin, CHANGING), alone)
    within = at_step(0, lambda pipe: found.append(latents(copy.copy(pipe), "[x|y]", **N)))
    assert torch.equal(latents(pipe, CHANGING, **{**within, "num_inference_steps": 2}), alone)
    assert torch.equal(found[0], latents(pipe, "[x|y]", **N))
