"""Measure captions by the million: the rate against the bare tower, sizes, and memory."""

from __future__ import annotations

import importlib.util
import random
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, process_time

import torch

from benchmarks.measuring import Options, Table, run_process
from benchmarks.workloads import text_model, tokenizer
from clipcond import Conditioner
from clipcond.bulk import CaptionEncoder, encode_captions
from clipcond.chunking import TokenChunk
from clipcond.towers import HiddenLayer, OpenAIClipTower, TowerOutput

WORDS = (
    "photo of a red blue small large cat dog house tree street person standing sitting near "
    "table window mountain lake evening light soft sharp old new wooden glass with and on the"
).split()


def captions(n: int, seed: int = 0) -> list[str]:
    """Make captions about as long as those of photographs: 5 to 40 words, 14 in the middle."""
    rng = random.Random(seed)
    sizes = (min(40, max(5, round(rng.lognormvariate(2.64, 0.5)))) for _ in range(n))
    return [" ".join(rng.choices(WORDS, k=size)) + f" {i}" for i, size in enumerate(sizes)]


class StubTower(OpenAIClipTower):
    """A tower that reads as CLIP does, and gives zeros, two numbers a row."""

    def __init__(self) -> None:
        super().__init__(text_model(64, 1), tokenizer())

    @property
    def width(self) -> int:
        """D."""
        return 2

    def encode(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        layer: HiddenLayer | None = None,
        *,
        pooled: bool = False,
    ) -> TowerOutput:
        """Give zeros [n L 2]."""
        return TowerOutput(torch.zeros(*input_ids.shape, 2), None)


def measure(options: Options) -> list[Table]:
    """Compare with the bare tower at CLIP-L's size; then let a million short captions through."""
    torch.set_num_threads(1)
    return [_rates(options), _engines(options), _sizes(options), _memory(options)]


def _rates(options: Options) -> Table:
    model = text_model(64 if options.quick else 768, 2 if options.quick else 12)
    tower, rows = OpenAIClipTower(model, tokenizer()), []
    n = 64 if options.quick else 256
    for keep, dtype in (("full", "float16"), ("trimmed", "float16"), ("trimmed", "int8")):
        encoder = CaptionEncoder(lambda: Conditioner(tower, cache_bytes=0), keep=keep, dtype=dtype)
        ratios = []
        for i in range(options.rounds):
            texts = captions(n, seed=i)
            conditioner = encoder.load()
            chunks = [c for text in texts for c in conditioner.chunks(text)]
            bare = _timed(lambda: _bare(model, chunks, 32))  # noqa: B023 - called here
            with TemporaryDirectory() as folder:
                source = Path(folder, "captions.txt")
                source.write_text("\n".join(texts))
                ours = _timed(
                    lambda: encode_captions(source, Path(folder, "out"), encoder)  # noqa: B023
                )
            ratios.append(bare / ours)
        rows.append([f"{keep}, {dtype}", f"{100 * median(ratios):.0f} %"])
    title = (
        f"{n} captions to safetensors, reading and writing included: the bare tower's CPU time at "
        "batches of 32 on the same ids, as a part of ours."
    )
    return Table(title, ["what is kept", "bare tower / ours"], rows)


def _clip(width: int, depth: int) -> Conditioner:
    torch.set_num_threads(1)
    return Conditioner(OpenAIClipTower(text_model(width, depth), tokenizer()), cache_bytes=0)


def _engines(options: Options) -> Table:
    """Compare two workers of Ray on this machine with one process, by wall-clock time."""
    title = (
        "Captions through one process, and through two workers of Ray Data on this machine. Each "
        "start of Ray, of its workers and of their models is in the first two rows."
    )
    columns = ["captions", "one process, s", "Ray, s", "one process / Ray"]
    if importlib.util.find_spec("ray") is None:
        return Table(title, columns, [["all", *["not measured: Ray is not installed"] * 3]])
    size = (64, 2) if options.quick else (768, 12)
    encoder = CaptionEncoder(partial(_clip, *size))
    found, choices = {}, {"local": {}, "ray": {"n_workers": 2}}
    few, many = (64, 256) if options.quick else (128, 768)
    for engine, given in choices.items():
        for n in (few, many):
            with TemporaryDirectory() as folder:
                source = Path(folder, "captions.txt")
                source.write_text("\n".join(captions(n)))
                start = monotonic()
                encode_captions(
                    source, Path(folder, "out"), encoder, engine=engine, shard_size=32, **given
                )
                found[engine, n] = monotonic() - start
    more = {engine: found[engine, many] - found[engine, few] for engine in choices}
    rows = [(f"{n:,}", found["local", n], found["ray", n]) for n in (few, many)]
    rows.append((f"{many - few:,} more", more["local"], more["ray"]))
    shown = [[n, f"{local:.1f}", f"{ray:.1f}", f"{local / ray:.2f}"] for n, local, ray in rows]
    return Table(title, columns, shown)


def _bare(model: torch.nn.Module, chunks: list[TokenChunk], batch: int) -> None:
    with torch.no_grad():
        for start in range(0, len(chunks), batch):
            ids = [chunk.input_ids for chunk in chunks[start : start + batch]]
            model(input_ids=torch.tensor(ids))


def _timed(work: object) -> float:
    start = process_time()
    work()  # type: ignore[operator]
    return process_time() - start


def _sizes(options: Options) -> Table:
    """Count the bytes a caption of each form, 768 wide."""
    tower, rows = OpenAIClipTower(text_model(768, 1), tokenizer()), []
    texts = captions(64 if options.quick else 512)
    for files in ("safetensors", "parquet"):
        for keep in ("full", "trimmed", "pooled"):
            for dtype in ("float16", "int8"):
                encoder = CaptionEncoder(
                    lambda: Conditioner(tower, cache_bytes=0, pooled=True), keep=keep, dtype=dtype
                )
                with TemporaryDirectory() as folder:
                    source = Path(folder, "captions.txt")
                    source.write_text("\n".join(texts))
                    made = encode_captions(source, Path(folder, "out"), encoder, files=files)
                size, error = made.n_bytes / made.n_captions, made.largest_error
                rows.append([files, keep, dtype, f"{size:,.0f}", f"{error:.1e}"])
    columns = ["files", "keep", "dtype", "bytes a caption", "largest error of a row, relative"]
    return Table(f"{len(texts)} captions, 768 wide, with pooled vectors.", columns, rows)


_STREAM = """
import sys
from pathlib import Path
from benchmarks.bulk import StubTower
from clipcond import Conditioner
from clipcond.bulk import CaptionEncoder, encode_captions
n, folder = int(sys.argv[1]), Path(sys.argv[2])
source = folder / "captions.txt"
with open(source, "w") as file:
    for i in range(n):
        print(f"a cat {i}", file=file)
encoder = CaptionEncoder(lambda: Conditioner(StubTower(), cache_bytes=0), keep="trimmed")
made = encode_captions(source, folder / "out", encoder)
print(f"{made.rate:.0f}")
"""


def _memory(options: Options) -> Table:
    rows = []
    for n in (1_000, 20_000) if options.quick else (1_000, 10_000, 100_000, 1_000_000):
        with TemporaryDirectory() as folder:
            used = run_process("-c", _STREAM, str(n), folder)
        rows.append([f"{n:,}", f"{used.megabytes:.0f}", used.printed.split()[-1]])
    title = "Peak memory of a process that lets captions through a tower of one number a row."
    return Table(title, ["captions", "peak MB", "captions a second"], rows)
