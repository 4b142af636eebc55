"""The house's floors: who may import whom, where heavy imports and magic numbers may stand."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import clipcond
from clipcond import adapters, towers

ROOT = Path(clipcond.__file__).parent
PIPELINES = Path(clipcond.__path__[0]).parent / "pipelines"

# Floor of each file or folder; a file imports from lower floors only. Within a folder, files import
# the folder's own ground floor (BASES), never each other.
FLOORS = {
    "errors": 0,
    "prompt": 1,
    "tokens": 2,
    "chunking": 2.5,  # chunks are made of tokens
    "towers": 3,
    "weighting": 4,
    "cache": 4,
    "dialects": 5,
    "adapters": 5,
    "inputs": 5,
    "report": 5,
    "checkpoint_report": 5,
    "notices": 5,
    "layout": 5.5,  # cuts prompts as a dialect has it
    "conditioning": 5.6,  # puts together what was laid out
    "adapting": 5.7,
    "conditioner": 6,
    "embedded": 6,
    "pipelines": 7,
    "terminal": 7,
    "png": 7,
    "checkpoint_command": 7.5,
    "align_command": 7.5,
    "tune_command": 7.5,
    "cli": 8,
    "__main__": 9,
    "": 9,  # clipcond/__init__.py: names only, loaded on use
}
BASES = {
    "prompt": ["segments", "fullwidth", "scanner", "nesting", "emphasis", "phrases", "fragments"],
    "towers": [
        *("activation", "header", "forms", "layouts", "contents", "torchscript", "pickles"),
        *("opening", "beside"),
        "base",
        "state",
        "stored",
        "files",
        "model_tower",
        "inversion",
        "wrapped_tokenizer",
        "clip_bpe",
        "word_piece",
        "reading",
        *("sentence_piece", "text_half"),
        "cn_clip_layout",
        "long_clip",
        *("identity", "extraction"),
        "openai_clip",  # what other files' weights are mapped into
        "open_clip_tokens",
        "open_clip_layout",
        "open_clip_mapping",
        "open_clip_text",
    ],
    "weighting": ["rule", "lerp"],
    "adapters": [
        *("record", "stated", "foreign", "fingerprints"),
        *("base", "linear", "resampler", "kinds", "files", "placed"),
    ],
}
# They make towers, each kind imported when it is asked for.
MAKERS = {"towers.checkpoints", "towers.single_file", "towers.clip_files"}
# They answer from a header, and leave torch to what reads weights.
CHECKPOINT = ("checkpoint_report", "checkpoint_command")
# The numbers of OpenAI's CLIP: a tower's SpecialTokens say them, nothing else knows them.
MAGIC = {75, 77, 267, 49406, 49407, 49408}


def modules() -> dict[str, Path]:
    """Dotted name below clipcond -> file, pipelines included."""
    found = {}
    for base, prefix in ((ROOT, ()), (PIPELINES, ("pipelines",))):
        for path in base.rglob("*.py"):
            parts = (*prefix, *path.relative_to(base).with_suffix("").parts)
            found[".".join(p for p in parts if p != "__init__")] = path
    return found


MODULES = modules()


def imports(path: Path, name: str) -> set[str]:
    """Absolute names of all that a file imports, anywhere in it, except under TYPE_CHECKING."""
    found = set()
    for node in walk_running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            found.update(origin(str(node.module), alias.name) for alias in node.names)
    return found


def origin(module: str, name: str) -> str:
    """The module that `from module import name` really loads."""
    if f"{module}.{name}".removeprefix("clipcond.") in MODULES:
        return f"{module}.{name}"
    homes = {
        "clipcond": clipcond._HOMES,
        "clipcond.towers": towers._HOMES,
        "clipcond.adapters": adapters._HOMES,
    }
    home = homes.get(module, {}).get(name)
    return f"{module}.{home}" if home else module


def walk_running(tree: ast.AST):
    """All nodes but those that only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        waiting.extend(node.orelse if is_typing else ast.iter_child_nodes(node))


def room(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_file_imports_from_lower_floors_only(name):
    assert room(name) in FLOORS, f"{name} has no floor"
    for target in imports(MODULES[name], name):
        if not target.startswith("clipcond."):  # another package, or a plain `import clipcond`
            continue
        other = target.removeprefix("clipcond.")
        assert other in MODULES, f"{name} imports {target}, which is no module"
        if room(other) != room(name):
            assert FLOORS[room(other)] < FLOORS[room(name)], f"{name} imports upstairs: {other}"


@pytest.mark.parametrize("name", sorted(n for n in MODULES if room(n) in BASES and "." in n))
def test_siblings_do_not_know_each_other(name):
    folder, own = name.split(".", 1)
    order = BASES[folder]
    allowed = order[: order.index(own)] if own in order else order
    if name in MAKERS:
        allowed = [*allowed, *(n.split(".")[1] for n in MODULES if n.startswith("towers."))]
    for target in imports(MODULES[name], name):
        if target.startswith(f"clipcond.{folder}."):
            sibling = target.split(".", 2)[2]
            assert sibling in allowed, f"{name} imports its sibling {sibling}"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_heavy_imports_stand_where_they_belong(name):
    tops = {target.split(".")[0] for target in imports(MODULES[name], name)}

    if room(name) not in ("pipelines", "cli"):
        assert "diffusers" not in tops
    if room(name) in ("prompt", "errors"):
        assert tops <= {*sys.stdlib_module_names, "clipcond"}
    if room(name) in ("tokens", "chunking", "", "__main__", "inputs", "dialects", *CHECKPOINT):
        assert not tops & {"torch", "transformers", "diffusers", "numpy"}
    if room(name) not in ("towers", "pipelines", "adapters", "embedded"):
        assert "transformers" not in tops


@pytest.mark.parametrize("name", sorted(n for n in MODULES if room(n) != "towers"))
def test_clips_numbers_live_in_towers_only(name):
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    numbers = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)} - {True, False}

    assert not {n for n in numbers if isinstance(n, int | float) and n in MAGIC}


def run(code: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_text_side_needs_no_torch():
    run(
        "import sys, clipcond, clipcond.prompt, clipcond.chunking\n"
        "clipcond.parse('a (red:1.3) cat'), clipcond.schedule('[a:b:0.5]', 10)\n"
        "heavy = {'torch', 'transformers', 'diffusers', 'numpy', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )


def test_a_conditioner_needs_no_diffusers():
    run(
        "import sys\n"
        "from clipcond import Conditioner, load_tower\n"
        "assert 'diffusers' not in sys.modules\n"
        "assert 'rich' not in sys.modules"
    )


def test_public_names_are_those_that_can_be_imported():
    for name in clipcond.__all__:
        assert getattr(clipcond, name) is not None
    assert set(clipcond.__all__) <= set(dir(clipcond))
    assert clipcond.__version__ == version("clipcond")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        clipcond.nothing  # noqa: B018


@pytest.mark.parametrize("package", [towers, adapters])
def test_public_names_of_a_room(package):
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert dir(package) == package.__all__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_embedded_is_found_from_both_ends():
    from clipcond.embedded import folder
    from clipcond.towers.checkpoints import NAMES

    assert NAMES["embedded"]() == folder()
