"""Measure an index of pictures against the bare vision tower, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import torch
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from benchmarks.measuring import Options, Table
from clipcond.reading import DualEncoder, ImageIndex, Preprocessing, load_encoder

BATCH, BLOCK = 32, 320
COLUMNS = (
    *("tower", "pictures", "tower, CPU ms", "preparation, CPU ms", "index, CPU ms"),
    *("index / tower, time passed", "MB after a tenth", "MB at the end"),
)


class _Base32(torch.nn.Module):
    """The vision tower of CLIP ViT-B/32 with random weights, as wide as the embedded text tower."""

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        config = CLIPVisionConfig(projection_dim=128, num_hidden_layers=n_layers)
        self.model = CLIPVisionModelWithProjection(config).eval()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        embeds: torch.Tensor = self.model(pixel_values=pixels).image_embeds
        return embeds


def measure(options: Options) -> list[Table]:
    """Alternate blocks of the bare tower on prepared pictures and of the index on files."""
    torch.set_num_threads(1)
    embedded = load_encoder()
    prepare = Preprocessing((224, 224), shortest=224)
    vision = _Base32(1 if options.quick else 12)
    large = DualEncoder(embedded.tower, vision, prepare, logit_scale=100.0)
    cases = (
        ("embedded, 64 x 64 PNG", embedded, 64, ".png", 640 if options.quick else 10_000),
        ("ViT-B/32, 512 x 512 JPEG", large, 512, ".jpg", 64 if options.quick else 640),
    )
    rows = [[name, *_row(encoder, *case)] for name, encoder, *case in cases]
    title = "An index of files, by the picture; the tower alone gets pixels that are prepared."
    return [Table(title, COLUMNS, rows)]


def _row(encoder: DualEncoder, size: int, ending: str, n: int) -> list[str]:
    with TemporaryDirectory() as folder:
        files = _pictures(Path(folder), size, ending, n)
        index, block = ImageIndex(encoder), min(BLOCK, n // 2)
        cpu, ratios, megabytes = np.zeros(3), [], []
        for start in range(0, n, block):
            part = files[start : start + block]
            before = process_time()
            pixels = torch.stack([encoder.prepare(file) for file in part])
            cpu[0] += process_time() - before
            bare = _timed(lambda: _encode(encoder, pixels))  # noqa: B023 - called here
            ours = _timed(lambda: index.add(part, batch_size=BATCH))  # noqa: B023
            cpu[1:] += bare[0], ours[0]
            ratios.append(ours[1] / bare[1])
            megabytes.append(_resident())
        prepared, tower, whole = (1000 * cpu / n).tolist()
        figures = [f"{tower:.2f}", f"{prepared:.2f}", f"{whole:.2f}", f"{median(ratios):.2f}"]
        tenth = megabytes[len(megabytes) // 10]
        return [f"{n:,}", *figures, f"{tenth:.0f}", f"{megabytes[-1]:.0f}"]


def _pictures(folder: Path, size: int, ending: str, n: int) -> list[Path]:
    rng, files = np.random.default_rng(0), [folder / f"{i:05}{ending}" for i in range(n)]
    for file in files:
        few = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        few.resize((size, size)).save(file)
    return files


def _encode(encoder: DualEncoder, pixels: torch.Tensor) -> None:
    with torch.no_grad():
        for some in torch.split(pixels, BATCH):
            encoder.vision(some)


def _timed(work) -> Sequence[float]:  # type: ignore[no-untyped-def]
    """CPU seconds and seconds passed."""
    cpu, now = process_time(), perf_counter()
    work()
    return process_time() - cpu, perf_counter() - now


def _resident() -> float:
    """MB in memory now; Linux alone says so."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 / 2**20 if statm.exists() else float("nan")
