"""Measure what imports and commands cost: CPU seconds and peak MB of fresh processes."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.measuring import Options, Table, run_process

QUICK = ("nothing", "import clipcond", "clipcond convert")


def measure(options: Options) -> list[Table]:
    """Run each import and command in a process of its own."""
    with TemporaryDirectory() as folder:
        picture = str(Path(folder) / "a.png")
        generate = ("-m", "clipcond", "generate", "a red fox", "--force", "-o", picture)
        runs: dict[str, tuple[str, ...]] = {
            "nothing": ("-c", ""),
            "import clipcond": ("-c", "import clipcond"),
            "import clipcond, parse": ("-c", "from clipcond import parse; parse('a (red) fox')"),
            "clipcond convert": ("-m", "clipcond", "convert", "a (red:1.2) fox", "--to", "compel"),
            "clipcond inspect": ("-m", "clipcond", "inspect", "a (red:1.2) fox"),
            "build_pipeline()": ("-c", "from clipcond import build_pipeline; build_pipeline()"),
            "clipcond generate, 20 steps": (*generate, "--steps", "20"),
            "clipcond generate, 20 steps, --count 16": (
                *generate,
                "--steps",
                "20",
                "--count",
                "16",
            ),
            "import torch": ("-c", "import torch"),
            "import diffusers' pipeline": ("-c", "from diffusers import StableDiffusionPipeline"),
            "import compel": ("-c", "import compel"),
        }
        chosen = {name: run for name, run in runs.items() if not options.quick or name in QUICK}
        rows = [[name, *_cost(run, options)] for name, run in chosen.items()]
    title = "One thread; medians of fresh processes."
    return [Table(title, ["process", "CPU s", "peak MB"], rows)]


def _cost(run: tuple[str, ...], options: Options) -> list[str]:
    rounds = 1 if options.quick else max(3, options.rounds // 2)
    try:
        made = [run_process(*run) for _ in range(rounds)]
    except RuntimeError as error:
        reason = str(error).splitlines()[-1]
        return ["not installed: pip install compel" if "compel" in reason else reason, ""]
    seconds, megabytes = (median(each[i] for each in made) for i in (0, 1))
    return [f"{seconds:.2f}", f"{megabytes:.0f}"]
