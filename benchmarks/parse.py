"""Time the parser of every syntax, compare with compel's own, and measure growth with length.

    pip install -e ".[bench]" && python benchmarks/parse.py

Prints CPU milliseconds, best of interleaved rounds, and how many times as long compel's own parser
takes. Times are those from text to weighted fragments, on one thread. Run nothing else meanwhile.
It takes about two minutes, mostly compel's.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from time import process_time

from clipcond.prompt import SYNTAXES, convert, parse

ROUNDS = 5
ENOUGH = 0.02  # seconds; shorter calls are repeated until they take so long
WORDS = re.findall(r"\S+", "a red fox and two cats under an old tree, soft light, sharp, snow")

Parser = Callable[[str], object]

GROWING: dict[str, Callable[[int], str]] = {
    "nested brackets": lambda n: "(" * n + "a" + ")" * n,
    "(a ": lambda n: "(a " * n,
    "\\(": lambda n: "\\(" * n,
    ")": lambda n: ")" * n,
    "weighted runs": lambda n: "(red cat:1.3), " * n,
    "signed runs": lambda n: "(red cat)1.3 dog++ " * n,
    "commas": lambda n: "a," * n,
}


def text(n_words: int, *, weighted: bool) -> str:
    """Make a prompt in A1111's syntax; of every five words, two are in weighted brackets."""
    words = [WORDS[i % len(WORDS)] for i in range(n_words)]
    if weighted:
        for i in range(0, n_words - 1, 5):
            words[i], words[i + 1] = f"({words[i]}", f"{words[i + 1].strip(',')}:1.{i % 9 + 1})"
    return " ".join(words)


def compel_parser() -> Parser | None:
    """Return compel's own parser, or None if it is not installed."""
    try:
        from compel.prompt_parser import PromptParser
    except ImportError:
        print('compel is not installed: pip install -e ".[bench]". Ours alone:\n')
        return None
    return PromptParser().parse_conjunction


def seconds(parser: Parser, prompt: str) -> float:
    """Measure the CPU seconds of one parse, repeated until the time is measurable."""
    n = 1
    while True:
        start = process_time()
        for _ in range(n):
            parser(prompt)
        spent = process_time() - start
        if spent >= ENOUGH or n > 10_000:
            return spent / n
        n *= 1 if spent <= 0 else max(2, min(100, round(ENOUGH / spent)))


def interleaved(
    contenders: dict[str, tuple[Parser, str]], rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the best time of several rounds; in each, every contender has its turn."""
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, (parser, prompt) in contenders.items():
            gc.collect()
            best[name] = min(best[name], seconds(parser, prompt))
    return best


def parser_of(syntax: str) -> Parser:
    """Return clipcond's parser of a syntax."""
    return lambda prompt: parse(prompt, syntax)


def against_compel(theirs: Parser | None) -> None:
    """Compare parsers on the same words and weights, each in its own syntax."""
    print("CPU ms to parse, and how many times as long compel's own parser takes")
    prompts = {
        "20 words, weighted": text(20, weighted=True),
        "200 words, weighted": text(200, weighted=True),
        "200 words, plain": text(200, weighted=False),
        "1,000 words, weighted": text(1000, weighted=True),
    }
    for label, prompt in prompts.items():
        in_compel = convert(prompt, "a1111", "compel")
        contenders = {
            name: (parser_of(name), in_compel if name == "compel" else prompt) for name in SYNTAXES
        }
        if theirs is not None:
            contenders["compel's own"] = (theirs, in_compel)
        best = interleaved(contenders)
        reference = best.get("compel's own")
        print(f"\n{label}")
        for name, spent in best.items():
            ratio = "" if reference is None else f"{reference / spent:12,.0f} x"
            print(f"  {name:14}{spent * 1e3:10.3f}{ratio}")


def nesting(theirs: Parser | None) -> None:
    """Compare parsers on nested brackets, where the time of compel's own grows exponentially."""
    print("\nCPU ms for a word in so many brackets, dialect compel; ours and compel's own")
    for depth in (1, 2, 3, 4, 5):
        prompt = "(" * depth + "cat" + ")1.1" * depth
        contenders = {"ours": (parser_of("compel"), prompt)}
        if theirs is not None:
            contenders["theirs"] = (theirs, prompt)
        best = interleaved(contenders, rounds=1)
        shown = "  ".join(f"{name} {spent * 1e3:9.3f}" for name, spent in best.items())
        print(f"  depth {depth}: {shown}")


def growth() -> None:
    """Print time(2n) / time(n) at n = 4,000 and 8,000: 2 is linear, 4 quadratic."""
    print("\ntime(2n) / time(n) at n = 4,000 and 8,000; CPU ms at 16,000")
    for label, grow in GROWING.items():
        for syntax in ("a1111", "comfyui", "compel", "lpw"):
            best = interleaved(
                {str(n): (parser_of(syntax), grow(n)) for n in (4_000, 8_000, 16_000)}, rounds=7
            )
            four, eight, sixteen = best.values()
            print(
                f"  {label:16} {syntax:8} {eight / four:5.2f} {sixteen / eight:5.2f} "
                f"{sixteen * 1e3:9.1f} ms"
            )


def extremes() -> None:
    """Time a prompt of 1 MB, and nesting 10,000 deep."""
    print("\nCPU ms for 1 MB of weighted text, and for 10,000 brackets around a word")
    megabyte = text(180_000, weighted=True)[:1_000_000]
    deep = "(" * 10_000 + "a" + ":1.0001)" * 10_000
    for syntax in SYNTAXES:
        spent = [seconds(parser_of(syntax), prompt) * 1e3 for prompt in (megabyte, deep)]
        print(f"  {syntax:10}{spent[0]:10.0f}{spent[1]:10.1f}")


if __name__ == "__main__":
    theirs = compel_parser()
    against_compel(theirs)
    nesting(theirs)
    growth()
    extremes()
