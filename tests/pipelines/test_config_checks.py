"""Configurations of UNets, VAEs, schedulers and indexes with values that no class can have."""

import json
import shutil

import pytest
import torch

from clipcond import build_pipeline
from clipcond.errors import CheckpointError, ClipcondError
from clipcond.pipelines.config_checks import try_scheduler
from tests.failures import failures_of
from tests.pipelines.models import latents, tiny_sd

SCHEDULER = "scheduler/scheduler_config.json"
WRONG = (
    (SCHEDULER, "num_train_timesteps", (10**9, "1000", 0, 1e9, [1000])),
    (SCHEDULER, "beta_start", ("x", 1e9, -1.0, float("nan"))),
    (SCHEDULER, "beta_end", ("x", 2)),
    (SCHEDULER, "beta_schedule", ("no such", 5)),
    (SCHEDULER, "prediction_type", ("no such", 5)),
    (SCHEDULER, "timestep_spacing", ("no such",)),
    (SCHEDULER, "steps_offset", ("x", 10**9)),
    ("vae/config.json", "scaling_factor", ("x", 0, 1e9, [1], float("inf"))),
    ("vae/config.json", "block_out_channels", (10**9, [10**9, 10**9], "x")),
    ("vae/config.json", "layers_per_block", (10**6, "x", -1)),
    ("vae/config.json", "latent_channels", (10**9, "4")),
    ("unet/config.json", "cross_attention_dim", (10**9, "x", -1)),
    ("unet/config.json", "sample_size", (10**9, "x", 0)),
    ("unet/config.json", "layers_per_block", (10**6, "x", [10**6, 1])),
    ("unet/config.json", "norm_num_groups", (0, "x", 10**9)),
    ("unet/config.json", "act_fn", ("no such", 5)),
    ("model_index.json", "unet", (5, None, ["diffusers", 5], "x")),
    ("model_index.json", "vae", (5, ["diffusers", "pipelines"], [None, None])),
    ("model_index.json", "scheduler", (5, ["diffusers", "AutoencoderKL"], [], "x")),
    ("model_index.json", "_class_name", (5, None, [], "StableDiffusion3Pipeline", "x")),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sd") / "model"
    tiny_sd().save_pretrained(path)
    return path


def test_wrong_values(folder):
    def check(case):
        file, name, value = case
        path = folder / file
        whole = path.read_text()
        path.write_text(json.dumps({**json.loads(whole), name: value}))
        try:
            with pytest.raises(ClipcondError):
                build_pipeline(folder)
        finally:
            path.write_text(whole)

    assert not failures_of(check, [(f, n, v) for f, n, values in WRONG for v in values])
    assert latents(build_pipeline(folder), "a cat").isfinite().all()


def test_a_message_names_file_value_and_expectation(folder, tmp_path):
    path = shutil.copytree(folder, tmp_path / "model") / SCHEDULER
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "num_train_timesteps": 10**9}))
    with pytest.raises(CheckpointError) as caught:
        build_pipeline(tmp_path / "model")
    assert str(caught.value) == (
        f"{path} says num_train_timesteps 1000000000, expected a number from 1 to 100000\n"
        "Download or save it again."
    )


@pytest.mark.filterwarnings("ignore")
def test_a_trial_step_leaves_random_numbers_and_the_scheduler_alone(folder):
    from diffusers import EulerAncestralDiscreteScheduler

    scheduler = EulerAncestralDiscreteScheduler()
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    try_scheduler(scheduler)
    assert torch.equal(torch.randn(3), expected)
    assert scheduler.num_inference_steps is None


@pytest.mark.slow
def test_pickles_in_a_folder_are_opened_only_if_allowed(folder, tmp_path):
    def check(part):
        model = shutil.copytree(folder, tmp_path / part)
        (file,) = (model / part).glob("*.safetensors")
        weights = build_pipeline(folder).components[part].state_dict()
        name = "pytorch_model.bin" if "text" in part else "diffusion_pytorch_model.bin"
        torch.save(weights, model / part / name)
        file.unlink()
        with pytest.raises(CheckpointError) as caught:
            build_pipeline(model)
        assert "is a pickle, which can run code when opened" in str(caught.value)
        assert "say allow_pickle=True" in str(caught.value)
        ours, theirs = build_pipeline(model, allow_pickle=True), build_pipeline(folder)
        assert torch.equal(latents(ours, "a cat"), latents(theirs, "a cat"))

    assert not failures_of(check, ("unet", "vae", "text_encoder"))


def test_an_allowed_pickle_is_still_bounded(folder, tmp_path):
    class Large:
        def __reduce__(self):
            return bytearray, (1_500_000_000,)

    model = shutil.copytree(folder, tmp_path / "model")
    (file,) = (model / "vae").glob("*.safetensors")
    file.unlink()
    torch.save({"a": Large()}, model / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointError, match="bytearray, which weights do not need"):
        build_pipeline(model, allow_pickle=True)


def test_a_pickle_that_another_vae_replaces_is_not_opened(folder, tmp_path):
    def as_pickle(part):
        model = shutil.copytree(folder, tmp_path / part)
        (file,) = (model / part).glob("*.safetensors")
        file.with_name("diffusion_pytorch_model.bin").write_bytes(b"no weights")
        file.unlink()
        return model

    model, expected = as_pickle("vae"), build_pipeline(folder).vae.state_dict()
    for vae in (folder, folder / "vae"):  # that of a whole model, or alone
        found = build_pipeline(model, vae=vae).vae.state_dict()
        assert all(torch.equal(found[name], value) for name, value in expected.items())
    model = as_pickle("unet")
    with pytest.raises(CheckpointError, match="is a pickle"):
        build_pipeline(model, vae=folder)
