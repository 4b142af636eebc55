"""The order of the rooms, where heavy imports and magic numbers may be, and what is public."""

import ast
import dataclasses
import subprocess
import sys
from collections import Counter
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

import clipcond

ROOT = Path(clipcond.__file__).parent
FILES = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in ROOT.rglob("*.py")}
PUBLIC = [
    *("adapters", "checkpoints", "chunking", "conditioning", "pipelines", "prompt"),
    *("reading", "towers", "training", "weighting"),
]
# The numbers of OpenAI's CLIP: a tower's SpecialTokens hold them, other rooms ask for them.
CLIP_NUMBERS = {75, 77, 267, 49406, 49407, 49408}
MAY_KNOW_THEM = ("towers", "tokenizers", "checkpoints")


def test_rooms_import_lower_rooms_only(capsys, monkeypatch):
    # it would switch the loggers of all other tests off
    monkeypatch.setattr("logging.config.dictConfig", lambda settings: None)
    status = lint_imports(config_filename=str(ROOT.parent / "pyproject.toml"), no_cache=True)

    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def trees():
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def test_clips_numbers_are_in_tokenizers_and_towers_only():
    found = {
        (name, node.value)
        for name, tree in trees().items()
        if not name.startswith(MAY_KNOW_THEM)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
        and node.value in CLIP_NUMBERS
    }

    assert not found


def test_few_functions_take_or_return_just_anything():
    """`Any` by itself, of a parameter or a result; these numbers can only fall."""
    most = {"checkpoints": 4, "cli": 1, "pipelines": 6, "progress": 1, "tokenizers": 1}
    most |= {"towers": 4, "training": 3}
    found = Counter(
        name.partition(".")[0]
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        if "Any" in (getattr(each, "id", None) for each in annotations(node))
    )

    assert not {room: n for room, n in found.items() if n > most.get(room, 0)}


def annotations(function: ast.FunctionDef) -> list[ast.expr | None]:
    """List what a function's parameters, but for *args and **kwargs, and its result are."""
    given = function.args
    named = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    return [*(each.annotation for each in named), function.returns]


def test_pickles_are_read_only_if_the_user_says_so():
    """Every function that can read one refuses it unless it is asked to."""
    defaults = {
        (name, node.name): ast.literal_eval(value)
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument, value in [
            *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
            *zip(node.args.args[::-1], node.args.defaults[::-1], strict=False),
        ]
        if argument.arg == "allow_pickle" and value is not None
    }

    assert defaults
    assert not {where for where, value in defaults.items() if value is not False}


def test_no_module_has_the_name_of_a_function_that_it_defines():
    clashes = [
        name
        for name, tree in trees().items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == name.rsplit(".", 1)[-1]
    ]

    assert not clashes


def test_no_name_is_public_for_two_things():
    homes = {}
    for room in PUBLIC:
        module = import_module(f"clipcond.{room}")
        for name in module.__all__:
            homes.setdefault(name, {})[id(getattr(module, name))] = room
    two = {name: sorted(rooms.values()) for name, rooms in homes.items() if len(rooms) > 1}

    assert not two


def test_files_and_functions_are_short():
    long_files = {n: p for n, p in FILES.items() if len(p.read_text().splitlines()) > 300}
    functions = sorted(
        (n_lines(node, options=name.startswith("cli.")), f"{name}.{node.name}")
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    )

    assert not long_files
    assert functions[-1][0] <= 60, functions[-5:]
    assert functions[int(len(functions) * 0.95)][0] <= 30


def n_lines(function: ast.FunctionDef, *, options: bool) -> int:
    """Lines of a function; of a command of the CLI without its options, which are arguments."""
    first = function.body[0] if options else function
    return function.end_lineno - first.lineno + 1


def run(code: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_text_side_needs_no_torch():
    run(
        "import sys, clipcond, clipcond.prompt, clipcond.chunking, clipcond.tokenizers.base\n"
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


@pytest.mark.parametrize("package", ["", *PUBLIC])
def test_public_names_can_be_imported(package):
    module = import_module(f"clipcond.{package}".removesuffix("."))

    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_public_values_cannot_be_changed_in_place():
    """They are kept in caches and handed to several callers."""
    modules = [import_module(f"clipcond.{room}") for room in PUBLIC]
    public = [getattr(module, name) for module in modules for name in module.__all__]
    values = [each for each in public if isinstance(each, type) and dataclasses.is_dataclass(each)]

    assert len(values) > 20
    assert {v.__qualname__ for v in values if not v.__dataclass_params__.frozen} == set()


def test_the_version_is_that_of_the_package():
    assert clipcond.__version__ == version("clipcond")


def test_embedded_is_found_from_both_ends():
    from clipcond.checkpoints.opening import NAMES
    from clipcond.embedded import folder

    assert NAMES["embedded"]() == folder()
