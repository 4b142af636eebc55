"""Samplers, their noise levels and eta, as a call on a pipeline takes them from a file."""

import warnings

import pytest
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from clipcond import attach, build_pipeline
from clipcond.errors import ClipcondWarning, PipelineError
from clipcond.metadata import Parameters, read_parameters, save_picture
from clipcond.pipelines.schedulers import make_scheduler, own_scheduler, scheduler_name


@pytest.mark.parametrize(
    ("sampler", "schedule_type", "name"),
    [
        ("DPM++ 2M", "Automatic", "DPM++ 2M"),
        ("Euler", "Uniform", "Euler"),
        ("Euler", "Simple", "Euler SGM Uniform"),
        ("dpmpp_2m", "karras", "DPM++ 2M Karras"),
        ("DPM++ 2M Karras", None, "DPM++ 2M Karras"),
        ("k_euler_ancestral", "normal", "Euler a"),
    ],
)
def test_names_of_samplers_and_schedule_types(pipe, sampler, schedule_type, name):
    if "Karras" not in name and "SGM" not in name:
        name += " SGM Uniform"  # how the embedded model's own scheduler is spaced
    read = Parameters("a cat", sampler=sampler, schedule_type=schedule_type)
    automatic = [line for line in read.not_honoured(pipe) if "Automatic" in line]
    assert len(automatic) == (schedule_type == "Automatic")
    if automatic:
        with pytest.warns(ClipcondWarning, match="which one that was for DPM"):
            read.call(pipe)
    else:
        read.call(pipe)
    assert scheduler_name(pipe.scheduler) == name


@pytest.mark.parametrize(
    ("sampler", "usual"),
    [
        *((name, "1") for name in ("Euler a", "DPM2 a", "DPM++ SDE", "DPM++ 2M SDE Heun")),
        *((name, "1") for name in ("DPM++ 2M SDE Karras", "dpmpp_3m_sde_gpu", "DPM++ 2S a")),
        ("DDIM", "0"),
        *((name, "0 1") for name in ("Euler", "DPM++ 2M Karras", "Heun", "LMS", "UniPC")),
    ],
)
def test_which_eta_changes_nothing_depends_on_the_sampler(pipe, tmp_path, sampler, usual):
    for eta in ("0", "0.0", "1", "1.0", "0.5"):
        read = read_parameters(EVEN.format(sampler) + f", Eta: {eta}")
        listed = [line for line in read.not_honoured(pipe) if line.startswith("Eta")]
        is_usual = eta.removesuffix(".0") in usual.split()
        assert listed == ([] if is_usual else [f"Eta: {eta}"]), eta
    save_picture(Image.new("RGB", (8, 8)), tmp_path / "a.png", read)
    assert read_parameters(tmp_path / "a.png").others["Eta"] == "0.5"


def test_eta_without_a_sampler_is_that_of_the_pipelines_own(pipe):
    text = "a cat\nSteps: 2, CFG scale: 3, RNG: CPU, Eta: 0"
    assert "Eta: 0" not in read_parameters(text).not_honoured(pipe)
    ancestral = build_pipeline()
    ancestral.scheduler = make_scheduler("Euler a", ancestral.scheduler)
    assert read_parameters(text).not_honoured(ancestral) == [
        "No sampler is given: the pipeline's Euler a is used.", "Eta: 0"
    ]  # fmt: skip


EVEN = "a fox\nSteps: 6, Sampler: {}, CFG scale: 3, Seed: 1, Size: 64x64, RNG: CPU"
NONE = EVEN.replace(" Sampler: {},", "")


@pytest.mark.parametrize(
    "text", [NONE, "a fox", *(EVEN.format(name) for name in ("DPM++ 2S a", "DPM fast", "Restart"))]
)
def test_no_recipe_draws_with_the_sampler_of_the_former(pipe, text):
    """Without a sampler that diffusers has, the pipeline's own is used, whatever came before."""
    own = own_scheduler(pipe)
    read = read_parameters(text)
    said = read.not_honoured(pipe)
    for former in ("Euler", "DPM++ 2M Karras", "LCM"):
        call_quietly(read_parameters(EVEN.format(former)), pipe)
        assert pipe.scheduler is not own
        assert read.not_honoured(pipe) == said
        call_quietly(read, pipe)
        assert pipe.scheduler is own
    assert [line for line in said if line.startswith("Sampler")] == [
        f"Sampler {read.sampler!r}, which diffusers does not have; the pipeline's "
        f"{scheduler_name(own)} is used."
    ] * (read.sampler is not None)


def call_quietly(read, pipe):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipcondWarning)
        return read.call(pipe)


def test_a_scheduler_that_the_user_sets_is_the_pipelines_own():
    pipe = build_pipeline()
    read_parameters(EVEN.format("Euler")).call(pipe)
    lcm = pipe.scheduler = make_scheduler("LCM", pipe.scheduler)
    read_parameters(EVEN.format("Heun")).call(pipe)
    shares = attach(StableDiffusionImg2ImgPipeline(**pipe.components))
    for each in (pipe, shares):
        call_quietly(read_parameters(NONE), each)
        assert each.scheduler is lcm


@pytest.mark.parametrize("sampler", ["DDIM", "PLMS", "UniPC", "DEIS"])
def test_the_spacing_that_is_said_is_the_one_that_is_used(pipe, sampler):
    call_quietly(read_parameters(EVEN.format("Euler")), pipe)
    read = read_parameters(EVEN.format(sampler))

    [line] = read.not_honoured(pipe)
    call_quietly(read, pipe)

    used = pipe.scheduler.config.timestep_spacing
    assert line == f"Noise levels: spaced as the pipeline's scheduler says, {used}."
    assert used == own_scheduler(pipe).config.timestep_spacing
    assert read_parameters(EVEN.format("Euler SGM Uniform")).not_honoured(pipe) == []


@pytest.mark.parametrize("tool", ["ComfyUI", "SwarmUI", "Fooocus"])
@pytest.mark.parametrize(
    "sampler", ["ddim", "uni_pc", "uni_pc_bh2", "deis", "lcm", "ddpm", "euler"]
)
@pytest.mark.parametrize("kind", ["normal", "simple", None])
def test_the_spacing_of_other_tools_is_said_too(pipe, tool, sampler, kind):
    read = Parameters("a cat", "", 6, sampler, kind, others={"Generator": tool})
    listed = [line for line in read.not_honoured(pipe) if line.startswith("Noise levels")]
    call_quietly(read, pipe)

    used = pipe.scheduler.config.timestep_spacing
    is_open = sampler != "euler" and kind != "simple"
    assert used == ("linspace" if sampler == "euler" and kind != "simple" else "trailing")
    assert listed == [f"Noise levels: spaced as the pipeline's scheduler says, {used}."] * is_open


def test_a_library_that_a_sampler_needs_is_named(pipe, monkeypatch):
    def no_scipy(*_):
        raise PipelineError("scheduler 'Euler Beta' cannot be used here: install scipy")

    monkeypatch.setattr("clipcond.pipelines.schedulers.make_scheduler", no_scipy)
    read = Parameters("a cat", sampler="Euler", schedule_type="Beta")
    assert read.not_honoured(pipe) == ["scheduler 'Euler Beta' cannot be used here: install scipy"]
