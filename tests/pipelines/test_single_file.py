"""A checkpoint in one file: every weight arrives, offline, or there is one clear message."""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from clipcond.errors import CheckpointError
from clipcond.pipelines import build_pipeline, loading
from tests.parity.models import fill, model_l, tokenizer
from tests.pipelines.models import WIDTH, latents
from tests.pipelines.single_file import single_file

CONFIG = loading._SD1_CONFIG
SMALL = {"height": 64, "width": 64}  # the configuration says 512: that takes ten seconds
# As published with Stable Diffusion 1.5.
N_WEIGHTS = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """Stable Diffusion 1.x with its own configuration, but 32 channels and a text width of 32."""
    folder = shutil.copytree(CONFIG, tmp_path_factory.mktemp("sd1") / "config")
    for part, changes in {
        "unet": {"block_out_channels": [32, 32, 64, 64], "cross_attention_dim": WIDTH},
        "vae": {"block_out_channels": [32, 32, 64, 64]},
        "text_encoder": model_l().config.to_diff_dict(),
    }.items():
        path = folder / part / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


@pytest.fixture(scope="module")
def models(narrow):
    def config(part):
        return json.loads((narrow / part / "config.json").read_text())

    with torch.random.fork_rng():
        torch.manual_seed(11)
        return StableDiffusionPipeline(
            unet=UNet2DConditionModel.from_config(config("unet")),
            vae=AutoencoderKL.from_config(config("vae")),
            text_encoder=fill(CLIPTextModel(CLIPTextConfig(**config("text_encoder"))), 3),
            tokenizer=tokenizer(),
            scheduler=None,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


@pytest.fixture(scope="module")
def weights(models):
    return single_file(models)


@pytest.fixture
def file(weights, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(weights, path, {"format": "pt"})
    return path


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def test_every_weight_arrives_without_a_connection(file, models, narrow, monkeypatch):
    monkeypatch.setattr(loading, "_SD1_CONFIG", narrow)
    pipe = build_pipeline(file, clip_skip=2)

    for part in N_WEIGHTS:
        ours, theirs = getattr(pipe, part).state_dict(), getattr(models, part).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert pipe.tokenizer("a cat").input_ids == tokenizer()("a cat").input_ids
    assert latents(pipe, "a (red:1.3) cat", **SMALL).isfinite().all()


@pytest.mark.parametrize("place", ["model", "."])
def test_a_configuration_next_to_the_file_is_used(file, narrow, place):
    shutil.copytree(narrow, file.parent / place, dirs_exist_ok=True)
    tokenizer().save_pretrained(file.parent / place / "tokenizer")

    assert latents(build_pipeline(file), "a cat", **SMALL).isfinite().all()


def test_the_configuration_that_comes_along_is_stable_diffusion_1s():
    def config(part):
        return json.loads((CONFIG / part / "config.json").read_text())

    with torch.device("meta"):
        made = {
            "unet": UNet2DConditionModel.from_config(config("unet")),
            "vae": AutoencoderKL.from_config(config("vae")),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**config("text_encoder"))),
        }

    assert {part: model.num_parameters() for part, model in made.items()} == N_WEIGHTS


@pytest.mark.parametrize("part", ["model.diffusion_model.", "first_stage_model.", "cond_stage"])
def test_missing_weights(weights, narrow, tmp_path, monkeypatch, part):
    monkeypatch.setattr(loading, "_SD1_CONFIG", narrow)
    lost = max(key for key in weights if key.startswith(part))
    path = tmp_path / "model.safetensors"
    save_file({k: t for k, t in weights.items() if k != lost}, path, {"format": "pt"})

    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        build_pipeline(path)


def test_a_text_encoder_alone_is_no_checkpoint(weights, tmp_path):
    path = tmp_path / "text.safetensors"
    save_file({k: t for k, t in weights.items() if k.startswith("cond")}, path)

    with pytest.raises(CheckpointError, match="holds no Stable Diffusion UNet"):
        build_pipeline(path)


def test_a_damaged_sdxl_file(tmp_path):
    path = tmp_path / "xl.safetensors"
    save_file({"conditioner.embedders.0.transformer.x": torch.zeros(1)}, path)

    with pytest.raises(CheckpointError) as caught:
        build_pipeline(path)
    assert str(caught.value) == (
        f"{path} holds no Stable Diffusion UNet; it holds 1 tensor, such as "
        "'conditioner.embedders.0.transformer.x'.\n"
        "Give a whole checkpoint; for a text encoder alone there is load_tower."
    )


def test_what_needs_a_configuration_from_the_hub_says_so(weights, tmp_path):
    first = "model.diffusion_model.input_blocks.0.0.weight"
    path = tmp_path / "inpainting.safetensors"
    save_file({**weights, first: torch.zeros(32, 9, 3, 3)}, path, {"format": "pt"})

    with pytest.raises(CheckpointError, match="the checkpoint cannot be read from") as caught:
        build_pipeline(path, task="inpainting")
    assert "Put the model's configuration folder" in str(caught.value)


def test_a_file_cut_short(file):
    file.write_bytes(file.read_bytes()[:-1000])
    n_bytes = file.stat().st_size
    with pytest.raises(
        CheckpointError, match="is no complete safetensors file: it ends early"
    ) as e:
        build_pipeline(file)
    assert f"expected {n_bytes + 1000} bytes, found {n_bytes}" in str(e.value)
