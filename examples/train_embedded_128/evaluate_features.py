"""Measure what clipcond makes of the embedded model: regions, variations, reading, the best of N.

`python -m train_embedded_128.evaluate_features --runs runs_128`, once the model is that of
clipcond/embedded. Scenes and phrasings are held out. Prints a row a test; writes features.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from clipcond import build_pipeline
from clipcond.errors import ClipcondWarning
from clipcond.reading import ZeroShotClassifier, clip_score, interrogate, load_encoder

from .captions import with_article
from .captions_zh import WORDS
from .fetch_artwork import ARTWORK
from .judging import halves, load_judge
from .measuring import NOTHING, Row, asked, measure, pictures
from .models import Judge
from .nouns import NOUNS
from .render import Renderer, as_tensors, seeded
from .settings import TINY, Sizes
from .sprites import Sprites, load_sprites
from .world import BACKGROUNDS, Scene, Thing

# The first edition's, which do not know what a scene is.
evaluate_images = importlib.import_module("evaluate_images")
evaluate_regions = importlib.import_module("evaluate_regions")
pillow = evaluate_images.pillow
ENCODERS = {"en": "embedded", "zh": "embedded-zh"}
ONE = Row("one", replace(NOTHING, held_out=True))
PAIR = Row("pair", replace(NOTHING, held_out=True, pair=1.0, above=0.0))
MOST = 8  # pictures of a prompt
SEEDS = {"again": 5_000_000, "best": 6_000_000}
PARTS = ("regions", "variations", "recall", "named", "drawn_again", "best_of")
Shares = dict[str, float]


class Features:
    """The parts of the table; each gives rows of shares by their name."""

    def __init__(self, judge: Judge, sprites: Sprites, n: int, **call: float | None) -> None:
        self.judge, self.sprites, self.n = judge, sprites, n
        self.call = {name: value for name, value in call.items() if value is not None}
        self.pipe = build_pipeline(clip_skip=2, device="cpu")
        self.pipe.set_progress_bar_config(disable=True)

    def asked(self, row: Row, n: int, language: str = "en") -> tuple[list[str], list[Scene]]:
        """Prompts and scenes, no two of which mean the same."""
        both = asked(row, 3 * n, self.sprites.offers, language)
        different = list({scene.meaning: (text, scene) for text, scene in both}.values())[:n]
        return [text for text, _ in different], [scene for _, scene in different]

    def drawn(self, scenes: Sequence[Scene], seed: str) -> Tensor:
        """Renderings of scenes, as no training saw them: [n 3 H W] in -1..1."""
        return Renderer(self.sprites).draw(as_tensors(scenes), seeded("cpu", "features", seed))

    def regions(self) -> dict[str, Shares]:
        """A thing asked for in each half, in the first edition's wordings."""
        _, scenes = self.asked(PAIR, self.n)
        words = []
        for scene in scenes:
            a, b = (with_article(NOUNS[thing.noun].names[0]) for thing, _ in scene.counts)
            words.append({"a": a, "b": b, "on": f"on a {scene.background} background"})
        found = {}
        for wording in evaluate_regions.WORDINGS:
            images = evaluate_regions.draw(self.pipe, wording, words, **self.call)
            shares = measure(images, scenes, self.judge)
            shares["drawn so"] = shares["both"] * shares.get("order", 0.0)
            said = (wording.base, wording.left, wording.right, str(wording.base_share))
            found["regions " + " | ".join(said)] = shares
        return found

    def variations(self) -> dict[str, Shares]:
        """What one variation of a picture keeps of it."""
        found = {}
        for row in (ONE, PAIR):
            _, scenes = self.asked(row, self.n)
            images = self.drawn(scenes, "variations")
            found[f"{row.name}, the scenes"] = measure(images, scenes, self.judge)
            made = evaluate_images.vary(self.pipe, images, **self.call)
            found[f"{row.name}, variations"] = measure(made, scenes, self.judge)
        return found

    def recall(self) -> dict[str, Shares]:
        """How often the right one of all is the nearest, or among the five nearest."""
        found = {}
        for language, name in ENCODERS.items():
            encoder = load_encoder(name)
            for row in (ONE, PAIR):
                texts, scenes = self.asked(row, 5 * self.n, language)
                images = encoder.encode_image(pillow(self.drawn(scenes, "recall")))
                cosines = encoder.encode_text(texts) @ images.T
                shares = {}
                for what, table in (("text to image", cosines), ("image to text", cosines.T)):
                    rank = (table > table.diagonal()[:, None]).sum(1)
                    shares |= {f"{what} @{k}": float((rank < k).float().mean()) for k in (1, 5)}
                found[f"{name}, {len(scenes)} of {row.name}"] = shares
        return found

    def named(self) -> dict[str, Shares]:
        """Zero-shot among all nouns, on random backgrounds, by the templates."""
        rng, found = random.Random("naming"), {}
        scenes = [Scene(rng.choice(BACKGROUNDS), (Thing(i),)) for i in range(len(NOUNS))]
        images = pillow(self.drawn(scenes, "naming"))
        for language, name in ENCODERS.items():
            encoder, is_chinese = load_encoder(name), language == "zh"
            labels = [noun.chinese[0] if is_chinese else noun.names[0] for noun in NOUNS]
            every = [
                f"{WORDS[c][0]}背景上的一个{{}}" if is_chinese else f"a {{}} on a {c} background"
                for c in BACKGROUNDS
            ]
            kinds = ["bare", "chinese-7"] if is_chinese else ["bare", "openai-7", "openai-80"]
            choices = {"the default": None, "all backgrounds": every} | {
                kind: kind for kind in kinds
            }
            for templates, choice in choices.items():
                rows = ZeroShotClassifier(encoder, labels, templates=choice)(images, top_k=5)
                shares = {}
                for k in (1, 5):
                    right = [
                        label in [each for each, _ in row[:k]]
                        for row, label in zip(rows, labels, strict=True)
                    ]
                    shares[f"@{k}"] = sum(right) / len(right)
                found[f"{name}, templates {templates}"] = shares
        return found

    def drawn_again(self) -> dict[str, Shares]:
        """What prompts that were read out of pictures draw."""
        _, scenes = self.asked(ONE, self.n)
        encoder = load_encoder()
        prompts = [interrogate(encoder, each).prompt for each in pillow(self.drawn(scenes, "read"))]
        images = self.pictures(prompts, SEEDS["again"])
        return {"interrogated, drawn again": measure(images, scenes, self.judge)}

    def best_of(self) -> dict[str, Shares]:
        """Whether the best of the first 1, 2, 4, ... pictures is right, and whether any is."""
        prompts, scenes = self.asked(PAIR, self.n)
        encoder = load_encoder()
        found: dict[int, list[tuple[bool, bool]]] = {n: [] for n in (1, 2, 4, MOST)}
        for i, (prompt, scene) in enumerate(zip(prompts, scenes, strict=True)):
            images = self.pictures([prompt] * MOST, SEEDS["best"] + MOST * i)
            right = self.shows_both(images, scene)
            scores = clip_score(encoder, pillow(images), prompt)
            for n, rows in found.items():
                for start in range(0, MOST, n):
                    best = start + int(scores[start : start + n].argmax())
                    rows.append((right[best], any(right[start : start + n])))
        return {
            f"best of {n}": {
                "both": sum(best for best, _ in rows) / len(rows),
                "both in any": sum(each for _, each in rows) / len(rows),
            }
            for n, rows in found.items()
        }

    def pictures(self, prompts: Sequence[str], seed: int) -> Tensor:
        """Draw prompts: [n 3 H W] in -1..1."""
        steps = int(self.call.get("num_inference_steps", 20))
        return pictures(self.pipe, prompts, seed, self.call.get("guidance_scale"), steps)

    @torch.no_grad()
    def shows_both(self, images: Tensor, scene: Scene) -> list[bool]:
        """Whether each picture shows the two things of a scene."""
        seen = self.judge(halves(images, above=False).flatten(0, 1))["noun"].argmax(1)
        wanted = {thing.noun for thing, _ in scene.counts}
        return [set(pair) == wanted for pair in seen.view(-1, 2).tolist()]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="evaluate_features", description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs_128"), help="with the judge")
    parser.add_argument("--sprites", type=Path, default=ARTWORK / "sprites.npz")
    parser.add_argument("--n", type=int, default=200, help="scenes a row")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, help="by default the model's own")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--tiny", action="store_true", help="a judge made with --tiny")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    options = arguments().parse_args(argv)
    warnings.simplefilter("ignore", ClipcondWarning)
    features = Features(
        load_judge(options.runs, TINY if options.tiny else Sizes()),
        load_sprites(options.sprites),
        options.n,
        num_inference_steps=options.steps,
        guidance_scale=options.guidance,
    )
    found: dict[str, dict[str, Shares]] = {}
    for part in options.parts:
        found[part] = getattr(features, part)()
        for name, shares in found[part].items():
            print(
                name + ":", ", ".join(f"{k} {100 * v:.1f}" for k, v in shares.items()), flush=True
            )
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (options.runs / "features.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
