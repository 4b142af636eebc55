"""build_pipeline: what it makes of a model, and what it says when it cannot."""

import json
import shutil

import pytest
import torch
from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)
from safetensors.torch import load_file, save_file

import clipcond
from clipcond.errors import (
    ArgumentError,
    CheckpointError,
    ClipcondWarning,
    PipelineError,
    UnknownNameError,
)
from clipcond.pipelines import build_pipeline
from clipcond.pipelines.devices import check_device
from tests.parity.models import tower_g, tower_l
from tests.pipelines.models import latents, stock_class

HALVES = ("fp16", "half", "FLOAT16", "torch.float16", "float61")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(sd_folder, tmp_path):
    """A copy of the saved pipeline, to spoil."""
    return shutil.copytree(sd_folder, tmp_path / "model")


def test_a_folder_gives_the_pipeline_that_was_saved(sd_folder):
    pipe = build_pipeline(str(sd_folder))
    theirs = StableDiffusionPipeline.from_pretrained(sd_folder, safety_checker=None)
    theirs.set_progress_bar_config(disable=True)

    assert stock_class(pipe) is StableDiffusionPipeline
    assert pipe.device.type == "cpu"
    assert pipe.unet.dtype == pipe.vae.dtype == pipe.text_encoder.dtype == torch.float32
    assert isinstance(pipe.conditioner, clipcond.Conditioner)
    assert pipe.conditioner.towers[0].name == str(sd_folder)
    assert torch.equal(latents(pipe, "a cat"), latents(theirs, "a cat"))


def test_it_is_the_one_of_the_package():
    assert clipcond.build_pipeline is build_pipeline


def test_choices_reach_the_conditioner(sd_folder):
    pipe = build_pipeline(sd_folder, clip_skip=2, dialect="plain", weighting="scale")

    assert pipe.conditioner.clip_skip == 2
    assert pipe.conditioner.dialect.name == "plain"
    assert pipe.conditioner.rule.__name__ == "scale"
    assert pipe.conditioner.fullwidth is None
    assert build_pipeline(sd_folder, fullwidth=True).conditioner.fullwidth is True


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("image2image", StableDiffusionImg2ImgPipeline),
        ("inpainting", StableDiffusionInpaintPipeline),
    ],
)
def test_tasks(sd_folder, task, expected):
    pipe = build_pipeline(sd_folder, task=task, clip_skip=2)

    assert stock_class(pipe) is expected
    assert pipe.conditioner.clip_skip == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, "bfloat16"])
def test_dtype(sd_folder, dtype):
    pipe = build_pipeline(sd_folder, dtype=dtype)

    assert pipe.unet.dtype == pipe.vae.dtype == pipe.text_encoder.dtype == torch.bfloat16
    assert latents(pipe, "a (cat:1.2)").isfinite().all()


def test_float16_on_the_cpu_is_explained(sd_folder):
    with pytest.warns(ClipcondWarning, match="float16 on the CPU is slower") as caught:
        pipe = build_pipeline(sd_folder, dtype="float16", device="cpu")

    assert caught[0].filename == __file__
    assert latents(pipe, "a cat").dtype == torch.float16


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"dialect": "a111"}, "no dialect 'a111'. Did you mean 'a1111'?"),
        ({"weighting": "lrep"}, "no weighting rule 'lrep'."),
        ({"task": "text2img"}, "no task 'text2img'. Did you mean 'text2image'?"),
        *(({"dtype": name}, f"no dtype '{name}'. Did you mean 'float16'?") for name in HALVES),
        ({"dtype": "bf16"}, "no dtype 'bf16'. Did you mean 'bfloat16'?"),
        ({"dtype": "double64"}, "no dtype 'double64'."),
        ({"device": "cdua"}, "no device 'cdua'. Did you mean 'cuda'?"),
        ({"device": "gpu"}, "no device 'gpu'. Did you mean 'cuda'? Known: cpu, cuda, mps.\nLeave "),
        ({"device": "CUDA:x"}, "no device 'CUDA:x'. Did you mean 'cuda'?"),
        ({"device": "metal"}, "no device 'metal'. Did you mean 'mps'?"),
        ({"attention": "spda"}, "no attention 'spda'. Did you mean 'sdpa'?"),
    ],
)
def test_names_that_do_not_exist(sd_folder, choice, message):
    with pytest.raises(UnknownNameError) as caught:
        build_pipeline(sd_folder, **choice)

    assert str(caught.value).startswith(message)


@pytest.mark.skipif(torch.cuda.is_available(), reason="shows what is said without CUDA")
def test_a_device_that_is_not_there(sd_folder):
    for device in ("cuda", "cuda:9", "mps", "xla", torch.device("cuda")):
        kind = str(device).partition(":")[0]
        with pytest.raises(PipelineError) as caught:
            build_pipeline(sd_folder, device=device)

        message = f"This torch sees no {kind} device.\nLeave out device=, or say device='cpu'."
        assert str(caught.value) == message


def test_an_index_beyond_the_devices_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    with pytest.raises(PipelineError) as caught:
        check_device(torch.device("cuda:9"))

    assert str(caught.value) == "This torch sees no device cuda:9, only cuda:0, cuda:1."
    check_device(torch.device("cuda:1"))


def test_what_is_no_device_and_no_dtype(sd_folder):
    for choice in ({"device": 1.5}, {"device": True}, {"dtype": 16}, {"dtype": torch.int8}):
        ((name, value),) = choice.items()
        with pytest.raises(ArgumentError) as caught:
            build_pipeline(sd_folder, **choice)

        assert str(caught.value).startswith(f"{name} is ")
        assert str(caught.value).endswith(f": {value!r}")
    with pytest.raises(PipelineError, match="holds no numbers"):
        build_pipeline(sd_folder, device="meta")


def test_a_tower_that_does_not_fit_the_unet(sd_folder):
    with pytest.raises(PipelineError, match="40 wide, but this pipeline's UNet reads 32"):
        build_pipeline(sd_folder, tower=tower_g())


def test_a_tower_by_name(sd_folder):
    pipe = build_pipeline(sd_folder, tower=str(sd_folder), dtype=torch.bfloat16)

    assert pipe.conditioner.towers[0].model is not pipe.text_encoder
    assert pipe.conditioner.towers[0].dtype == torch.bfloat16
    assert torch.equal(
        latents(pipe, "a cat"), latents(build_pipeline(sd_folder, dtype="bfloat16"), "a cat")
    )


def test_a_tower_of_the_users_keeps_its_dtype(sd_folder):
    tower = tower_l()
    pipe = build_pipeline(sd_folder, tower=tower, dtype="bfloat16")

    assert pipe.unet.dtype == latents(pipe, "a cat").dtype == torch.bfloat16
    assert pipe.conditioner.towers == (tower,)
    assert tower.dtype == torch.float32


def test_a_text_encoder_saved_under_other_names_is_complete(sd_folder, folder):
    # transformers 5.6 saves without the prefix, and older ones with it; each must read the other's
    path = folder / "text_encoder" / "model.safetensors"
    # cloned: load_file maps the file that is written below
    saved = load_file(path).items()
    bare = {key.removeprefix("text_model."): tensor.clone() for key, tensor in saved}
    expected = latents(build_pipeline(sd_folder), "a cat")
    for prefix in ("", "text_model."):
        save_file({prefix + key: tensor for key, tensor in bare.items()}, path, {"format": "pt"})
        assert torch.equal(latents(build_pipeline(folder), "a cat"), expected)


def test_quiet_and_as_loud_as_before_afterwards(sd_folder, capfd):
    import diffusers.utils.logging as diffusers_logging
    import transformers.utils.logging as transformers_logging

    loggings = (diffusers_logging, transformers_logging)
    before = [(each.get_verbosity(), each.is_progress_bar_enabled()) for each in loggings]
    pipe = build_pipeline(sd_folder)
    pipe("a cat", num_inference_steps=1)

    assert capfd.readouterr() == ("", "")
    assert before == [(each.get_verbosity(), each.is_progress_bar_enabled()) for each in loggings]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": None}, "{index} names no pipeline class."),
        ({"unet": ["diffusers", "UNet5D"]}, "{index} names no known class for unet."),
        ({"vae": None}, "{index} names no known class for vae."),
    ],
)
def test_an_index_that_names_no_classes(folder, changes, message):
    path = folder / "model_index.json"
    index = {**json.loads(path.read_text()), **changes}
    kept = {name: value for name, value in index.items() if value is not None}
    path.write_text(json.dumps(kept))
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(folder)

    assert str(caught.value) == message.format(index=path)


def test_a_folder_without_its_unet(folder):
    shutil.rmtree(folder / "unet")
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(folder)

    assert str(caught.value) == f"{folder} is incomplete: it has no unet folder."


def test_a_folder_that_is_no_pipeline(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path} is no diffusers pipeline: it has no model_index.json.\n"
        "Give the folder that holds model_index.json, unet, vae, text_encoder, ..."
    )


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(tmp_path / "modle")

    assert str(caught.value) == (
        f"There is no file or folder '{tmp_path / 'modle'}'.\n"
        "Give a diffusers folder, a .safetensors file, or an id on the Hub: owner/name."
    )


def test_an_id_that_the_hub_cannot_give(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="There is no folder 'nobody/nothing' here, and the"):
        build_pipeline("nobody/nothing")


def test_a_pickle_is_not_opened(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(tmp_path / "model.ckpt")

    assert str(caught.value) == (
        f"{str(tmp_path / 'model.ckpt')!r} is a pickle, which can run code when opened\n"
        "Use the model's .safetensors version, or say allow_pickle=True: then torch 2.10 or newer "
        "reads weights out of it and nothing else."
    )


def test_another_family(folder):
    index = json.loads((folder / "model_index.json").read_text())
    index["_class_name"] = "StableDiffusion3Pipeline"
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(PipelineError, match="StableDiffusion3Pipeline is none of the pipelines"):
        build_pipeline(folder)


def test_a_hub_id_is_served_from_the_cache_when_offline(sd_folder, tmp_path, monkeypatch):
    repository = tmp_path / "models--owner--tiny"
    shutil.copytree(sd_folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    pipe = build_pipeline("owner/tiny")
    assert torch.equal(latents(pipe, "a cat"), latents(build_pipeline(sd_folder), "a cat"))
