"""Every example runs as it stands, says what it will show, and keeps to forty lines."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.training.made import few_measures

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
NEEDS = {"lora_and_inversion": ("peft",)}


def names(path):
    return path.stem


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("path", EXAMPLES, ids=names)
def test_it_is_short_and_says_what_it_shows(path):
    source = path.read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]

    assert len(source.splitlines()) <= 40
    assert re.search(r"\b([Pp]rints|[Ss]aves)\b", first)


SLOW = (
    *("align_a_tower", "clip_skip", "compose_with_and", "controlnet", "custom_pipeline"),
    *("attach_to_a_pipeline", "long_prompt", "picture_grid", "picture_grid_zh"),
    *("heat_maps", "prompts_over_time", "regions", "vary_a_picture"),
)


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in SLOW)) for p in EXAMPLES],
    ids=names,
)
def test_it_runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(path.parent)  # as Python does for a script
    for package in NEEDS.get(path.stem, ()):
        pytest.importorskip(package)
    with few_measures():
        runpy.run_path(str(path), run_name="__main__")

    promised = re.findall(
        r"\bsaves (\w+\.\w+)", ast.get_docstring(ast.parse(path.read_text())), re.I
    )
    assert sorted(made.name for made in tmp_path.iterdir()) == sorted(promised)
    for made in tmp_path.glob("*.png"):
        with Image.open(made) as image:
            low, high = image.convert("L").getextrema()
            assert high - low > 30  # a picture, not one colour
    printed = capsys.readouterr().out
    assert printed.strip()
    if path.stem == "attach_to_a_pipeline":  # what should change does, and nothing else
        assert [line.split(": ")[1] for line in printed.splitlines()] == ["True"] * 4


def test_parsing_needs_no_torch():
    path = next(path for path in EXAMPLES if path.stem == "parse_a_prompt")
    code = f"import runpy, sys; runpy.run_path({str(path)!r}); assert 'torch' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
