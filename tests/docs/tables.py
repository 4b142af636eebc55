"""The tables of the pages that come from the code, each between its markers.

python -m tests.docs.tables        rewrites the pages; a test holds both together
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import clipcond
from clipcond.conditioning import dialects
from clipcond.conditioning.dialects import DIALECTS, Dialect
from clipcond.errors import PromptError
from clipcond.pipelines.schedulers import ROWS, with_schedule_types
from clipcond.prompt import SYNTAXES, Break, ParsedPrompt, parse
from clipcond.weighting import NORMALIZATIONS, WEIGHTINGS
from tests.docs import pipeline_table, tower_table
from tests.docs.files_of_a_prompt import files_of_a_prompt
from tests.pipelines.features import COLUMNS as COLUMNS_OF_FEATURES

ROOT = Path(clipcond.__file__).parent
PAGES = sorted((ROOT.parent / "docs").rglob("*.md"))

READINGS = (
    "(red:1.3) cat",
    "((foo:1.1))",
    "(a (b:0.5) c:2)",
    "[a]",
    "(a",
    "a) (b:1.2)",
    "(a: 1.3)",
    "(a:1e1)",
    "(a:1.2.3)",
    "(a:nan)",
    "x BREAK y",
    "(x BREAK y:1.3)",
    "(a)(b)",
    "cat++ (a b)0.5",
    "{a} 1.3::b::",
    '("a", "b").blend(3, 1)',
    "",
)
COLUMNS = ("a1111", "comfyui", "compel", "sd_embed", "lpw", "lpw_xl", "novelai", "plain")
HEADINGS = {"lpw_xl": "lpw, SDXL", "plain": "diffusers, plain"}


def readings() -> str:
    """Rows of prompts, a column for each syntax."""
    assert {*COLUMNS, "diffusers"} == set(SYNTAXES)
    rows = [[_code(prompt) or "*empty*", *_cells(prompt)] for prompt in READINGS]
    return table(["prompt", *(HEADINGS.get(name, name) for name in COLUMNS)], rows)


def weightings() -> str:
    """The rules' own words for what they do."""
    names: dict[Any, list[str]] = {}
    for name, rule in WEIGHTINGS.items():
        names.setdefault(rule, []).append(name)
    rows = [
        [", ".join(map(_code, aliases)), *_summary(rule), ", ".join(_users(aliases)) or "-"]
        for rule, aliases in names.items()
    ]
    return table(["`weighting=`", "what it does", "formula", "dialects"], rows)


def normalizations() -> str:
    """What happens to weights before a rule, in the functions' own words."""
    rows = []
    for name, function in NORMALIZATIONS.items():
        doc = inspect.getdoc(function) if function else "Leave weights as they are written."
        first = _paragraphs(doc or "")[0]
        users = [row.name for row in _rows() if row.normalize == name]
        rows.append([_code(name), first, ", ".join(dict.fromkeys(users)) or "-"])
    return table(["`normalize=`", "what it does", "dialects"], rows)


def clip_skips() -> str:
    """The table in the docstring of clipcond.conditioning.dialects."""
    block = _block(inspect.getdoc(dialects) or "", "    tool ")
    heading, *rows = [re.split(r"\s{2,}", line.strip()) for line in block]
    return table([heading[0], *(f"`clip_skip={n}`" for n in heading[1:])], rows)


def deviations() -> str:
    """Every paragraph of a docstring in the package that begins with Deviation."""
    rows = []
    for path in sorted(ROOT.rglob("*.py")):
        for name, text in _docstrings(path):
            rows += [[_code(name or path.stem), found] for found in _deviations(text)]
    return table(["where", "what is done otherwise"], rows)


def tower_sizes() -> str:
    """The towers that the package has, and what they fit."""
    heading = ["tower", "class", "opened from", "width", "context"]
    rows = map(tower_table.cells, tower_table.shown())
    return table([*heading, "UNets it fits by shape", "by meaning: trained with it"], rows)


def pipelines() -> str:
    """The pipelines that are attached, by families."""
    gets = "what goes through the Conditioner"
    heading = ["family, classes", gets, "prompts over time", "classes"]
    return table(heading, pipeline_table.accepted_cells())


def refused_pipelines() -> str:
    """The pipelines that read CLIP text and are refused, by reasons."""
    return table(["why", "classes"], pipeline_table.refused_cells())


def features() -> str:
    """What is drawn beside prompts, for some classes."""
    return table(["feature", *COLUMNS_OF_FEATURES], pipeline_table.feature_cells())


def walk() -> str:
    """The files of the package that one prompt passes, and the first line of their docstrings."""
    rows = []
    for name in files_of_a_prompt():
        text = ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8"))) or "-"
        rows.append([_code(f"clipcond/{name}"), _paragraphs(text)[0]])
    numbered = ([str(number), *row] for number, row in enumerate(rows, 1))
    return table(["#", "file", "what it is"], numbered)


def schedulers() -> str:
    """A1111's samplers and schedule types, and what they are in diffusers."""
    rows = []
    for row in ROWS:
        made = ", ".join(f"{name}={value!r}" for name, value in row.arguments.items())
        types = ", ".join(each.schedule_type for each in with_schedule_types(row)[1:]) or "-"
        rows.append([row.sampler, _code(f"{row.class_name}({made})"), types])
    return table(["sampler", "in diffusers", "schedule types besides its usual one"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "readings": readings,
    "weightings": weightings,
    "normalizations": normalizations,
    "clip skips": clip_skips,
    "deviations": deviations,
    "towers": tower_sizes,
    "pipelines": pipelines,
    "refused pipelines": refused_pipelines,
    "features": features,
    "files of a prompt": walk,
    "schedulers": schedulers,
}


def markers(name: str) -> tuple[str, str]:
    """The comments above and below a table in a page."""
    return f"<!-- {name}: python -m tests.docs.tables -->\n", f"<!-- end of {name} -->"


def updated(text: str) -> str:
    """The text of a page with every table between its markers renewed."""
    for name, make in TABLES.items():
        begin, end = markers(name)
        if begin not in text:
            continue
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        assert found, f"the table of {name} has no end"
        text = f"{before}{begin}\n{make()}\n\n{end}{after}"
    return text


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heading), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(
        "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in line) + " |"
        for line in lines
    )


def _cells(prompt: str) -> list[str]:
    return [_read(prompt, name) for name in COLUMNS]


def _read(prompt: str, syntax: str) -> str:
    """What a syntax makes of a prompt, in one cell."""
    try:
        parsed = parse(prompt, syntax)
    except PromptError:
        return "error"
    mixture = parsed.mixture
    if mixture is None:
        return _said(parsed)
    parts = zip(mixture.prompts, mixture.weights, strict=True)
    return f"{mixture.mode} of " + ", ".join(f"{_said(each)} ({w:g})" for each, w in parts)


def _said(parsed: ParsedPrompt) -> str:
    said = []
    for part in parsed.parts:
        if isinstance(part, Break):
            said.append("*new chunk*")
        elif part.text.strip():
            said.append(_code(part.text.strip()) + f" {part.weight:.4g}" * (part.weight != 1.0))
    return ", ".join(said) or "*nothing*"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _summary(rule: Any) -> tuple[str, str]:
    """What a rule's docstring says first, and its formula: the paragraph behind that."""
    function, *choices = _functions(getattr(rule, "apply", rule))
    first, *rest = _paragraphs(inspect.getdoc(function) or "")
    chosen = [_paragraphs(inspect.getdoc(each) or "")[0] for each in choices]
    formula = re.split(r"[,.]? [Ii]n float32", rest[0])[0].removesuffix(".") if rest else ""
    return " ".join([first, *chosen]), formula if "=" in formula else "-"


def _functions(function: Any) -> list[Any]:
    """A function, and those that it was given beforehand."""
    if not isinstance(function, partial):
        return [function]
    given = [each for each in function.args if callable(each)]
    return [found for each in (function.func, *given) for found in _functions(each)]


def _users(aliases: list[str]) -> list[str]:
    """The dialects that weigh by a rule."""
    return list(dict.fromkeys(row.name for row in _rows() if row.weighting in aliases))


def _rows() -> list[Dialect]:
    """The rows of all dialects, those for a pair of towers included."""
    return [*DIALECTS.values(), *(row.pair for row in DIALECTS.values() if row.pair)]


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip())]


def _block(text: str, start: str) -> list[str]:
    """The lines of a docstring from the one that starts so, up to an empty line."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    stop = next((i for i in range(first, len(lines)) if not lines[i]), len(lines))
    return lines[first:stop]


def _docstrings(path: Path) -> Iterable[tuple[str, str]]:
    """(name, docstring) of a file ("" for the module's own) and of all that is defined in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield getattr(node, "name", ""), ast.get_docstring(node) or ""


def _deviations(text: str) -> list[str]:
    found = re.search(r"(?:^|(?<=\s))Deviations?\b(?=[:,])(.*?)(?:\n\s*\n|\Z)", text, re.DOTALL)
    if not found:
        return []
    items = re.split(r"(?:^|\n)\* ", found[1].lstrip(":, "))
    return [" ".join(item.split()) for item in items if item.strip()]


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
