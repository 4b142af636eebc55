"""Schedulers by the names of A1111, ComfyUI and diffusers."""

from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, PNDMScheduler

from clipcond.errors import ClipcondWarning, PipelineError, UnknownNameError
from clipcond.pipelines.schedulers import (
    SCHEDULERS,
    find_scheduler,
    make_scheduler,
    scheduler_name,
)

OWN = DDIMScheduler(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    clip_sample=False,
    prediction_type="v_prediction",
    num_train_timesteps=900,
)


@pytest.mark.parametrize(
    ("names", "class_name", "settings"),
    [
        (["Euler a", "euler_ancestral", "EULER A", "k_euler_a", "EulerAncestralDiscreteScheduler"],
         "EulerAncestralDiscreteScheduler", {}),
        (["Euler", "euler", "k-euler", "EulerDiscrete"],
         "EulerDiscreteScheduler", {"use_karras_sigmas": False}),
        (["DPM++ 2M Karras", "dpm++2mkarras", "dpmpp_2m_karras", "dpm++_2m karras"],
         "DPMSolverMultistepScheduler",
         {"use_karras_sigmas": True, "algorithm_type": "dpmsolver++", "solver_order": 2}),
        (["DPM++ 2M SDE", "dpmpp_2m_sde"], "DPMSolverMultistepScheduler",
         {"use_karras_sigmas": False, "algorithm_type": "sde-dpmsolver++"}),
        (["DPM++ 2M SDE Exponential"], "DPMSolverMultistepScheduler",
         {"use_exponential_sigmas": True, "algorithm_type": "sde-dpmsolver++"}),
        (["DPM++ 3M SDE Karras"], "DPMSolverMultistepScheduler",
         {"use_karras_sigmas": True, "solver_order": 3}),
        (["DPM++ SDE Karras", "dpmpp_sde_karras"], "DPMSolverSinglestepScheduler",
         {"use_karras_sigmas": True}),
        (["Euler SGM Uniform", "euler_sgm_uniform", "Euler simple"], "EulerDiscreteScheduler",
         {"timestep_spacing": "trailing", "use_karras_sigmas": False}),
        (["Euler a SGM Uniform", "euler_ancestral sgm_uniform"],
         "EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing"}),
        (["DPM++ 2M SDE Karras", "dpmpp_2m_sde_gpu karras"], "DPMSolverMultistepScheduler",
         {"use_karras_sigmas": True, "algorithm_type": "sde-dpmsolver++"}),
        (["DDIM", "ddim", "DDIMScheduler"], "DDIMScheduler", {}),
        (["PLMS", "pndm", "PNDMScheduler"], "PNDMScheduler", {"skip_prk_steps": True}),
        (["UniPC", "uni_pc", "UniPCMultistep"], "UniPCMultistepScheduler", {}),
        (["Heun", "heun"], "HeunDiscreteScheduler", {}),
        (["UniPC", "uni_pc_bh2", "UniPC bh2", "uni_pc_bh2 normal"], "UniPCMultistepScheduler",
         {"solver_type": "bh2"}),
        (["DPM++ 2M", "DPM++ 2M Normal", "DPM++ 2M Uniform", "dpmpp_2m normal", "dpmpp_2m_uniform",
          "DPM++ 2M default"],
         "DPMSolverMultistepScheduler", {"use_karras_sigmas": False}),
        (["Euler a", "Euler a Normal", "euler_ancestral uniform"],
         "EulerAncestralDiscreteScheduler", {}),
        (["DDIM", "DDIM Uniform", "ddim_uniform"], "DDIMScheduler", {}),
        (["DPM2 a", "dpm_2_ancestral", "dpm2 ancestral"], "KDPM2AncestralDiscreteScheduler", {}),
    ],
)  # fmt: skip
def test_names(names, class_name, settings):
    for name in names:
        scheduler = make_scheduler(name, OWN)

        assert type(scheduler).__name__ == class_name, name
        assert {key: scheduler.config[key] for key in settings} == settings, name
        assert scheduler_name(scheduler) == names[0]


# numpy 2 of torch's tensors, in diffusers
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
@pytest.mark.slow
def test_every_name_keeps_the_training_of_the_model_and_steps():
    for name in SCHEDULERS:
        if needs_scipy(name) and find_spec("scipy") is None:
            is_class = name.startswith("LMS")
            message = "requires the scipy library" if is_class else "install scipy .* beta sigmas."
            with pytest.raises(PipelineError, match=rf"{message}\nInstall it"):
                make_scheduler(name, OWN)
            continue
        scheduler = make_scheduler(name, OWN)
        assert scheduler.config.beta_schedule == "scaled_linear", name
        assert scheduler.config.prediction_type == "v_prediction", name
        assert scheduler.config.num_train_timesteps == 900, name
        assert scheduler_name(scheduler) == name

        scheduler.set_timesteps(4)
        sample = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        for step in scheduler.timesteps:
            model_input = scheduler.scale_model_input(sample, step)
            sample = scheduler.step(model_input * 0.1, step, sample).prev_sample
        assert sample.isfinite().all(), name


def test_automatic_is_none_that_is_known():
    for name in ("Euler Automatic", "dpmpp_2m automatic", "DDIM AUTOMATIC"):
        with pytest.warns(ClipcondWarning, match="Automatic: which one that is for"):
            made = make_scheduler(name, OWN)
        assert settings_of(made) == settings_of(make_scheduler(name[: -len(" automatic")], OWN))
    for name in ("Automatic", "Normal", "Euler Normal Karras", "Euler a Automatic Karras"):
        with pytest.raises(UnknownNameError):
            find_scheduler(name)


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("eulr a", "euler a"),
        ("DPM++ 2M Karas", "dpm++ 2m karras"),
        ("unipcc", "unipc"),
        ("dimm", "ddim"),
        ("DPM+ 2M", "dpm++ 2m"),
        ("hein", "heun"),
    ],
)
def test_near_misses(name, guess):
    with pytest.raises(UnknownNameError, match="no scheduler") as caught:
        find_scheduler(name)

    assert f"Did you mean {guess!r}?" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "Euler a Karras", "DDIM Karras", "🐱", "DPM fast", "x" * 5000]
)
def test_no_such_scheduler(name):
    with pytest.raises(UnknownNameError) as caught:
        find_scheduler(name)

    assert len(str(caught.value)) < 1000


def test_names_of_a_models_own():
    assert scheduler_name(OWN) == "DDIM"
    assert scheduler_name(PNDMScheduler()) == "PNDM"  # with its Runge-Kutta steps it is no PLMS
    assert scheduler_name(DPMSolverMultistepScheduler()) == "DPM++ 2M"


def test_nothing_of_another_sampler_is_kept():
    """Any name gives what it gives alone, also after all others and their settings."""
    names = [name for name in SCHEDULERS if find_spec("scipy") or not needs_scipy(name)]
    own = DDIMScheduler(num_train_timesteps=50, beta_schedule="scaled_linear")
    alone = {name: make_scheduler(name, own) for name in names}
    asked = {f"use_{spacing}_sigmas": True for spacing in ("karras", "exponential", "beta")}
    asked |= {"solver_order": 3, "algorithm_type": "sde-dpmsolver++", "skip_prk_steps": False}
    for befores in (
        [SimpleNamespace(config={**own.config, **asked})] * len(names),
        [alone[name] for name in names[1:] + names[:1]],
        [alone[name] for name in names[-1:] + names[:-1]],
    ):
        assert [
            name
            for name, before in zip(names, befores, strict=True)
            if settings_of(make_scheduler(name, before)) != settings_of(alone[name])
        ] == []


def needs_scipy(name):
    return name.startswith("LMS") or name.endswith("Beta")


def settings_of(scheduler):
    return {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
