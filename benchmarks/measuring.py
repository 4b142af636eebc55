"""What all benchmarks share: CPU time of interleaved rounds, fresh processes, growth, tables."""

from __future__ import annotations

import gc
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import process_time
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ENOUGH = 0.02  # seconds; shorter work is repeated until it takes so long
PACKAGES = ("clipcond", "torch", "transformers", "diffusers", "compel")


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure; the peers that have no package are given by their paths."""

    quick: bool = False
    rounds: int = 5
    lpw: Path | None = None
    sd_embed: Path | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Some figures and what they are."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Write it as Markdown does."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        cells = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        return f"{self.title}\n\n{cells}\n"


@dataclass(frozen=True, slots=True)
class Contender:
    """Work to time. `prepare` runs untimed before each round and its result is given to `work`."""

    work: Callable[..., object]
    prepare: Callable[[], object] | None = None


class Process(NamedTuple):
    """What a process of its own used: CPU seconds and peak MB, and what it printed."""

    seconds: float
    megabytes: float
    printed: str


def interleaved(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Measure CPU seconds: in each round every contender has its turn, after one to warm up."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(rounds + 1):
        for name, contender in contenders.items():
            arguments = () if contender.prepare is None else (contender.prepare(),)
            gc.collect()
            start = process_time()
            contender.work(*arguments)
            if i:
                spent[name].append(process_time() - start)
    return spent


def ratios(spent: Mapping[str, Sequence[float]], to: str) -> dict[str, float]:
    """Divide by another contender's time of the same round; the medians."""
    return {
        name: median(a / max(b, 1e-9) for a, b in zip(times, spent[to], strict=True))
        for name, times in spent.items()
    }


def seconds(work: Callable[[], object]) -> float:
    """Measure the CPU seconds of some work, repeated until the time is measurable."""
    n = 1
    while True:
        start = process_time()
        for _ in range(n):
            work()
        spent = process_time() - start
        if spent >= ENOUGH or n > 10_000:
            return spent / n
        n *= 2 if spent <= 0 else max(2, min(100, round(ENOUGH / spent)))


def best_of(work: Callable[[], object], rounds: int) -> float:
    """Measure the least CPU seconds of several rounds."""
    return min(seconds(work) for _ in range(rounds))


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Compute e of times ~ sizes^e by least squares: 1 is linear, 2 quadratic."""
    x, y = [math.log(n) for n in sizes], [math.log(max(t, 1e-9)) for t in times]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def run_process(*arguments: str) -> Process:
    """Run Python in a fresh process on one thread; measure it whole.

    Raises:
        RuntimeError: it failed; with what it wrote.
    """
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "HF_HUB_OFFLINE"), "1")
    environment = {**os.environ, **one, "PYTHONPATH": str(ROOT)}
    reading, writing = os.pipe()
    files = [(os.POSIX_SPAWN_DUP2, writing, descriptor) for descriptor in (1, 2)]
    child = os.posix_spawn(
        sys.executable, [sys.executable, *arguments], environment, file_actions=files
    )
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as pipe:
        printed = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"python {' '.join(arguments)} failed:\n{printed}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Process(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, printed)


def surroundings() -> str:
    """Say where and when: machine, versions, load, date."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} not installed")
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    machine = f"{_processor()}, {os.cpu_count()} CPUs, {platform.system()}"
    now = datetime.now().strftime("%Y-%m-%d %H:%M")
    python = platform.python_version()
    return f"{now}; {machine}; load {load}; Python {python}, {', '.join(versions)}."


def _processor() -> str:
    """Name the processor, and what it has for bfloat16."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    known = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    flags = {"amx_bf16", "avx512_bf16"} & set(known.get("flags", "").split())
    return ", ".join([known.get("model name", platform.machine()), *sorted(flags)])
