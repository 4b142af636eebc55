"""Measure peak memory: compared with plain forwards, and of prompts that stream through a cache."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from benchmarks.measuring import Options, Table, run_process

WIDTH = 768  # 256 MB hold 1,082 chunks: after 1,000 prompts every cache is full
CACHES = (0, 64, 256)  # MB
BATCH = 20


def measure(options: Options) -> list[Table]:
    """Run each case in a process of its own."""
    counts = (20, 40) if options.quick else (1_000, 5_000, 10_000, 20_000)
    rows = []
    for megabytes in CACHES[:1] if options.quick else CACHES:
        width = 64 if options.quick else WIDTH
        peaks = json.loads(_run("stream", width, megabytes, *counts))
        growth = f"{100 * (peaks[-1] / peaks[0] - 1):+.1f} %"
        rows.append([f"{megabytes} MB", *(f"{peak:.0f}" for peak in peaks), growth])
    columns = ["cache", *(f"{n:,} prompts" for n in counts), "growth"]
    title = f"Peak MB while different prompts stream through a Conditioner, {BATCH} at a time."
    return [Table(title, columns, rows), _above_plain(quick=options.quick)]


def _above_plain(*, quick: bool) -> Table:
    """Compare the peak of encoding with that of plain forwards over as many chunks at once."""
    width, n_layers = (64, 2) if quick else (768, 12)
    rows = []
    for n in (10,) if quick else (1, 10, 32, 100):
        plain, ours = (
            median(json.loads(_run(kind, width, n_layers, n)) for _ in range(1 if quick else 3))
            for kind in ("forward", "encode")
        )
        ratio = ours / max(plain, 0.1)
        rows.append([str(n), f"{plain:.0f}", f"{ours:.0f}", f"{ratio:.2f}"])
    columns = ["prompts", "plain forwards", "clipcond", "ratio"]
    title = (
        "MB above the loaded model at the peak. Plain forwards take as many chunks at a time as "
        "clipcond and keep the hidden states."
    )
    return Table(title, columns, rows)


def _run(*arguments: object) -> str:
    return run_process("-m", "benchmarks.memory", *map(str, arguments)).printed.splitlines()[-1]


def peak() -> float:
    """Read the largest resident size so far in MB."""
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def resident() -> float:
    """Read the resident size of now in MB; the peak where the system does not say it."""
    file = Path("/proc/self/status")
    lines = file.read_text().splitlines() if file.exists() else []
    sizes = [int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmRSS")]
    return sizes[0] if sizes else peak()


def stream(width: int, megabytes: int, *counts: int) -> list[float]:
    """Encode different prompts with a cache; return the peak after so many."""
    from benchmarks.workloads import conditioner, text_model

    ours = conditioner(text_model(width, 1), cache_bytes=megabytes * 10**6)
    peaks, done = [], 0
    for count in counts:
        for first in range(done, count, BATCH):
            ours([f"a fox and {i} cats" for i in range(first, first + BATCH)])
        done = count
        peaks.append(peak())
    return peaks


def forward(width: int, n_layers: int, n: int) -> float:
    """Run the text model on n chunks without gradients; return how many MB that took."""
    import torch

    from benchmarks.workloads import text_model, tokenizer
    from clipcond.conditioning.cache import ACTIVATIONS, BATCH_BYTES

    model = text_model(width, n_layers)
    batch = tokenizer()(_prompts(n), padding="max_length", max_length=77, return_tensors="pt")
    at_once = max(1, BATCH_BYTES // (77 * width * 4 * ACTIVATIONS))
    before = resident()
    with torch.no_grad():
        kept = [model(part).last_hidden_state for part in batch.input_ids.split(at_once)]
    return max(peak() - before, 0.0) if kept else 0.0


def encode(width: int, n_layers: int, n: int) -> float:
    """Encode n prompts of one chunk; return how many MB that took."""
    from benchmarks.workloads import conditioner, text_model

    ours = conditioner(text_model(width, n_layers))
    before = resident()
    kept = ours(_prompts(n))
    return max(peak() - before, 0.0) if kept is not None else 0.0


def _prompts(n: int) -> list[str]:
    return [f"a fox and {i} cats" for i in range(n)]


def main(kind: str, numbers: Iterable[int]) -> None:
    """Run one case and print its figures as JSON."""
    print(json.dumps({"stream": stream, "forward": forward, "encode": encode}[kind](*numbers)))


if __name__ == "__main__":
    main(sys.argv[1], map(int, sys.argv[2:]))
