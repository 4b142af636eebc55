"""Measure how times grow: the exponent e of time ~ n^e, where 1 is linear and 2 quadratic."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import count
from statistics import median

import torch

from benchmarks.measuring import Contender, Options, Table, exponent, interleaved
from benchmarks.prompt_text import text
from benchmarks.workloads import conditioner, text_model
from clipcond import Conditioner, parse, schedule
from clipcond.errors import PromptWarning

WIDTH, LAYERS = 64, 1
SIZES = (250, 500, 1000, 2000)
Work = Callable[[], object]


def _parse(syntax: str) -> Callable[[int], Work]:
    return lambda n: lambda: parse(text(n, weighted=True), syntax)


def _schedule(n: int) -> Work:
    prompt = "[red:blue:0.5] fox, " * (n // 10)
    return lambda: schedule(prompt, 20)


def _encode(dialect: str) -> Callable[[int], Work]:
    """Encode one prompt of n tokens, a new one at each call."""

    def of_length(n: int) -> Work:
        prompt = text(n, weighted=True)
        return lambda: conditioner(_model(), dialect=dialect)(prompt)

    return of_length


def _many(n: int) -> Work:
    prompts = [f"{text(5, start=i)} {i}" for i in range(n // 10)]
    return lambda: conditioner(_model())(prompts)


def _mixed(n: int) -> Work:
    prompts = [f"{text(5, start=i)} {i}" for i in range(n // 10)]
    return lambda: conditioner(_model())([*prompts, text(1500)])


def _explain(n: int) -> Work:
    ours, prompt = conditioner(_model()), text(n, weighted=True)
    new = (f"{prompt} {i}" for i in count())  # what was parsed before is looked up
    return lambda: ours.explain(next(new)).json()


def _load(n: int) -> Work:
    return lambda: _with_inversions(n)


def _use(n: int) -> Work:
    ours = _with_inversions(n)
    return lambda: ours(f"a style{n - 1} fox, {text(10)}")


def _with_inversions(n: int) -> Conditioner:
    ours = conditioner(_model(), cache_bytes=0)
    for i in range(n):
        ours.load_inversion({f"style{i}": torch.full((1, WIDTH), 0.01 * i)})
    return ours


def _model() -> torch.nn.Module:
    return text_model(WIDTH, LAYERS)


# what grows, and its sizes as a share of SIZES
GROWING: dict[str, tuple[Callable[[int], Work], float]] = {
    "parse, a1111, by words": (_parse("a1111"), 4),
    "parse, compel, by words": (_parse("compel"), 4),
    "schedule, by words": (_schedule, 1),
    "encode, a1111, by tokens": (_encode("a1111"), 1),
    "encode, compel, by tokens": (_encode("compel"), 0.25),
    "encode, sd_embed, by tokens": (_encode("sd_embed"), 1),
    "encode many, by prompts": (_many, 1),
    "encode many and one of 1,500 tokens, by prompts": (_mixed, 1),
    "explain().json, by tokens": (_explain, 1),
    "load inversions, by inversions": (_load, 0.25),
    "encode with inversions loaded, by inversions": (_use, 0.25),
}


def measure(options: Options) -> list[Table]:
    """Measure the exponents of everything that may be long or many."""
    torch.set_num_threads(1)
    rows = []
    for name, (make, share) in GROWING.items():
        scale = share * (0.1 if options.quick else 1)
        sizes = [max(2, int(n * scale)) for n in SIZES]
        works = {str(n): Contender(make(n)) for n in sizes}
        with warnings.catch_warnings():  # of text that is written for another dialect
            warnings.simplefilter("ignore", PromptWarning)
            spent = interleaved(works, 1 if options.quick else options.rounds)
        times = [median(spent[str(n)]) for n in sizes]
        shown = f"{1e3 * times[-1]:.3g}"
        rows.append([name, f"{sizes[0]} to {sizes[-1]}", f"{exponent(sizes, times):.2f}", shown])
    title = "Exponents, with a text model of one narrow block; below 1 a part does not grow."
    return [Table(title, ["what", "sizes", "exponent", "CPU ms at the largest"], rows)]
