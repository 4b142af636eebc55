"""The files of `pipelines/`, loaded by diffusers' `custom_pipeline=`, and how they answer lpw."""

import inspect
import json
import sys
from pathlib import Path

import diffusers
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from clipcond import attach, build_pipeline, detach, embedded, load_tower
from clipcond.errors import ClipcondWarning, UnknownNameError
from clipcond.pipelines.model_parts import dtype_argument
from tests.pipelines.aligned import CAT, aligned
from tests.pipelines.models import SIDE, latents, tiny_sdxl

FOLDER = Path(__file__).parents[2] / "pipelines"
PICTURE = {"image": Image.new("RGB", (SIDE, SIDE), "red"), "strength": 1.0}
MASKED = {**PICTURE, "mask_image": Image.new("L", (SIDE, SIDE), 255)}
PROMPT = "a (red:1.3) cat, " * 30


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Load a folder with a file of `pipelines/`, as users do; diffusers copies it to a cache."""
    monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])

    def from_pretrained(folder, name, **choices):
        file = str(FOLDER / f"{name}.py")
        trusted = {"trust_remote_code": True, "local_files_only": True}
        trusted |= dtype_argument(torch.float32)
        pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=file, **trusted, **choices)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    return from_pretrained


def stock(folder, class_name, **choices):
    """The stock pipeline of a folder, attached by hand."""
    pipe = getattr(diffusers, class_name).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    return attach(pipe, **choices)


@pytest.mark.parametrize(
    ("name", "prompt", "choices"),
    [
        ("stable_diffusion", "a (red:1.3) fox", {}),
        ("stable_diffusion_zh", "一只（红色：1.3）的狐狸", {"tower": "embedded-zh"}),
    ],
)
def test_the_embedded_model_draws_the_picture_of_build_pipeline(load, name, prompt, choices):
    ours = load(embedded.folder(), name, clip_skip=2)
    built = build_pipeline(clip_skip=2, device="cpu", **choices)
    built.set_progress_bar_config(disable=True)
    call = {"num_inference_steps": 2, "output_type": "np"}
    pictures = [
        pipe(prompt, generator=torch.Generator().manual_seed(0), **call).images
        for pipe in (ours, built)
    ]

    assert (pictures[0] == pictures[1]).all()
    assert ours.conditioner.clip_skip == 2


@pytest.mark.parametrize(
    ("name", "class_name", "call"),
    [
        ("stable_diffusion", "StableDiffusionPipeline", {}),
        ("stable_diffusion_img2img", "StableDiffusionImg2ImgPipeline", PICTURE),
        ("stable_diffusion_inpaint", "StableDiffusionInpaintPipeline", MASKED),
    ],
)
def test_each_equals_the_stock_class_attached(load, sd_folder, name, class_name, call):
    choices = {"clip_skip": 2, "dialect": "comfyui", "weighting": "scale"}
    ours = load(sd_folder, name, **choices)
    theirs = stock(sd_folder, class_name, **choices)

    assert isinstance(ours, getattr(diffusers, class_name))
    assert ours.conditioner.dialect.name == "comfyui"
    assert torch.equal(latents(ours, PROMPT, **call), latents(theirs, PROMPT, **call))
    assert not torch.equal(latents(ours, PROMPT, **call), latents(attach(theirs), PROMPT, **call))


@pytest.mark.slow
def test_sdxl_equals_the_stock_class_attached(load, tmp_path):
    folder = tmp_path / "xl"
    tiny_sdxl().save_pretrained(folder)
    ours = load(folder, "stable_diffusion_xl", dialect="compel", add_watermarker=False)
    theirs = stock(folder, "StableDiffusionXLPipeline", dialect="compel")

    assert torch.equal(latents(ours, "a cat++"), latents(theirs, "a cat++"))
    assert ours.conditioner.pooled


def test_another_chinese_tower_with_its_adapter(load, sd_folder, zh_folder, pipe):
    adapter = aligned(pipe, load_tower(zh_folder))
    ours = load(sd_folder, "stable_diffusion_zh", tower=str(zh_folder), adapter=adapter)
    attach(pipe, tower=str(zh_folder), adapter=adapter)

    assert torch.equal(latents(ours, CAT), latents(pipe, CAT))


@pytest.mark.slow
def test_what_it_saves_is_a_stock_folder(load, sd_folder, tmp_path):
    pipe = load(sd_folder, "stable_diffusion", clip_skip=2)
    before = latents(pipe, "a cat")
    pipe.save_pretrained(tmp_path / "saved")
    plain = DiffusionPipeline.from_pretrained(sd_folder)
    plain.save_pretrained(tmp_path / "plain")
    indices = [
        json.loads((tmp_path / name / "model_index.json").read_text())
        for name in ("saved", "plain")
    ]

    assert indices[0] == indices[1]
    again = load(tmp_path / "saved", "stable_diffusion", clip_skip=2)
    assert torch.equal(latents(again, "a cat"), before)
    plain = DiffusionPipeline.from_pretrained(tmp_path / "saved")
    plain.set_progress_bar_config(disable=True)
    assert type(plain) is diffusers.StableDiffusionPipeline
    assert torch.equal(latents(plain, "a cat"), latents(detach(pipe), "a cat"))


def test_it_moves_and_goes_into_other_pipelines(load, sd_folder):
    pipe = load(sd_folder, "stable_diffusion", clip_skip=2)
    before = latents(pipe, "a cat")
    same = type(pipe).from_pipe(pipe, clip_skip=2)
    same.set_progress_bar_config(disable=True)
    plain = diffusers.StableDiffusionImg2ImgPipeline.from_pipe(pipe)

    assert torch.equal(latents(same, "a cat"), before)
    assert not torch.equal(latents(type(pipe).from_pipe(pipe), "a cat"), before)
    assert not hasattr(plain, "conditioner")
    assert pipe.to(torch.bfloat16) is pipe
    assert latents(pipe, "a cat").dtype == torch.bfloat16


def test_a_name_that_does_not_exist(load, sd_folder):
    with pytest.raises(UnknownNameError, match="Did you mean 'a1111'"):
        load(sd_folder, "stable_diffusion", dialect="a111")


@pytest.mark.slow
def test_the_methods_of_lpw(load, sd_folder):
    pipe = load(sd_folder, "stable_diffusion", dialect="lpw", clip_skip=2)
    call = {"negative_prompt": "blurry", "num_inference_steps": 2, "output_type": "latent"}

    def draw(method, *args, **more):
        return method(*args, **call, **more, generator=torch.Generator().manual_seed(0)).images

    def attached(class_name, **more):
        other = stock(sd_folder, class_name, dialect="lpw", clip_skip=2)
        return latents(other, "a (red:1.3) cat", negative_prompt="blurry", **more)

    assert torch.equal(draw(pipe.text2img, "a (red:1.3) cat"), attached("StableDiffusionPipeline"))
    image, mask = MASKED["image"], MASKED["mask_image"]
    drawn = draw(pipe.img2img, image, "a (red:1.3) cat", strength=1.0)
    assert torch.equal(drawn, attached("StableDiffusionImg2ImgPipeline", **PICTURE))
    drawn = draw(pipe.inpaint, image, mask, "a (red:1.3) cat", strength=1.0)
    assert torch.equal(drawn, attached("StableDiffusionInpaintPipeline", **MASKED))


def test_the_limit_of_lpw_is_explained_and_limits_nothing(load, sd_folder):
    pipe = load(sd_folder, "stable_diffusion")
    expected = latents(pipe, PROMPT)
    for draw, args in ((pipe, ()), (pipe.text2img, ()), (pipe.img2img, (PICTURE["image"],))):
        with pytest.warns(ClipcondWarning) as caught:
            found = draw(
                *args,
                prompt=PROMPT,
                max_embeddings_multiples=3,
                num_inference_steps=2,
                output_type="latent",
                generator=torch.Generator().manual_seed(0),
            ).images
        assert [str(warning.message) for warning in caught] == [
            "max_embeddings_multiples limits nothing here; dialect= says how long prompts are"
        ]
        assert caught[0].filename == __file__
        assert args or torch.equal(found, expected)


def test_the_same_choices_as_attach(load, sd_folder):
    pipe = load(sd_folder, "stable_diffusion")
    own = set(inspect.signature(type(pipe).__init__).parameters)
    theirs = set(inspect.signature(diffusers.StableDiffusionPipeline.__init__).parameters)

    assert own - theirs == set(inspect.signature(attach).parameters) - {"pipe"}
