"""Help, convert, checkpoint and inspect run without the heavy libraries."""

import json
import subprocess
import sys
from shutil import copytree

import pytest
from safetensors.torch import save_file

from clipcond import embedded
from tests.checkpoints.made_files import unet

COMMANDS = (
    "generate expand vary inspect convert checkpoint parameters classify score search interrogate "
    "app align tune-tower"
).split()
CODE = """
import json, sys
from clipcond.cli import main
for argv in json.loads(sys.argv[1]):
    code = main(argv)
    heavy = {"torch", "transformers", "diffusers", "PIL", "numpy"} & set(sys.modules)
    print(argv, code, heavy, file=sys.stderr)
"""


@pytest.mark.slow
def test_light_commands_import_nothing_heavy(tmp_path):
    save_file(unet(768), tmp_path / "unet.safetensors")
    for part in ("text_encoder", "tokenizer"):
        copytree(embedded.folder() / part, tmp_path / "model" / part)
    calls = [
        ["--help"],
        *([command, "--help"] for command in COMMANDS),
        ["convert", "a (red:1.3) cat", "--to", "comfyui"],
        ["expand", "a {red|blue} cat", "--combinations"],
        ["checkpoint", "unet.safetensors"],
        ["inspect", "a (red:1.3) xylophone", "-n", "[a:b:0.5] AND c"],
        ["inspect", "猫 (red:1.3)", "--tower", "embedded-zh", "--json"],
        ["inspect", "a cat", "--model", "model", "--dialect", "compel"],
        ["inspect", "a (cat:1.3)", "--html", "page.html"],
        ["inspect", "a", "--against", "b", "--against-dialect", "compel", "--html", "-"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(calls)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.stderr.splitlines() == [f"{argv} 0 set()" for argv in calls]
    assert "Usage: clipcond" in done.stdout
    assert all(f"Usage: clipcond {command}" in done.stdout for command in COMMANDS)
    assert "a (red:1.3) cat\n" in done.stdout
    assert "No text tower is in it.\n" in done.stdout
