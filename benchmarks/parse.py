"""Time the parser of every syntax beside compel's own, from text to weighted fragments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.measuring import Options, Table, best_of, exponent
from benchmarks.prompt_text import text
from clipcond.prompt import SYNTAXES, convert, parse

THEIRS = "compel's own"
GROWING: dict[str, Callable[[int], str]] = {
    "nested brackets": lambda n: "(" * n + "a" + ")" * n,
    "`(a `": lambda n: "(a " * n,
    "`\\(`": lambda n: "\\(" * n,
    "`)`": lambda n: ")" * n,
    "weighted runs": lambda n: "(red cat:1.3), " * n,
    "signed runs": lambda n: "(red cat)1.3 dog++ " * n,
    "commas": lambda n: "a," * n,
}
Parser = Callable[[str], object]


def measure(options: Options) -> list[Table]:
    """Compare with compel's parser; measure growth with length and depth, and extremes."""
    theirs, missing = _compel_parser()
    return [
        _beside_compel(theirs, missing, options),
        _nesting(theirs, missing, options),
        _growth(options),
        _extremes(options),
    ]


def _compel_parser() -> tuple[Parser | None, str]:
    """Return compel's own parser, or why it is missing."""
    try:
        from compel.prompt_parser import PromptParser
    except ImportError:
        return None, "not installed: pip install compel"
    return PromptParser().parse_conjunction, ""


def _parser(syntax: str) -> Parser:
    return partial(parse, syntax=syntax)


def _beside_compel(theirs: Parser | None, missing: str, options: Options) -> Table:
    """Compare parsers on the same words and weights, each in its own syntax."""
    lengths = {"20 words, weighted": (20, True), "200 words, weighted": (200, True)}
    if not options.quick:
        lengths |= {"200 words, plain": (200, False), "1,000 words, weighted": (1000, True)}
    rows = []
    for label, (n, weighted) in lengths.items():
        prompt = text(n, weighted=weighted)
        in_compel = convert(prompt, "a1111", "compel")
        contenders = {s: (_parser(s), in_compel if s == "compel" else prompt) for s in SYNTAXES}
        if theirs is not None:
            contenders[THEIRS] = (theirs, in_compel)
        times = {
            name: best_of(partial(parser, each), options.rounds)
            for name, (parser, each) in contenders.items()
        }
        shown = {name: f"{1e3 * spent:.3f}" for name, spent in times.items()}
        rows.append([label, *(shown.get(name, missing) for name in (*SYNTAXES, THEIRS))])
    return Table("CPU ms to parse; the best of the rounds.", ["prompt", *SYNTAXES, THEIRS], rows)


def _nesting(theirs: Parser | None, missing: str, options: Options) -> Table:
    """Compare parsers on nested brackets, where the time of compel's own grows exponentially."""
    rows = []
    for depth in range(1, 3 if options.quick else 6):
        prompt = "(" * depth + "cat" + ")1.1" * depth
        ours = f"{1e3 * best_of(partial(parse, prompt, 'compel'), 1):.3f}"
        own = missing if theirs is None else f"{1e3 * best_of(partial(theirs, prompt), 1):.3f}"
        rows.append([str(depth), ours, own])
    title = "CPU ms for a word in so many brackets, syntax compel."
    return Table(title, ["brackets", "clipcond", THEIRS], rows)


def _growth(options: Options) -> Table:
    """Measure how the time grows with length."""
    sizes = (400, 800, 1_600) if options.quick else (4_000, 8_000, 16_000)
    rows = []
    for label, grow in GROWING.items():
        for syntax in ("a1111", "comfyui", "compel", "lpw"):
            times = [best_of(partial(parse, grow(n), syntax), options.rounds) for n in sizes]
            rows.append([label, syntax, f"{exponent(sizes, times):.2f}", f"{1e3 * times[-1]:.1f}"])
    title = f"Exponents between n = {sizes[0]:,} and {sizes[-1]:,}: 1 is linear."
    return Table(title, ["what", "syntax", "exponent", "CPU ms at the largest"], rows)


def _extremes(options: Options) -> Table:
    """Time a prompt of 1 MB, and nesting 10,000 deep."""
    n, depth = (10_000, 100) if options.quick else (1_000_000, 10_000)
    long = text(n // 5, weighted=True)[:n]
    deep = "(" * depth + "a" + ":1.0001)" * depth
    rows = []
    for syntax in SYNTAXES:
        times = [best_of(partial(parse, each, syntax), 1) for each in (long, deep)]
        rows.append([syntax, *(f"{1e3 * spent:.1f}" for spent in times)])
    columns = ["syntax", f"{n:,} bytes", f"{depth:,} brackets"]
    return Table("CPU ms for a very long and for a very deep prompt.", columns, rows)
