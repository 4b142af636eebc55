"""clipcond checkpoint: the right answer from the header, hashes, comparison, one tower out."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from clipcond import load_tower
from tests.checkpoints.made_files import bare, open_clip, shapes, sparse, unet, wrapped
from tests.checkpoints.test_single_file import SD1, SDXL, assert_same


def test_json(run, sd3):
    outcome = run("checkpoint", sd3, "--json")
    report = json.loads(outcome.out)

    assert (outcome.code, outcome.err) == (0, "")
    towers = report.pop("towers")
    assert report == {
        "file": str(sd3),
        "bytes": sd3.stat().st_size,
        "tensors": len(load_file(sd3)),
        "family": None,
        "denoiser": False,
        "text_width": None,
        "input_channels": None,
        "vae": False,
        "vision": False,
        "others": ["T5-XXL"],
    }
    assert len(towers) == 2
    assert towers[1] == {
        "part": 2,
        "name": None,
        "kind": "clip",
        "layout": "SD3, second",
        "prefix": "text_encoders.clip_g.transformer.text_model.",
        "vocabulary": 49408,
        "context": 77,
        "width": 128,
        "inner": 256,
        "layers": 3,
        "projection": 96,
        "used_layers": 3,
        "heads": 2,
        "heads_are_sure": True,
        "activation": "gelu",
        "activation_why": "SD2, SDXL and SD3 were trained on OpenCLIP's",
        "activation_is_sure": True,
        "dtypes": ["float32"],
        "parameters": 6_744_064,
        "bytes": 4 * 6_744_064,
        "problem": None,
    }
    assert towers[0]["dtypes"] == ["float16"]


def test_a_table(run, sd1):
    outcome = run("checkpoint", sd1)

    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == f"sd1.safetensors: 6.55 MB, {len(load_file(sd1))} tensors"
    assert lines[1] == (
        "UNet: SD1, listens to text 768 wide, 4 channels in; VAE: yes; CLIP's vision half: no"
    )
    assert any("tensors" in line and SD1 in line for line in lines)
    assert any("quick_gelu (SD1, SDXL and SD3 were trained on" in line for line in lines)


@pytest.mark.parametrize(
    ("width", "prefix", "family"),
    [
        (768, SD1, "SD1"),
        (1024, "cond_stage_model.model.", "SD2"),
        (2048, f"{SDXL}1.model.", "SDXL base"),
        (1280, f"{SDXL}0.model.", "SDXL refiner"),
    ],
)
def test_families(run, first, tmp_path, width, prefix, family):
    layout = wrapped if prefix == SD1 else open_clip
    save_file({**unet(width, 9), **layout(first, prefix)}, tmp_path / "x.safetensors")

    report = json.loads(run("checkpoint", "x.safetensors", "--json").out)

    assert (report["family"], report["text_width"], report["input_channels"]) == (family, width, 9)
    assert [tower["prefix"] for tower in report["towers"]] == [
        prefix + ("text_model." if prefix == SD1 else "")
    ]


def test_a_file_without_a_tower(run, tmp_path):
    save_file(unet(768), tmp_path / "unet.safetensors")
    assert run("checkpoint", "unet.safetensors").out == (
        "unet.safetensors: 7.01 kB, 3 tensors\n"
        "UNet: SD1, listens to text 768 wide, 4 channels in; VAE: yes; CLIP's vision half: no\n"
        "No text tower is in it.\n"
    )


def test_a_broken_tower_is_shown_with_its_problem(run, first, tmp_path):
    weights = wrapped(first, SD1)
    del weights[f"{SD1}text_model.encoder.layers.2.mlp.fc1.bias"]
    save_file(weights, tmp_path / "x.safetensors")

    outcome = run("checkpoint", "x.safetensors", "--hash")

    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == (
        f"#1 cannot be opened: it has no tensor '{SD1}text_model.encoder.layers.2.mlp.fc1.bias' "
        "(expected [128])"
    )


def test_errors(run, sd1, tmp_path):
    assert run("checkpoint", "no.safetensors") == (
        1,
        "",
        "clipcond: 'no.safetensors' cannot be read: No such file or directory\n",
    )
    assert run("checkpoint", sd1, "--part", "2") == (
        1,
        "",
        f"clipcond: {str(sd1)!r} has no text tower #2\nIt holds 1.\n",
    )
    assert run("checkpoint", sd1, "other") == (
        2,
        "",
        "clipcond: 'other' is compared with --hash\n",
    )
    torch.save(load_file(sd1), "x.ckpt")
    assert "--allow-pickle" in run("checkpoint", "x.ckpt").err
    assert (
        json.loads(run("checkpoint", "x.ckpt", "--allow-pickle", "--json").out)["family"] == "SD1"
    )


# --- hashes ---


# --- extraction ---


def test_extracting_to_a_file(run, sd3, first, second):
    assert run("checkpoint", sd3, "--extract", "g.safetensors", "--part", 2).code == 0
    found = load_file("g.safetensors")

    theirs = wrapped(second, "", torch.float32)
    assert found.keys() == theirs.keys()
    assert all(torch.equal(found[k], theirs[k]) for k in theirs)
    assert all(t.dtype == torch.float32 for t in found.values())
    with safe_open("g.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "activation": "gelu", "heads": "2"}
    assert_same(load_tower("g.safetensors"), second)
    last = run("checkpoint", sd3, "--extract", "l.safetensors", "--part", 1).out.splitlines()[-1]
    assert last == "wrote l.safetensors"
    assert load_file("l.safetensors").keys() == wrapped(first).keys()
    assert {t.dtype for t in load_file("l.safetensors").values()} == {torch.float16}


@pytest.mark.parametrize("part", [1, 2])
def test_extracting_to_a_folder(run, sd3, first, second, part):
    model, kind = {1: (first, CLIPTextModel), 2: (second, CLIPTextModelWithProjection)}[part]

    assert run("checkpoint", sd3, "--extract", "out", "--part", part).code == 0
    theirs = kind.from_pretrained("out")

    state = {k.removeprefix("text_model."): t for k, t in theirs.state_dict().items()}
    for key, tensor in bare(model, torch.float32).items():
        assert torch.equal(state[key].float(), tensor)
    assert theirs.config.eos_token_id == 49407
    assert theirs.config.hidden_act == model.config.hidden_act
    assert_same(load_tower("out"), model)
    assert_same(load_tower("out/model.safetensors"), model)


@pytest.mark.parametrize("out", ["old.safetensors", "old"])
def test_nothing_is_replaced_without_force(run, sd3, tmp_path, out):
    old = tmp_path / out if out.endswith("s") else tmp_path / out / "model.safetensors"
    old.parent.mkdir(exist_ok=True)
    old.write_bytes(b"mine")
    call = ("checkpoint", sd3, "--extract", out, "--part", 2)
    refused = run(*call)
    assert (refused.code, old.read_bytes()) == (1, b"mine")
    assert f"{out!r} exists. Say --force to replace it, or another OUT." in refused.err
    assert run(*call, "--force").code == 0
    assert old.stat().st_size > 1000


def test_what_is_not_extracted(run, sd3, sd1, tmp_path):
    assert run("checkpoint", sd3, "--extract", "x.safetensors").code == 1
    assert run("checkpoint", sd1, "--extract", sd1) == (
        1,
        "",
        f"clipcond: {str(sd1)!r} is where the tower comes from\n",
    )
    assert run("checkpoint", sd1, "--extract", "no/such/\0x.safetensors").code != 0
    assert not list(tmp_path.glob("*.partial"))


# --- what it costs ---

COSTS = """
import sys, time
start = time.perf_counter()
from clipcond.cli import main
code = main(["checkpoint", sys.argv[1], "--json"])
lines = open("/proc/self/status").read().splitlines()
peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
print(code, peak, time.perf_counter() - start, "torch" in sys.modules, file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_file_of_7_gb_is_answered_from_its_header(tmp_path, first, second):
    tensors = {
        **shapes(wrapped(first, f"{SDXL}0.transformer.")),
        **shapes(open_clip(second, f"{SDXL}1.model.")),
        **{f"model.diffusion_model.input_blocks.{i}.x": (2, 2) for i in range(2000)},
    }
    path = sparse(tmp_path / "sd_xl_base_1.0.safetensors", tensors, 7 * 10**9)

    done = subprocess.run(
        [sys.executable, "-c", COSTS, str(path)], capture_output=True, text=True, check=True
    )

    report = json.loads(done.stdout)
    code, peak, seconds, has_torch = done.stderr.split()
    print(f"{int(peak) / 1e6:.0f} MB, {float(seconds):.2f} s with imports")
    assert (code, has_torch) == ("0", "False")
    assert report["bytes"] > 7 * 10**9
    assert [tower["layout"] for tower in report["towers"]] == ["SDXL, first", "SDXL, second"]
    assert int(peak) < 200e6
