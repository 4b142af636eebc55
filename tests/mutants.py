"""Change one operator, number or condition of the package at a time, and see whether a test fails.

    python -m tests.mutants --n 150 --seed 0 [--rooms prompt,weighting] [--coverage FILE] [--show]

The tests of each room must pass without a mutant first. Each mutant runs in a fork of a process
that has torch and transformers in memory, first the tests of its room, then, if it survives these,
all others but the slow ones. Prints survivors with file and line: look at each, for some change
nothing. Not part of the test run: it takes hours, or one with `--coverage`, a file that coverage
wrote with `dynamic_context = "test_function"`: tests that reach the line of a mutant run first, and
of the others only those of its room.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.machinery
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).parent.parent
ROOMS = (
    *("prompt", "tokenizers", "chunking", "towers", "weighting", "checkpoints", "adapters"),
    *("conditioning", "pipelines", "training"),
)
TESTS = {  # of each room: its own folder, then the golden data
    "prompt": ["tests/prompt", "tests/parity"],
    "tokenizers": ["tests/tokenizers", "tests/chunking", "tests/towers", "tests/conditioning"],
    "chunking": ["tests/chunking", "tests/conditioning", "tests/parity"],
    "towers": ["tests/towers", "tests/conditioning", "tests/checkpoints"],
    "weighting": ["tests/weighting", "tests/conditioning", "tests/parity"],
    "checkpoints": ["tests/checkpoints", "tests/towers"],
    "adapters": ["tests/adapters", "tests/pipelines"],
    "conditioning": ["tests/conditioning", "tests/parity", "tests/adapters"],
    "pipelines": ["tests/pipelines"],
    "training": ["tests/training"],
}
TIMES = 5  # as long as without a mutant: then it does not end
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """One changed node of one file."""

    path: Path
    line: int
    what: str
    code: ast.Module

    @property
    def room(self) -> str:
        return self.path.relative_to(ROOT / "clipcond").parts[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.what}"


def sites(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that can be changed: no annotations, messages, names of `__all__`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.AnnAssign | ast.Assert):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.FunctionDef):
            waiting += [*node.body, *node.args.defaults, *filter(None, node.args.kw_defaults)]
            continue
        if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp | ast.Constant | ast.UnaryOp):
            yield node
        waiting += ast.iter_child_nodes(node)


def change(node: ast.AST) -> str:
    """Change a node in place and say how; empty if it cannot be changed."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        old, new = type(node.ops[0]), SWAPS[type(node.ops[0])]
        node.ops[0] = new()  # type: ignore[assignment]
    elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        old, new = type(node.op), SWAPS[type(node.op)]
        node.op = new()  # type: ignore[assignment]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
        return "not x -> x"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        before = node.value
        node.value = (not before) if isinstance(before, bool) else before + 1
        return f"{before} -> {node.value}"
    else:
        return ""
    return f"{old.__name__} -> {new.__name__}"


def mutants(rooms: list[str], n: int, seed: int) -> list[Mutant]:
    """n mutants, drawn from all places that can be changed."""
    places = []
    for room in rooms:
        for path in sorted((ROOT / "clipcond" / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found = enumerate(sites(tree))
            places += [(path, i) for i, node in found if change(copy.deepcopy(node))]
    drawn: list[Mutant] = []
    for path, i in random.Random(seed).sample(places, min(n, len(places))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        node = list(sites(tree))[i]
        line, what = getattr(node, "lineno", 0), change(node)
        drawn.append(Mutant(path, line, what, ast.fix_missing_locations(tree)))
    return drawn


def reaching(mutant: Mutant, data: CoverageData) -> list[str]:
    """List the tests that run the line of a mutant, those of its room first."""
    by_line = data.contexts_by_lineno(str(mutant.path))
    found = set()
    for context in by_line.get(mutant.line, []):
        module, _, name = context.partition(".test_")
        file, _, name = f"test_{name}".partition(".")
        path = f"{module.replace('.', '/')}/{file}.py"
        if (ROOT / path).exists():
            found.add(f"{path}::{name.replace('.', '::')}")
    return sorted(found, key=lambda test: (not test.startswith(f"tests/{mutant.room}/"), test))


def is_killed(mutant: Mutant | None, tests: list[str], seconds: float = 3600) -> bool:
    """Whether a test fails, or does not end in time, with this mutant in place of the file.

    None runs the tests without any change, which they must survive.
    """
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        run(mutant, tests)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def run(mutant: Mutant | None, tests: list[str]) -> None:
    """Run tests in this process, and end it with pytest's exit code."""
    import pytest

    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, name: str) -> object:
        if mutant is not None and Path(self.path) == mutant.path:
            return compile(mutant.code, self.path, "exec")
        return original(self, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    options = ["-x", "-q", "-n0", "-pno:cacheprovider", "--assert=plain", "--hypothesis-seed=0"]
    os._exit(int(pytest.main([*options, *tests])))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", default=",".join(ROOMS))
    parser.add_argument("--share", default="0/1", help="i/k: every k-th mutant from the i-th")
    parser.add_argument("--coverage", help="data of coverage with the tests that reach each line")
    parser.add_argument("--show", action="store_true", help="only list the mutants")
    choices = parser.parse_args()
    os.chdir(ROOT)
    index, step = map(int, choices.share.split("/"))
    drawn = mutants(choices.rooms.split(","), choices.n, choices.seed)[index::step]
    if choices.show:
        print(*drawn, sep="\n")
        return 0
    import diffusers  # noqa: F401
    import hypothesis  # noqa: F401
    import torch
    import transformers  # noqa: F401

    torch.set_num_threads(1)
    data = CoverageData(choices.coverage) if choices.coverage else None
    if data:
        data.read()
    limits = {}
    for room in sorted({mutant.room for mutant in drawn}):
        start = time.monotonic()
        if is_killed(None, TESTS[room]):
            print(f"the tests of {room} fail without a mutant", file=sys.stderr)
            return 1
        limits[room] = 60 + TIMES * (time.monotonic() - start)
    survivors = []
    for number, mutant in enumerate(drawn, 1):
        own, limit = TESTS[mutant.room], limits[mutant.room]
        others = [t for tests in TESTS.values() for t in tests if t not in own]
        near = reaching(mutant, data) if data else []
        killed = bool(near) and is_killed(mutant, near, 2 * limit)
        killed = killed or is_killed(mutant, own, limit)
        killed = killed or (not data and is_killed(mutant, list(dict.fromkeys(others))))
        if not killed:
            survivors.append(mutant)
        print(f"{number}/{len(drawn)} {'killed' if killed else 'SURVIVES'} {mutant}", flush=True)
    print(f"{len(drawn) - len(survivors)} of {len(drawn)} killed; survivors:", *survivors, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
