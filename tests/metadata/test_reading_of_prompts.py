"""A picture's file says more than prompts: emphasis, clip skip, the noise levels."""

import warnings
from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler

from clipcond import attach
from clipcond.conditioning.dialects import DIALECTS
from clipcond.metadata import Parameters, read_parameters
from tests.pipelines.models import tiny_sd, tiny_sdxl

SAID = "a (cat:1.3)\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, {}, RNG: CPU"
FOLLOWS_NONE = "Clip skip: 3; with several text towers A1111 does not follow it, nor this."
LITERAL = "Brackets are {} there, not here. Say "


@pytest.fixture(scope="module")
def pipe():
    return attach(tiny_sd())


@pytest.mark.parametrize(
    ("emphasis", "choices", "remedy"),
    [
        ("Original", {}, None),
        (
            "Original",
            {"weighting": "none"},
            'weighting is another here. Say weighting="scale_mean"',
        ),
        ("Ignore", {"weighting": "none"}, None),
        ("Ignore", {}, 'weighting is another here. Say weighting="none"'),
        ("No norm", {"weighting": "scale"}, None),
        ("None", {"dialect": replace(DIALECTS["a1111"], syntax="plain")}, None),
        (
            "None",
            {},
            LITERAL.format("text") + 'dialect=replace(DIALECTS["a1111"], syntax="plain")',
        ),
        (
            "None",
            {"weighting": "none"},
            LITERAL.format("text") + 'dialect=replace(DIALECTS["a1111"], syntax="plain")',
        ),
        (
            "Original",
            {"dialect": replace(DIALECTS["a1111"], syntax="plain")},
            LITERAL.format("weights") + 'dialect="a1111"',
        ),
    ],
)
def test_emphasis(emphasis, choices, remedy):
    read = read_parameters(SAID.format(f"Emphasis: {emphasis}"))
    found = read.not_honoured(attach(tiny_sd(), **choices))

    if remedy is None:
        assert found == []
    else:
        assert found[0] == f"{remedy}."


def test_a1111_takes_no_clip_skip_of_several_towers(pipe):
    for said in ("Clip skip: 3", "Model: x"):
        pair = attach(tiny_sdxl())
        read = read_parameters(SAID.format(f"{said}, Version: v1.10.1"))
        with pytest.warns(match="this pipeline does otherwise"):
            call = read.call(pair)
        drawn = pair.conditioner(read.prompt, clip_skip=call["clip_skip"]).embeds
        assert torch.equal(drawn, pair.conditioner(read.prompt, clip_skip=2).embeds), said
        listed = [line for line in read.not_honoured(pair) if "Clip skip" in line]
        assert listed == [FOLLOWS_NONE] * ("3" in said)
    read = read_parameters(SAID.format("Clip skip: 3, Version: clipcond 0.2.0"))
    assert read.call(pair)["clip_skip"] == 3


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("kind", ["Karras", "Exponential", "Uniform"])
@pytest.mark.parametrize("sampler", ["Euler", "Heun"])
@pytest.mark.parametrize("is_apart", [True, False])
@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
def test_noise_levels_are_those_of_k_diffusion(pipe, sampler, kind, spacing, is_apart):
    """From the model's largest to its smallest, however the pipeline's own scheduler is spaced."""
    if not is_apart and kind == "Uniform":
        kind = ""
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing=spacing)
    text = SAID.replace("Sampler: Euler", f"Sampler: {sampler}" + f" {kind}" * (not is_apart))
    read = read_parameters(text.format(f"Schedule type: {kind}" if is_apart else "Model: x"))
    with warnings.catch_warnings(action="ignore"):
        read.call(pipe)
    pipe.scheduler.set_timesteps(20)

    cumulative = pipe.scheduler.alphas_cumprod
    levels = ((1 - cumulative) / cumulative).sqrt()
    drawn = [float(level) for level in pipe.scheduler.sigmas if level > 0]
    assert drawn[0] == pytest.approx(float(levels[-1]), rel=1e-3)
    assert min(drawn) == pytest.approx(float(levels[0]), rel=1e-3)
    assert not [line for line in read.not_honoured(pipe) if "Noise levels" in line]


def levels_end(scheduler):
    """The smallest noise level that is drawn, as a multiple of the model's smallest."""
    cumulative = scheduler.alphas_cumprod
    smallest = float(((1 - cumulative[0]) / cumulative[0]).sqrt())
    return min(float(level) for level in scheduler.sigmas if level > 0) / smallest


@pytest.mark.parametrize("tool", ["ComfyUI", "Fooocus"])
@pytest.mark.parametrize("kind", ["normal", "karras", "exponential"])
@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
def test_noise_levels_of_tools_with_k_diffusion(pipe, tool, kind):
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    others = {"Generator": tool}
    read = Parameters("a cat", steps=20, sampler="euler", schedule_type=kind, others=others)
    with warnings.catch_warnings(action="ignore"):
        read.call(pipe)
    pipe.scheduler.set_timesteps(20)

    cumulative = pipe.scheduler.alphas_cumprod
    smallest = float(((1 - cumulative[0]) / cumulative[0]).sqrt())
    assert min(float(s) for s in pipe.scheduler.sigmas if s > 0) == pytest.approx(
        smallest, rel=1e-3
    )
    simple = replace(read, schedule_type="simple")
    with warnings.catch_warnings(action="ignore"):
        simple.call(pipe)
    assert pipe.scheduler.config.timestep_spacing == "trailing"


@pytest.mark.parametrize("kind", ["", "Uniform", "Karras", "Exponential", "SGM Uniform"])
@pytest.mark.parametrize(
    "sampler", ["DPM++ 2M", "DPM++ 2M SDE", "DPM++ 3M SDE", "DPM++ SDE", "Euler"]
)
@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
def test_levels_that_end_above_are_listed(pipe, sampler, kind):
    if (sampler, kind) == ("DPM++ SDE", "SGM Uniform"):
        return  # diffusers has none
    text = SAID.replace("Euler", sampler).format(f"Schedule type: {kind}" if kind else "Eta: 0")
    read = read_parameters(text)
    listed = [line for line in read.not_honoured(pipe) if "ends above" in line]
    with warnings.catch_warnings(action="ignore"):
        read.call(pipe)
    pipe.scheduler.set_timesteps(20)

    assert bool(listed) == (levels_end(pipe.scheduler) > 1.01 and kind != "SGM Uniform")
