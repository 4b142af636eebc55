"""Measure Chinese prompts and English ones on the embedded model, on the same fresh scenes.

One row a system and test: the English tower; the Chinese tower without an adapter; with the linear
baseline; with the resampler after its first stage alone, and after both. Prompts are in phrasings
that no training used. Then the zero-shot accuracy of the Chinese tower against the vision tower.
Writes results_zh.json and pictures_zh.png.
"""

from __future__ import annotations

import argparse
import json
import random
import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from captions import ENGLISH
from captions_zh import CHINESE, HALF_MIXED, MIXED
from evaluate import COLUMNS, Asked, Test, arguments, fresh_prompts, grid, run_tests, show, worded
from phrasing import Language
from train_judge import load_judge
from train_zh import EMBEDDED, accuracy
from transformers import CLIPVisionModelWithProjection

from clipcond import attach, build_pipeline, load_tower
from clipcond.adapters import load_adapter
from clipcond.embedded import adapter_file
from clipcond.errors import ClipcondWarning
from clipcond.tokenizers.word_piece import chinese_tokenizer


@dataclass(frozen=True, slots=True)
class System:
    """One tower with or without an adapter, and the language it is asked in."""

    name: str
    language: Language
    tower: str | None = None
    adapter: Path | None = None

    def attached(self, pipe):  # type: ignore[no-untyped-def]
        """The pipeline with this system in it."""
        # opened here, for a name would bring along the adapter that comes with it
        tower = None if self.tower is None else load_tower(self.tower)
        allow = self.adapter is None
        return attach(pipe, clip_skip=2, tower=tower, adapter=self.adapter, allow_unaligned=allow)

    def facts(self) -> dict[str, object]:
        """What the adapter's record says of its training."""
        if self.adapter is None:
            return {}
        _, record = load_adapter(self.adapter)
        return {"minutes": round(record.minutes, 1), "stages": dict(record.stages)}


def systems(options: argparse.Namespace) -> list[System]:
    """What is measured; adapters whose file is not there are left out, with a line about it."""
    found = [
        System("English tower", ENGLISH),
        System("Chinese tower, unaligned", CHINESE, options.tower),
    ]
    for name, language, path in (
        ("linear", CHINESE, options.linear),
        ("resampler, stage 1", CHINESE, options.stage_1),
        ("resampler, stages 1 + 2", CHINESE, options.adapter),
        ("the same, half of the nouns in English", HALF_MIXED, options.adapter),
        ("the same, all of the nouns in English", MIXED, options.adapter),
        ("the same, English prompts", ENGLISH, options.adapter),
    ):
        if path is not None and path.is_file():
            found.append(System(name, language, options.tower, path))
        else:
            print(f"left out: {name}, for there is no {path}", flush=True)
    return found


def prompts_in(language: Language, test: Test) -> list[Asked]:
    """The scenes of the English test in the words of a language."""
    asked = fresh_prompts(test)
    if language is ENGLISH:
        return asked
    rng = random.Random(f"evaluation {test.draw or test.name}, in other words")
    return [replace(a, prompt=worded(a.background, a.nouns, test, rng, language)) for a in asked]


def zero_shot_accuracy(name: str) -> dict[str, float]:
    """The Chinese tower against the vision tower."""
    place = EMBEDDED / "vision_tower"
    vision = CLIPVisionModelWithProjection.from_pretrained(place, dtype=torch.float32).eval()
    found = accuracy(load_tower(name).model, vision, chinese_tokenizer())
    return {key: round(value, 4) for key, value in found.items()}


def main() -> None:
    """Run every test with every system."""
    parser = arguments(__doc__)
    parser.add_argument("--tower", default="embedded-zh", help="name or folder")
    parser.add_argument("--adapter", type=Path, default=adapter_file("embedded-zh"))
    parser.add_argument("--stage-1", type=Path, help="an adapter of the first stage alone")
    parser.add_argument("--linear", type=Path, help="an adapter of kind linear")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ClipcondWarning)
    folder = options.runs / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    pipe = build_pipeline(options.model and str(options.model))
    pipe.set_progress_bar_config(disable=True)
    judge = load_judge(options.runs)
    results: list[dict[str, object]] = []
    for system in systems(options):
        print(system.name, flush=True)
        prompts_of = partial(prompts_in, system.language)
        rows, shown = run_tests(system.attached(pipe), judge, options, prompts_of)
        results += [{"system": system.name} | row | system.facts() for row in rows]
        if system.adapter == options.adapter and system.language is CHINESE:
            grid(shown, 10).save(folder / "pictures_zh.png")
    show(results, ("system", *COLUMNS, "minutes"))
    settings = {"steps": options.steps, "guidance": options.guidance}
    zero_shot = zero_shot_accuracy(options.tower)
    text = json.dumps(settings | {"tests": results, "zero-shot": zero_shot}, indent=1)
    (folder / "results_zh.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
