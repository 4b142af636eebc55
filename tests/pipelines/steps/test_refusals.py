"""Pipelines that cannot draw prompts over time, or AND, say so and draw all else."""

from functools import partial

import diffusers
import pytest
import torch
from diffusers import hooks

from clipcond import attach
from clipcond.errors import PipelineError
from clipcond.pipelines.families import family_of
from clipcond.pipelines.steps.refusals import reason_against
from tests.pipelines import zoo
from tests.pipelines.bare import accepted, bare, pipeline_classes
from tests.pipelines.models import latents, tiny_sd

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array:DeprecationWarning", "ignore:.* never changes while denoising"
)


@pytest.mark.parametrize(
    ("name", "prompt", "why"),
    [
        ("StableDiffusionPanoramaPipeline", "[cat|dog]", "cannot draw .*many views"),
        ("StableDiffusionAttendAndExcitePipeline", "cat AND dog", "cannot draw AND"),
    ],
)
def test_refusals(name, prompt, why):
    pipe = attach(zoo.make(name))
    with pytest.raises(PipelineError, match=why):
        zoo.draw(pipe, name, prompt=prompt)
    assert not pipe.unet._forward_pre_hooks
    zoo.draw(pipe, name, prompt="a [cat]")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("UnCLIPPipeline", "its decoder reads a projection of the embeddings"),
        ("FluxPriorReduxPipeline", "it draws nothing"),
        ("FluxPipeline", "it has no model that draws"),
    ],
)
def test_refusals_of_classes(name, why, monkeypatch):
    monkeypatch.setattr("clipcond.pipelines.steps.over_time.is_drawing", lambda pipe: True)
    pipe = attach(bare(pipeline_classes()[name]))
    if name == "FluxPipeline":
        pipe.transformer = None
    more = {"max_sequence_length": 16} if "Flux" in name else {"do_classifier_free_guidance": True}
    call = {"device": "cpu", "num_images_per_prompt": 1, **more}
    encode = partial(getattr(pipe, family_of(pipe).method), **call)
    for prompt in ("[cat|dog]", "cat AND dog", "a [cat:dog:0.5]", "a [cat::3]", ["a", "[a|b]"]):
        with pytest.raises(PipelineError, match=f"cannot draw .*: {why}"):
            encode(prompt)
    with zoo.quiet():
        encode("a cat")


def test_which_classes_refuse():
    kinds = {name: kind.__new__(kind) for name, kind in accepted().items()}
    refuse = {name for name, pipe in kinds.items() if reason_against(pipe, family_of(pipe))}

    assert refuse == {"FluxPriorReduxPipeline", "UnCLIPPipeline", "UniDiffuserPipeline"} | {
        f"StableDiffusion{name}Pipeline"
        for name in ("DiffEdit", "LatentUpscale", "Panorama", "Paradigms", "Pix2PixZero")
    }


def test_free_noise_is_refused():
    pipe = attach(zoo.make("AnimateDiffPipeline"))
    pipe.enable_free_noise(context_length=4, context_stride=2)
    with pytest.raises(PipelineError, match="FreeNoise"):
        zoo.draw(pipe, "AnimateDiffPipeline", prompt="[cat|dog]", num_frames=4)


def test_a_cache_between_steps_is_refused_for_parts():
    pipe = attach(tiny_sd())
    config = diffusers.PyramidAttentionBroadcastConfig(
        cross_attention_block_skip_range=2, current_timestep_callback=lambda: 500
    )
    diffusers.apply_pyramid_attention_broadcast(pipe.unet, config)
    with pytest.raises(PipelineError, match="cache between steps"):
        latents(pipe, "cat AND dog")
    latents(pipe, "[cat|dog]", num_inference_steps=3)


class Stateful(hooks.ModelHook):
    """A cache that nobody knows; diffusers has a mark for hooks that keep values."""

    _is_stateful = True


def test_what_keeps_values_between_calls_is_refused_for_parts():
    pipe = attach(tiny_sd())
    registry = hooks.HookRegistry.check_if_exists_or_initialize(pipe.unet)
    registry.register_hook(hooks.ModelHook(), "keeps nothing")
    latents(pipe, "cat AND dog :0.5", num_inference_steps=1)
    registry.register_hook(Stateful(), "mine")

    with pytest.raises(PipelineError, match="its unet has a cache between steps, mine"):
        latents(pipe, "cat AND dog :0.5")


@pytest.mark.slow
def test_every_cache_of_diffusers_is_refused_for_parts():
    pipe = attach(zoo.make("FluxPipeline"))
    never = {"current_timestep_callback": lambda: 500, "spatial_attention_block_skip_range": 2}
    given = {  # of those that need arguments
        "MagCacheConfig": {"num_inference_steps": 2, "mag_ratios": torch.ones(2)},
        "PyramidAttentionBroadcastConfig": never,
        "FasterCacheConfig": {**never, "attention_weight_callback": lambda module: 0.3},
        "SeaCacheConfig": {"raw_vision_callback": lambda *_: None},
    }
    names = [name for name in dir(diffusers) if name.endswith(("CacheConfig", "BroadcastConfig"))]
    assert len(names) >= 2
    for name in names:
        pipe.transformer.enable_cache(getattr(diffusers, name)(**given.get(name, {})))
        with pytest.raises(PipelineError, match="its transformer has a cache between steps"):
            zoo.draw(pipe, "FluxPipeline", prompt="cat AND dog :0.5")
        pipe.transformer.disable_cache()
