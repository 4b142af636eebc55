"""Time what encoding takes besides the text model, ours and the peers'.

The text model has twelve blocks, as a fingerprint grows with them, and is narrow; its own time is
measured at each call and left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from time import process_time

import torch

from benchmarks.measuring import Options, Table
from benchmarks.peers import PEERS, peers
from benchmarks.work import encode
from benchmarks.workloads import Counter, Workload, conditioner, text_model, workloads

WIDTH, LAYERS = 64, 12


def measure(options: Options) -> list[Table]:
    """Time all workloads but the longest."""
    torch.set_num_threads(1)
    model = text_model(WIDTH, LAYERS)
    counter = Counter(model)
    theirs, missing = peers(model, options)
    chosen = [each for each in workloads() if not each.name.startswith(("600", "8 x"))]
    n = 3 if options.quick else 4 * options.rounds
    rows = []
    for workload in chosen[: 2 if options.quick else None]:
        spent: dict[str, list[float]] = {}
        kept = conditioner(model)
        for i in range(n + 1):
            new = conditioner(model)
            new("")
            works: dict[str, Callable[[Workload], object]] = {
                "new": partial(encode, new),
                "again": partial(encode, kept),
                **theirs,
            }
            for name, work in works.items():
                besides = _besides(counter, work, workload)
                if i:  # the first is to warm up
                    spent.setdefault(name, []).append(besides)
        shown = {name: f"{1e3 * median(times):.2f}" for name, times in spent.items()}
        of_peers = [shown.get(name, missing.get(name, "")) for name in PEERS]
        rows.append([workload.name, shown["new"], shown["again"], *of_peers])
    title = f"CPU ms besides the text model; medians of {n} interleaved rounds."
    columns = ["workload", "clipcond, new prompts", "clipcond, the same again", *PEERS]
    return [Table(title, columns, rows)]


def _besides(counter: Counter, work: Callable[[Workload], object], workload: Workload) -> float:
    with counter.counting() as count:
        start = process_time()
        work(workload)
        return process_time() - start - count.seconds
