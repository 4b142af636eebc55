"""Train the embedded model's second edition, from the packed sprites to the folders it ships.

`python -m train_embedded_128 --device cuda --minutes 8`, or `--device cpu --minutes 840`. Stages
that are done are not done again: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPModel

from clipcond.errors import ClipcondWarning

from .adapter_stage import adapter_stage
from .chinese_stage import chinese_stage
from .clip_stage import clip_stage
from .decoder_stage import decoder_stage
from .export import (
    english_bytes,
    join_folder,
    pack_folder,
    write_chinese,
    write_defaults,
    write_english,
    write_scale,
    write_words,
)
from .fetch_artwork import ARTWORK
from .guidance import sweep
from .judging import judge_stage, load_judge
from .pool import Records, make_pool
from .settings import CPU, GPU, STAGES, TINY, TINY_BATCHES, Sizes, Work
from .sprites import Sprites, load_sprites
from .unet_stage import unet_stage
from .vae_stage import vae_stage
from .vision_stage import vision_stage


class Recipe:
    """The stages, each with what it needs from those before."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._sprites: Sprites | None = None
        self._pool: dict[int, Records] | None = None

    @property
    def sprites(self) -> Sprites:
        """The sprites on the device, read once."""
        if self._sprites is None:
            self._sprites = load_sprites(self.work.sprites, self.work.device)
        return self._sprites

    @property
    def pool(self) -> dict[int, Records]:
        """The records on the device, drawn or read once."""
        if self._pool is None:
            drawn = make_pool(self.work, self.sprites.offers)
            self._pool = {n: records.to(self.work.device) for n, records in drawn.items()}
        return self._pool

    def folder(self, stage: str) -> Path:
        """What a stage saved."""
        return self.work.runs / stage / "final"

    def run(self, stage: str) -> None:
        """Run a stage, unless it is done."""
        done = self.work.runs / f"{stage}.done"
        if done.exists():
            return
        began = time.monotonic()
        stages: dict[str, Callable[[], object]] = {
            "pool": lambda: self.pool,
            "judge": lambda: judge_stage(self.work, self.sprites, self.pool),
            "vae": lambda: vae_stage(self.work, self.sprites, self.pool),
            "clip": lambda: clip_stage(self.work, self.sprites, self.pool),
            "unet": self.unet,
            "decoder": self.decoder,
            "vision": lambda: vision_stage(self.work, self.sprites, self.pool, self.clip()),
            "chinese": self.chinese,
            "export": self.export,
            "guidance": self.guidance,
            "adapter": lambda: adapter_stage(self.work, self.sprites.offers, self.work.out),
        }
        stages[stage]()
        done.write_text(f"{time.monotonic() - began:.1f} s\n")
        print(f"== {stage}: {done.read_text().strip()}", flush=True)

    def clip(self, stage: str = "clip") -> CLIPModel:
        """The trained towers, as a stage left them: the text tower is the same after "vision"."""
        return CLIPModel.from_pretrained(self.folder(stage))

    def unet(self) -> None:
        """The UNet stage."""
        vae = AutoencoderKL.from_pretrained(self.folder("vae"))
        unet_stage(self.work, self.sprites, self.pool, vae, self.clip())

    def decoder(self) -> None:
        """The decoder's stage."""
        vae = AutoencoderKL.from_pretrained(self.folder("vae"))
        decoder_stage(self.work, self.sprites, self.pool, vae)

    def chinese(self) -> None:
        """The Chinese tower's stage, its folder, and its temperature for the vision tower."""
        model = chinese_stage(self.work, self.sprites, self.pool, self.clip("vision"))
        write_chinese(self.work.out, model.tower)
        write_scale(self.work.out, "embedded-zh", model.logit_scale)

    def export(self) -> None:
        """Write the English parts."""
        vae = AutoencoderKL.from_pretrained(self.folder("decoder"))
        unet = UNet2DConditionModel.from_pretrained(self.folder("unet") / "unet")
        write_english(
            self.work.out, self.clip("vision"), vae, unet, self.folder("unet") / "scheduler"
        )
        write_defaults(self.work.out, 3.0)
        write_words(self.work.out / "words")
        print(f"English parts: {english_bytes(self.work.out) / 1e6:.1f} MB", flush=True)

    def guidance(self) -> None:
        """Choose the guidance, and store it with the model."""
        judge = load_judge(self.work.runs, self.work.sizes)
        scores = sweep(self.work, judge, self.sprites, self.work.out / "model")
        write_defaults(self.work.out, max(scores, key=lambda scale: scores[scale]))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="train_embedded_128", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--minutes", type=float, default=8.0, help="of all stages together")
    parser.add_argument("--sprites", type=Path, default=ARTWORK / "sprites.npz")
    parser.add_argument("--runs", type=Path, default=Path("runs_128"))
    parser.add_argument("--out", type=Path, help="the model's folders; runs/embedded by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--steps", nargs="*", default=[], metavar="STAGE=N", help="not by time")
    parser.add_argument("--pool", type=int, help="scenes with captions that are drawn once")
    parser.add_argument("--bfloat16", action="store_true", help="always on cuda")
    parser.add_argument("--compile", nargs="*", help="stages; by default unet and vae on cuda")
    parser.add_argument("--tiny", action="store_true", help="tiny models, to try the stages")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="cut the result into files")
    parser.add_argument("--join", type=Path, metavar="FOLDER", help="only join what --pack cut")
    return parser


def work_of(options: argparse.Namespace) -> Work:
    """What the command line asks for."""
    steps = dict(pair.split("=") for pair in options.steps)
    compiled = options.compile
    if compiled is None:
        compiled = ("vae", "unet") if options.device == "cuda" else ()
    batches = GPU if options.device == "cuda" else CPU
    batches = TINY_BATCHES if options.tiny else batches
    if options.pool:
        batches = replace(batches, pool=options.pool)
    return Work(
        runs=options.runs,
        sprites=options.sprites,
        out=options.out or options.runs / "embedded",
        device=options.device,
        minutes=options.minutes,
        seed=options.seed,
        workers=options.workers,
        sizes=TINY if options.tiny else Sizes(),
        batches=batches,
        steps={name: int(n) for name, n in steps.items()},
        compiled=tuple(compiled),
        bfloat16=options.bfloat16 or options.device == "cuda",
    )


def main() -> None:
    """Run the stages asked for."""
    options = arguments().parse_args()
    work = work_of(options)
    if options.join:
        join_folder(options.join, work.out)
        print(f"{work.out}")
        return
    warnings.simplefilter("ignore", ClipcondWarning)  # strange words are there on purpose
    if work.device == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    work.runs.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(work)
    for stage in STAGES:
        if stage in options.stages:
            recipe.run(stage)
    if options.pack:
        for path in pack_folder(work.out, options.pack):
            print(f"{path} {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    sys.exit(main())
