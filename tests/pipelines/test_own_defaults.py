"""One set of defaults: what a model names as its best, wherever a prompt is given."""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from clipcond import Conditioner, attach, build_pipeline, detach, embedded, load_tower
from clipcond.cli.entry import main
from clipcond.errors import ArgumentError, ClipcondWarning, TowerError
from clipcond.pipelines.model_parts import dtype_argument
from tests.own_model import DEFAULTS
from tests.pipelines.models import latents, seeded, tiny_sd, tiny_sdxl

PROMPT = "a red apple on a blue background"
OWN = {"guidance_scale": 2.5, "num_inference_steps": 3}


def drawn(pipe, **call):
    pipe.set_progress_bar_config(disable=True)
    return pipe(PROMPT, generator=seeded(4), **call).images[0].tobytes()


def stock(**choices):
    return DiffusionPipeline.from_pretrained(embedded.folder(), **choices)


@pytest.fixture(scope="module")
def pipe():
    return build_pipeline()


def bare(pipe, **call):
    """The latents of a call that names nothing."""
    return pipe(PROMPT, generator=seeded(), output_type="latent", **call).images


def tiny(own):
    made = tiny_sd()
    made.text_encoder.config.clipcond = own
    return made


@pytest.mark.slow
def test_the_same_picture_everywhere(pipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["generate", PROMPT, "--seed", "4"]) == 0
    with Image.open("out.png") as image:
        expected = image.convert("RGB").tobytes()
    attached = attach(stock(**dtype_argument(torch.float32)))
    pipe.save_pretrained(tmp_path / "saved")
    by_hand = Conditioner(load_tower("embedded")).guided(PROMPT)
    embeds = {"prompt_embeds": by_hand.positive.embeds}
    embeds["negative_prompt_embeds"] = by_hand.negative.embeds
    plain = stock(**dtype_argument(torch.float32))
    plain.set_progress_bar_config(disable=True)
    named = {name: DEFAULTS[name] for name in ("guidance_scale", "num_inference_steps")}
    call = {**embeds, **named, "generator": seeded(4)}

    assert drawn(pipe) == expected
    assert drawn(pipe, **named, clip_skip=2) == expected
    assert drawn(attached) == expected
    assert drawn(build_pipeline(tmp_path / "saved")) == expected
    assert plain(**call).images[0].tobytes() == expected
    assert drawn(pipe, guidance_scale=7.5) != expected


def test_clip_skip_is_the_models_own_or_one():
    names = ["embedded", "embedded-zh"]
    assert [Conditioner(load_tower(name)).clip_skip for name in names] == [2, 2]
    assert [Conditioner(load_tower(n), clip_skip=1).clip_skip for n in names] == [1, 1]
    for own, expected in [({"clip_skip": 3}, 3), ({}, 1), (None, 1), ("yes", 1), ([2], 1)]:
        assert attach(tiny(own)).conditioner.clip_skip == expected


@pytest.mark.slow
def test_calls_take_what_the_model_names_and_say_so():
    pipe = attach(tiny(OWN))
    parameters = inspect.signature(pipe.__call__).parameters

    assert {name: parameters[name].default for name in OWN} == OWN
    assert torch.equal(bare(pipe), bare(pipe, **OWN))
    assert not torch.equal(bare(pipe), bare(pipe, guidance_scale=7.5))
    assert not torch.equal(bare(pipe), bare(pipe, num_inference_steps=50))
    assert isinstance(pipe, StableDiffusionPipeline)
    for other in (copy.deepcopy(pipe), pickle.loads(pickle.dumps(pipe)), attach(pipe)):
        assert torch.equal(bare(other), bare(pipe, **OWN))
    again = StableDiffusionImg2ImgPipeline.from_pipe(pipe)
    assert type(again) is StableDiffusionImg2ImgPipeline
    assert type(detach(pipe)) is StableDiffusionPipeline
    assert "clipcond" not in str(type(attach(tiny_sd())).__call__)


def test_what_is_saved_is_a_stock_folder(tmp_path):
    attach(tiny(OWN)).save_pretrained(tmp_path)
    reloaded = DiffusionPipeline.from_pretrained(tmp_path)

    assert type(reloaded) is StableDiffusionPipeline
    assert reloaded.text_encoder.config.clipcond == OWN


def test_code_for_plain_diffusers_is_warned_of_its_clip_skip_once():
    attached = attach(tiny_sd())
    with pytest.warns(ClipcondWarning, match="clip_skip=1 is layer 1 .* which is clip_skip=2"):
        latents(attached, PROMPT, clip_skip=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latents(attached, PROMPT, clip_skip=1)
        latents(attach(tiny_sd(), clip_skip=1), PROMPT, clip_skip=2)


def test_the_warning_names_the_layer_of_plain_diffusers():
    def embeds(pipe, skip):
        return pipe.encode_prompt(PROMPT, device="cpu", clip_skip=skip)[0]

    attached = attach(tiny_sdxl(), dialect="diffusers")
    with pytest.warns(ClipcondWarning, match="^clip_skip=1 is layer 2 .* which is clip_skip=3"):
        embeds(attached, 1)
    with torch.no_grad():
        assert torch.equal(embeds(attached, 3), embeds(tiny_sdxl(), 1))


def test_a_clip_skip_that_is_no_layer_is_refused_without_that_warning():
    attached = attach(tiny_sd())
    for skip in (99, -1, 0, True):
        with warnings.catch_warnings():
            warnings.simplefilter("error", ClipcondWarning)
            with pytest.raises((TowerError, ArgumentError)):
                latents(attached, PROMPT, clip_skip=skip)
