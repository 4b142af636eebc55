"""Align towers to the UNet with clipcond's own `align`, on pairs of captions; here the Chinese."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clipcond import load_tower
from clipcond.adapters import load_adapter, save_adapter
from clipcond.towers import TextTower
from clipcond.training import AlignSettings, LoopSettings, align

from .captioning import Habits
from .captions import ENGLISH, plain
from .captions_zh import CHINESE, MIXED
from .settings import Work
from .sprites import Offers
from .world import Mix, Places

SAID = Habits(strange=0.03, unknown=0.0, weighted=0.15)
MIX = Mix(degraded=0.02, empty=0.05)
MIXED_SHARE, ENGLISH_SHARE, HALVES, LONG = 0.28, 0.08, 0.08, 0.1
FILLED = "masterpiece, best quality"  # a chunk that says nothing, in English
# One unit of training: what is measured, and then multiplied to fill the time.
UNIT = {"text_steps": 4, "unet_steps": 3}
TRIED = (8, 24)  # units
Pair = Callable[[Places, random.Random], dict[str, str]]


def chinese_pair(places: Places, rng: random.Random) -> dict[str, str]:
    """One scene in plain English, and in Chinese as it is typed."""
    which = rng.random()
    language = CHINESE if which > MIXED_SHARE + ENGLISH_SHARE else MIXED
    speaker = ENGLISH if which < ENGLISH_SHARE else language
    scene = places.draw(rng)
    if rng.random() < HALVES and scene.things and not scene.degraded:
        white = replace(scene, background="white")
        things = speaker.describe(white, rng, replace(SAID, open=1.0))
        place = speaker.describe(replace(scene, things=(), style=None), rng, SAID)
        said = replace(things, scene=scene, named=True)
        text = f"{things.prompt} BREAK {place.prompt}"
        return {"teacher": f"{plain(said)} BREAK {FILLED}", "tower": text}
    said = speaker.describe(scene, rng, SAID)
    text, teacher = said.prompt, plain(said)
    if rng.random() < LONG:
        filler = speaker.joined([rng.choice(speaker.filler) for _ in range(6)], rng)
        if rng.random() < 0.5:
            return {"teacher": f"{FILLED} BREAK {teacher}", "tower": f"{filler} BREAK {text}"}
        return {"teacher": f"{teacher} BREAK {FILLED}", "tower": f"{text} BREAK {filler}"}
    return {"teacher": teacher, "tower": text}


def write_pairs(path: Path, n: int, offers: Offers, seed: str, pair: Pair) -> None:
    """Write `n` pairs as `clipcond align` reads them."""
    rng, places = random.Random(f"pairs {seed}"), Places(offers, MIX)
    rows = [json.dumps(pair(places, rng), ensure_ascii=False) for _ in range(n)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def adapter_stage(work: Work, offers: Offers, out: Path) -> None:
    """Write the adapter next to the Chinese tower; as many steps as the time allows."""
    tower = load_tower(str(out / "zh" / "tower"))
    tower.name = "embedded-zh"  # in the record, not this machine's folder
    output = out / "zh" / "adapter.safetensors"
    fit(work, offers, tower, chinese_pair, output)
    adapter, record = load_adapter(output)
    save_adapter(adapter.half(), record, output)


def fit(
    work: Work, offers: Offers, tower: TextTower, pair: Pair, output: Path, name: str = "adapter"
) -> None:
    """Align a tower to the UNet of `work.out`, for the adapter's share of the time.

    Args:
        name: its folder in the runs, and whose `work.steps` are taken instead, in units.
    """
    folder = work.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    pairs = folder / "pairs.jsonl"
    write_pairs(pairs, work.batches.pairs, offers, str(work.seed), pair)
    few = folder / "few.jsonl"
    write_pairs(few, max(8, work.batches.pairs // 50), offers, f"{work.seed} few", pair)

    def run(which: Path, output: Path, units: int) -> float:
        began = time.monotonic()
        settings = AlignSettings(
            hidden=work.sizes.adapter_hidden,
            text_batch=min(64, work.batches.pairs // 4),
            unet_batch=min(16, work.batches.pairs // 4),
            **{name: n * units for name, n in UNIT.items()},
        )
        device = "cuda" if work.device == "cuda" else "cpu"
        loop = LoopSettings(seed=work.seed, device=device, quiet=True)
        align(
            str(work.out / "model"),
            tower,
            which,
            output,
            settings=settings,
            loop=loop,
            overwrite=True,
        )
        return time.monotonic() - began

    units = work.steps.get(name)
    if units is None:
        budget = work.seconds("adapter")
        began = time.monotonic()
        short, long = (run(few, folder / "tried.safetensors", n) for n in TRIED)
        each = max(1e-3, (long - short) / (TRIED[1] - TRIED[0]))
        encoding = short * 2 + 0.003 * work.batches.pairs
        units = max(TRIED[1], int((budget - (time.monotonic() - began) - encoding) / each))
        print(f"{name}: {each * 1000:.0f} ms a unit, {units} units", flush=True)
    seconds = run(pairs, output, units)
    print(f"{name}: {units} units, {seconds:.0f} s", flush=True)
