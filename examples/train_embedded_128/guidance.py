"""Sweep the guidance scale, and choose the one at which pictures are right and look as drawn.

Right counts most; a high guidance oversaturates, which the judge does not see, so the distance of
the pictures' colourfulness from that of renderings of the same scenes counts against it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from clipcond import build_pipeline

from .measuring import FRESH, NOTHING, Row, asked, measure, pictures
from .models import Judge
from .render import Renderer, as_tensors, seeded
from .settings import Work
from .sprites import Sprites

SCALES = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0)
MIXED = Row("guidance", replace(NOTHING, pair=0.5, several=0.2, styled=0.4, coloured=0.4))
SEED = 77_000


def colourfulness(images: Tensor) -> float:
    """The mean spread between a pixel's channels, 0..2."""
    return (images.amax(1) - images.amin(1)).mean().item()


def sweep(work: Work, judge: Judge, sprites: Sprites, folder: Path) -> dict[float, float]:
    """Score every scale on the training side of the split: the choice must not see the test's."""
    pipe = build_pipeline(str(folder), device=work.device)
    pipe.set_progress_bar_config(disable=True)
    judge.to("cpu")
    prompts = asked(replace(MIXED, habits=FRESH), work.batches.guidance, sprites.offers, "en")
    scenes = [scene for _, scene in prompts]
    generator = seeded(work.device, "guidance")
    drawn = Renderer(sprites).draw(as_tensors(scenes).to(work.device), generator)
    wanted = colourfulness(drawn)
    scores = {}
    for scale in SCALES:
        images = pictures(pipe, [p for p, _ in prompts], SEED, scale)
        found = []
        for pair in (True, False):
            which = [i for i, s in enumerate(scenes) if (len(s.counts) == 2) == pair]
            for above in {scenes[i].arrangement == "above" for i in which}:
                some = [i for i in which if (scenes[i].arrangement == "above") == above]
                shares = measure(images[some], [scenes[i] for i in some], judge)
                found.append((len(some), sum(shares.values()) / len(shares)))
        right = sum(n * share for n, share in found) / sum(n for n, _ in found)
        scores[scale] = right - abs(colourfulness(images) / wanted - 1) / 2
        print(f"guidance {scale}: right {right:.3f}, score {scores[scale]:.3f}", flush=True)
    (work.runs / "guidance.json").write_text(json.dumps(scores, indent=1) + "\n")
    return scores
