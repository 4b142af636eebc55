"""The blocks of code in README and docs, and how each kind is run and checked.

In a Python block, the page shows what a statement prints in comments: on its last line, and on the
lines below. For a shell block it shows the output in a block of `text` right below. `...` at the
end of a line matches any rest, a line of `...` any lines.

    <!-- not run: why -->     above a block: not run; its commands are still parsed
    <!-- warns: text -->      above a block: it gives a ClipcondWarning that contains the text
"""

from __future__ import annotations

import ast
import io
import re
import shlex
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from clipcond.cli.entry import app, main
from clipcond.errors import ClipcondWarning

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / "README.md", ROOT / "README.zh.md"),
    *ROOT.glob("CONTRIBUTING.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
]
TOOLS = ("pytest", "ruff", "mypy", "mkdocs", "nox", "pre-commit")
RUN = ("python", "bash")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (not run|warns): (.+?) -->\s*\Z")
_PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its first line of code, `shown` a shell's output."""

    page: Path
    line: int
    language: str
    code: str
    reason: str = ""
    warning: str = ""
    shown: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Every block of a page in a language that runs."""
    text = page.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    found = []
    for fence, following in zip(fences, [*fences, None][1:], strict=True):
        if fence[1] not in RUN:
            continue
        mark = _MARK.search(text[: fence.start()])
        marks = {mark[1]: mark[2]} if mark else {}
        is_output = (
            following is not None
            and (fence[1], following[1]) == ("bash", "text")
            and not text[fence.end() : following.start()].strip()
        )
        shown = following[2] if is_output else None
        line = text[: fence.start(2)].count("\n") + 1
        reason, warning = marks.get("not run", ""), marks.get("warns", "")
        found.append(Block(page, line, fence[1], fence[2], reason, warning, shown))
    return found


def run(block: Block, names: dict[str, Any]) -> list[str]:
    """Run a block in the current folder.

    Args:
        names: what earlier Python blocks of the page defined; changed.
    Returns:
        where it fails, or prints or warns of something else than the page shows.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ClipcondWarning)
        errors = io.StringIO()
        with redirect_stderr(errors):
            if block.language == "python":
                failures = list(_run_python(block, names))
            else:
                failures = list(_run_shell(block))
    said = [str(each.message) for each in caught if issubclass(each.category, ClipcondWarning)]
    said += [line for line in errors.getvalue().splitlines() if "clipcond: warning" in line]
    is_said = any(block.warning in each for each in said) if block.warning else not said
    return failures if is_said else [*failures, f"{block.place}: warnings are {said}"]


def check_unrun(block: Block) -> None:
    """A block that is not run: Python compiles, options of commands are those that there are."""
    assert block.reason
    if block.language == "python":
        ast.parse(block.code)
        return
    for words in commands(block.code):
        if "clipcond" in words:
            _context(words[words.index("clipcond") + 1 :])
        else:
            _check_tool(block, words)


def _run_python(block: Block, names: dict[str, Any]) -> Iterator[str]:
    shown = _comments(block.code)
    for statement in ast.parse(block.code).body:
        last = statement.end_lineno or statement.lineno
        ast.increment_lineno(statement, block.line - 1)
        code = compile(ast.Module([statement], []), str(block.page), "exec")
        out = io.StringIO()
        try:
            with redirect_stdout(out):
                exec(code, names)
        except Exception as error:
            yield f"{block.page.name}:{statement.lineno}: {type(error).__name__}: {error}"
        if out.getvalue():
            yield from _differences(block, out.getvalue(), "\n".join(_below(shown, last)))


def _comments(code: str) -> dict[int, tuple[str, bool]]:
    """Line -> its comment, and whether the line has nothing else."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.removeprefix("#").removeprefix(" ")
            found[token.start[0]] = (text, not token.line[: token.start[1]].strip())
    return found


def _below(comments: dict[int, tuple[str, bool]], line: int) -> Iterator[str]:
    if line in comments:
        yield comments[line][0]
    while comments.get(line := line + 1, ("", False))[1]:
        yield comments[line][0]


def _run_shell(block: Block) -> Iterator[str]:
    out = io.StringIO()
    for words in commands(block.code):
        if words[0] == "clipcond":
            with redirect_stdout(out):
                code = main(words[1:])
            if code:
                yield f"{block.place}: {shlex.join(words)} ends with {code}"
        else:
            _check_tool(block, words)
    if block.shown is not None:
        yield from _differences(block, out.getvalue(), block.shown)


def commands(code: str) -> list[list[str]]:
    """The commands of a shell block, cut at `&&`."""
    found = []
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            stop = words.index("&&") if "&&" in words else len(words)
            found.append(words[:stop])
            words = words[stop + 1 :]
    return found


def _check_tool(block: Block, words: list[str]) -> None:
    """Commands that are not ours: what they name must be there."""
    place = f"{block.place}: {shlex.join(words)}"
    tool, *rest = words
    if tool == "pip":
        assert rest[0] == "install", place
        _check_packages(place, [word for word in rest[1:] if not word.startswith("-")])
    elif tool == "python" and rest[0] == "-m":
        path = ROOT / Path(*rest[1].split("."))
        assert path.with_suffix(".py").is_file() or path.is_dir(), place
    elif tool == "python":
        assert (ROOT / rest[0]).is_file(), place
    elif tool == "accelerate":
        assert '"accelerate' in _PROJECT, place
        _context(rest[rest.index("clipcond") + 1 :])
    else:
        assert tool in TOOLS, f"{place}: an unknown command"


def _check_packages(place: str, packages: list[str]) -> None:
    for package in packages:
        found = re.fullmatch(r"(\.|clipcond)(?:\[([\w,]+)\])?|(torch|ftfy)", package)
        assert found, f"{place}: {package!r}"
        for extra in (found[2] or "").split(","):
            assert not extra or re.search(rf"^{extra} = \[", _PROJECT, re.MULTILINE), place


def _context(arguments: list[str]) -> None:
    """Parse the options of a clipcond command, and do nothing."""
    group = typer.main.get_command(app)
    command = group.commands[arguments[0]]  # type: ignore[attr-defined]
    command.make_context(arguments[0], list(arguments[1:]))


def _differences(block: Block, out: str, shown: str) -> Iterator[str]:
    """What was printed against what the page shows; nothing where they agree."""
    lines = [line.rstrip() for line in out.rstrip("\n").splitlines()]
    patterns = [line.rstrip() for line in shown.rstrip("\n").splitlines()]
    pattern = "\n".join(
        r"(?:.*\n)*?.*" if line == "..." else re.escape(line).replace(r"\.\.\.", r"[^\n]*")
        for line in patterns
    )
    if not re.fullmatch(pattern, "\n".join(lines)):
        yield f"{block.place} prints\n{out}\nbut the page shows\n{shown}"
