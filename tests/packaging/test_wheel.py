"""The wheel holds the package and nothing else, and its types reach a user's program."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]

CORRECT = """
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from clipcond import Conditioner, attach, build_pipeline, detach

pipe = build_pipeline(clip_skip=2, tower="embedded-zh")
conditioner: Conditioner = pipe.conditioner
n_chunks: int = len(pipe.conditioner.chunks("a (red:1.3) fox"))
image = pipe("a fox", negative_prompt="blurry").images[0]
pipe.to("cpu").conditioner.inversions
pipe.enable_vae_tiling()
width: int = pipe.unet.config["cross_attention_dim"]
mine = StableDiffusionPipeline.from_pretrained("folder")
attach(attach(mine, dialect="comfyui"), weighting="scale").conditioner.explain("a fox").table()
detach(mine).enable_model_cpu_offload()
attach(DiffusionPipeline.from_pretrained("folder")).save_pretrained("saved")
"""
WRONG = """
from clipcond import attach, build_pipeline

pipe = build_pipeline()
attach(1, 2, nonsense=True)  # error
attach("a folder")  # error
build_pipeline(clip_skip="two")  # error
pipe.conditioner.nothing  # error
build_pipeline().conditioner.chunks(2)  # error
attach(pipe, adapter=2)  # error
"""
WRONG_LINES = [n for n, line in enumerate(WRONG.splitlines(), 1) if line.endswith("# error")]

# Types of these are none of ours, and take mypy a minute; pyright reads them.
MYPY_CONFIG = """
[mypy]
strict = True
warn_unused_ignores = False
[mypy-torch.*,transformers.*,diffusers.*,safetensors.*,PIL.*,rich.*,typer.*,huggingface_hub.*]
follow_imports = skip
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The ordinary wheel and the editable one, built without a network."""
    folder = tmp_path_factory.mktemp("wheels")
    found = {}
    for version, target in (("standard", "wheel"), ("editable", "wheel:editable")):
        command = ["hatchling", "build", "--target", target, "--directory", folder / version]
        run(*command, cwd=ROOT)
        (found[version],) = (folder / version).glob("*.whl")
    return found


def run(module, *arguments, cwd, ok=(0,)):
    """Run a module of this Python without the sources on its path."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=cwd,
        env={**kept, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in ok, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["standard", "editable"])
def program_folder(request, wheels, tmp_path_factory):
    """A folder with two programs, and an environment of the wheel and this one's packages."""
    folder = tmp_path_factory.mktemp(request.param)
    venv.create(folder / "env", with_pip=False)
    (site,) = (folder / "env").glob("lib/python*/site-packages")
    options = ("--no-deps", "--no-index", "--quiet", "--target", site)
    run("pip", "install", *options, wheels[request.param], cwd=folder)
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "mypy.ini").write_text(MYPY_CONFIG)
    (folder / "correct.py").write_text(CORRECT)
    (folder / "wrong.py").write_text(WRONG)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_only_the_package(wheels):
    names = ZipFile(wheels["standard"]).namelist()
    tops = {name.split("/")[0] for name in names}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"clipcond"}
    assert len(tops) == 2
    assert {"clipcond/py.typed", "clipcond/pipelines/self_attaching.py"} <= set(names)
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "clipcond").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources
    models = {"clipcond/embedded/model/unet/diffusion_pytorch_model.safetensors"}
    models |= {"clipcond/embedded/zh/adapter.safetensors", "clipcond/embedded/LICENSES.md"}
    models |= {"clipcond/embedded/images/adapter.safetensors"}
    models |= {"clipcond/pipelines/configs/sd1/model_index.json"}
    assert models <= set(names)


@pytest.mark.slow
def test_mypy_reads_its_types(program_folder):
    python = ("--python-executable", program_folder / "env/bin/python", "--no-error-summary")
    programs = ("correct.py", "wrong.py")
    found = run("mypy", *python, *programs, cwd=program_folder, ok=(0, 1)).splitlines()
    lines = [int(line.split(":")[1]) for line in found if re.match(r"wrong\.py:\d+: error: ", line)]
    assert sorted(set(lines)) == WRONG_LINES, found
    assert [line for line in found if not line.startswith("wrong.py:")] == []


@pytest.mark.slow
def test_pyright_reads_its_types(program_folder):
    python = ("--pythonpath", program_folder / "env/bin/python", "--outputjson")
    found = json.loads(run("pyright", *python, cwd=program_folder, ok=(0, 1)))
    errors = [each for each in found["generalDiagnostics"] if each["severity"] == "error"]
    in_wrong = [each for each in errors if each["file"].endswith("wrong.py")]

    assert [each for each in errors if each not in in_wrong] == []
    lines = {each["range"]["start"]["line"] + 1 for each in in_wrong}
    assert sorted(lines) == WRONG_LINES
