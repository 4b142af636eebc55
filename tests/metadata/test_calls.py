"""What a picture was made with as a call of a pipeline: the same picture, and what cannot be so."""

from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import save_file

from clipcond import attach, build_pipeline
from clipcond.cli import main
from clipcond.errors import ClipcondWarning, PipelineError
from clipcond.metadata import Parameters, read_parameters
from clipcond.pipelines.schedulers import own_scheduler, scheduler_name
from clipcond.weighting import WEIGHTINGS

WEBUI = (
    "a (red:1.3) cat\nNegative prompt: dog\nSteps: 2, Sampler: DPM++ 2M, Schedule type: Karras, "
    "CFG scale: 7, Seed: 1, Size: 64x64, Clip skip: 2, RNG: CPU, Version: v1.10.1"
)


# numpy 2 of torch's tensors, in diffusers
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("png", []),
        ("jpg", ["--scheduler", "Euler a", "--guidance", "3.1415926535897931"]),
        ("webp", ["--scheduler", "dpmpp_2m_karras", "--clip-skip", "1", "--size", "72x64"]),
        ("png", ["--scheduler", "Euler SGM Uniform", "-n", "dog,\na tree", "--seed", "-1"]),
    ],
)
def test_a_picture_that_was_read_back_is_the_same_to_the_bit(tmp_path, ending, options):
    path = tmp_path / f"cat.{ending}"
    prompt = "a (red:1.3) cat on a [blue:green:0.5] background,\na tree"
    assert main(["generate", prompt, "--steps", "4", "-o", str(path), *options]) == 0
    drawn = build_pipeline()

    parameters = read_parameters(path)
    with Image.open(path) as image:
        made = image.convert("RGB")
    again = drawn(**parameters.call(drawn), num_images_per_prompt=1).images[0]

    assert parameters.prompt == prompt
    if ending == "jpg":
        again.save(tmp_path / "again.jpg", quality=95, subsampling=0)
        again = Image.open(tmp_path / "again.jpg").convert("RGB")
    assert again.tobytes() == made.tobytes()


@pytest.mark.filterwarnings("error")
def test_the_arguments_and_the_scheduler(pipe):
    call = read_parameters(WEBUI).call(pipe)

    generator = call.pop("generator")
    assert call == {
        "prompt": "a (red:1.3) cat", "negative_prompt": "dog", "num_inference_steps": 2,
        "guidance_scale": 7.0, "width": 64, "height": 64, "clip_skip": 2,
    }  # fmt: skip
    assert generator.device == torch.device("cpu")
    assert generator.initial_seed() == 1
    assert pipe.scheduler.config.use_karras_sigmas
    ours = pipe.scheduler
    assert read_parameters(WEBUI).call(pipe).keys() == {*call, "generator"}
    assert pipe.scheduler is ours  # it is so already
    assert Parameters("a cat").call(pipe) == {"prompt": "a cat", "negative_prompt": ""}


def test_what_is_not_honoured_is_listed_and_warned_of(pipe):
    own = own_scheduler(pipe)
    read = read_parameters(WEBUI)
    assert read.not_honoured(pipe) == []
    settings = {
        "Hires upscale": "2", "Hires prompt": "a cat: " + "x" * 100, "Eta": "0.67",
        "ControlNet 0": "Module: canny", "Emphasis": "No norm", "TI hashes": "easy: 12, b: 3",
        "Model": "some-model", "Civitai resources": '[{"type":"checkpoint"}]', "RNG": "NV",
        "Version": "v1.10.1", "Denoising strength": "0.4",
    }  # fmt: skip
    wild = replace(read, sampler="DPM fast", schedule_type=None, others=settings)

    found = wild.not_honoured(pipe)

    assert found == [
        'weighting is another here. Say weighting="scale".',
        "Embeddings that are not loaded: easy, b.",
        "Sampler 'DPM fast', which diffusers does not have; the pipeline's "
        f"{scheduler_name(own)} is used.",
        "Noise: drawn on the CPU here, by A1111 on the GPU unless its file says RNG: CPU.",
        "Hires upscale: 2",
        f"Hires prompt: a cat: {'x' * 50}...",
        "Eta: 0.67",
        "ControlNet 0: Module: canny",
        "Model: some-model",
        "RNG: NV",
        "Denoising strength: 0.4",
    ]
    with pytest.warns(ClipcondWarning) as caught:
        wild.call(pipe)
    assert str(caught[0].message).split("\n")[1:] == found
    assert pipe.scheduler is own


def other(**others):
    return Parameters(
        "a cat", others={name.replace("_", " "): text for name, text in others.items()}
    )


def test_what_is_read_otherwise_is_listed(pipe):
    expected = [
        (
            other(Dialect="comfyui"),
            [
                "The prompt is in the dialect comfyui; this pipeline reads a1111. "
                'Say dialect="comfyui".'
            ],
        ),
        (other(Dialect="zork"), ["Dialect: zork, which is none of clipcond's."]),
        (
            other(Normalize="mean"),
            ['normalize is another here. Say normalize="mean".'],
        ),
        *((other(Emphasis=name), []) for name in ("Original", "original", "ORIGINAL ")),
        *(
            (other(Emphasis=name), ['weighting is another here. Say weighting="scale".'])
            for name in ("No norm", "No Norm", "no norm")
        ),
        (other(Emphasis="old"), ["Emphasis: old"]),
        (
            other(Weighting="zork", Normalize="mean"),
            [
                "no weighting rule 'zork'. Known: " + ", ".join(sorted(WEIGHTINGS)) + ".",
                'normalize is another here. Say normalize="mean".',
            ],
        ),
        (other(**{"Full-width": "maybe"}), ["Full-width: maybe"]),
        (
            other(**{"Full-width": "true"}),
            ["fullwidth=True; this pipeline has fullwidth=False. Say fullwidth=True."],
        ),
        (other(Extra_networks="off"), ["Extra networks: off"]),
        (
            other(Extra_networks="false"),
            ["Comments and <lora:...> in a prompt are text. Say extra_networks=False."],
        ),
        (
            other(Dialect="comfyui", Emphasis="old"),
            [
                "The prompt is in the dialect comfyui; this pipeline reads a1111. "
                'Say dialect="comfyui".',
                "Emphasis: old",
            ],
        ),
        (other(Timestep_spacing="zork"), ["Timestep spacing: zork"]),
        (Parameters("a cat", others={"stop_at_clip_layer": "-5"}), ["stop_at_clip_layer: -5"]),
        (other(Region_masks="none"), ["Region masks: none"]),
        (
            other(Extra_networks="False"),
            ["Comments and <lora:...> in a prompt are text. Say extra_networks=False."],
        ),
        (other(Precision="float16"), ["Precision: float16; this pipeline has float32."]),
        (other(Lora_hashes="x: 12"), ["Lora hashes: x: 12"]),
        (other(Civitai_resources='[{"type":"lora"}]'), ['Civitai resources: [{"type":"lora"}]']),
        (other(Civitai_resources='[{"type":"checkpoint"}]', Civitai_metadata="{}"), []),
        *(
            (other(Civitai_resources=text), [f"Civitai resources: {text}"])
            for text in ('[{"type":"checkpoint"},{"type":"lycoris"}]', "none", '{"a":1}', "[1]")
        ),
        (other(NGMS="3", Eta="0", Denoising_strength="1.0"), ["NGMS: 3"]),
        *((other(denoise=n, strength=n, Denoising_strength=n), []) for n in ("1", "1.0", "1.00")),
        *((other(Eta=n, noise=n, Tiling=n), []) for n in ("0", "0.0", "0.000")),
        (other(Denoising_strength="0"), ["Denoising strength: 0"]),
        (
            other(denoise="0.0", strength="0", noise="1"),
            ["denoise: 0.0", "strength: 0", "noise: 1"],
        ),
        (other(denoise="0.5", Eta="0.1", Tiling="1"), ["denoise: 0.5", "Eta: 0.1", "Tiling: 1"]),
        (other(Tower="embedded", Model="embedded"), []),
        (other(Nodes="LoraLoader"), ["Nodes: LoraLoader"]),
    ]
    for read, lines in expected:
        assert read.not_honoured(pipe) == lines, read.others
    attach(pipe, weighting="scale", extra_networks=False)
    try:
        assert Parameters("a cat").not_honoured(pipe) == [
            'weighting is another here. Say weighting="scale_mean".',
            "Comments and <lora:...> in a prompt are none. Say extra_networks=None.",
        ]
    finally:
        attach(pipe)


@pytest.mark.parametrize(
    ("left_out", "line"),
    [
        ("Sampler: Euler, ", "No sampler is given: the pipeline's DDIM is used."),
        ("CFG scale: 7, ", "No CFG scale is given: the pipeline's own is used."),
    ],
)
def test_what_a_file_leaves_out_is_the_pipelines_own(pipe, left_out, line):
    text = "a cat\nSteps: 2, Sampler: Euler, CFG scale: 7, Size: 64x64, RNG: CPU"
    assert read_parameters(text).not_honoured(pipe) == []
    read = read_parameters(text.replace(left_out, ""))
    assert read.not_honoured(pipe) == [line]
    with pytest.warns(ClipcondWarning, match=line):
        read.call(pipe)
    made = replace(Parameters("a cat", steps=2), sampler=read.sampler, guidance=read.guidance)
    assert made.not_honoured(pipe) == []  # who made it in Python chose that
    ours = read_parameters(f"{read.text()}, Version: clipcond 0.2.0")
    assert ours.not_honoured(pipe) == []


def test_inversions_are_known_whatever_their_capitals(tmp_path):
    pipe = build_pipeline()
    save_file({"easy": torch.ones(1, 128)}, tmp_path / "easy.safetensors")
    pipe.conditioner.load_inversion(tmp_path / "easy.safetensors", "easy")
    read = other(TI_hashes="EASY: 12ab, other: 3")
    assert read.not_honoured(pipe) == ["Embeddings that are not loaded: other."]


def test_a1111_leaves_clip_skip_1_and_even_spacing_out(pipe):
    text = "a cat\nSteps: 2, Sampler: Euler, CFG scale: 3, Seed: 5, RNG: CPU"
    for kind in ("", ", Schedule type: Uniform", ", Schedule type: Normal"):
        read = read_parameters(text + kind)
        assert read.not_honoured(pipe) == []
        assert read.call(pipe)["clip_skip"] == 1
        assert pipe.scheduler.config.timestep_spacing == "linspace"
    for sampler in ("DDIM", "PLMS", "UniPC", "DEIS"):
        read = read_parameters(text.replace("Euler", sampler))
        [line] = read.not_honoured(pipe)
        assert line.startswith("Noise levels: spaced as the pipeline's scheduler says")
    assert "clip_skip" not in Parameters("a cat").call(pipe)
    ours = f"{text}, Timestep spacing: leading, Version: clipcond 0.2.0"
    assert "clip_skip" not in read_parameters(ours).call(pipe)
    assert pipe.scheduler.config.timestep_spacing == "leading"
    Parameters("a cat", sampler="Euler", schedule_type="Karras").call(pipe)
    assert pipe.scheduler.config.use_karras_sigmas


def test_pictures_to_pictures(pipe):
    changed = attach(StableDiffusionImg2ImgPipeline(**pipe.components))
    text = "a cat\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 5, RNG: CPU, Size: 16x16"
    size = "Size: 16x16; the pipeline takes the picture's."
    for value in ("abc", "nan", "7", "-1", "0", "0,5"):
        read = read_parameters(f"{text}, Denoising strength: {value}")
        with pytest.warns(ClipcondWarning, match="No denoising strength"):
            assert "strength" not in read.call(changed), value
        assert read.not_honoured(changed) == [
            "No denoising strength from 0 to 1 is given: the pipeline's own is used.", size
        ], value  # fmt: skip
    read = read_parameters(f"{text}, Denoising strength: 0.4")
    with pytest.warns(ClipcondWarning, match="Size: 16x16"):
        assert read.call(changed)["strength"] == 0.4
    assert read.not_honoured(changed) == [size]
    read = read_parameters(f"{text}, Denoising strength: 0.4, denoise: 0.40, strength: 0.7")
    assert read.not_honoured(changed) == [size, "strength: 0.7"]


def test_only_attached_pipelines_are_called(pipe):
    read = Parameters("a cat")
    plain = StableDiffusionPipeline(**pipe.components)
    for ask in (read.call, read.not_honoured):
        with pytest.raises(PipelineError, match=r"Say attach\(pipe\) first"):
            ask(plain)
