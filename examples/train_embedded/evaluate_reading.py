"""Measure reading: zero-shot, recall of search, interrogation drawn again, the best of N pictures.

Prints a row a test. Scenes and prompts are fresh; the judge that names objects has never seen the
vision tower.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from captions import ENGLISH, Mix
from captions_zh import CHINESE, COLOUR_OF
from evaluate import Asked, arguments, images_of
from phrasing import Language
from PIL import Image
from rich.progress import track
from train_judge import border_colour, load_judge, views_of
from world import COLOURS, NOUNS, ONE, PAIR, place, render

from clipcond import build_pipeline
from clipcond.errors import ClipcondWarning
from clipcond.reading import DualEncoder, ZeroShotClassifier, clip_score, interrogate, load_encoder

CAPTIONS = Mix(sized=0.0, filler=0.0, strange=0.0, held_out=True)
LANGUAGES = {"embedded": ENGLISH, "embedded-zh": CHINESE}
MOST = 8  # pictures of a prompt


def fresh_scenes(
    n: int, n_things: int, rng: random.Random, language: Language = ENGLISH
) -> tuple[list[Asked], list[Image.Image]]:
    """Scenes, no two alike, with captions in phrasings that training did not use."""
    made: dict[tuple[str, tuple[int, ...]], tuple[Asked, Image.Image]] = {}
    while len(made) < n:
        background = rng.choice(list(COLOURS))
        nouns = tuple(rng.sample(range(len(NOUNS)), n_things))
        if (background, nouns) in made:
            continue
        scene = place(background, nouns, [ONE if n_things == 1 else PAIR] * n_things, rng)
        caption = language.describe(background, list(nouns), rng, CAPTIONS).prompt
        picture = Image.fromarray(render(scene, rng))
        made[background, nouns] = Asked(caption, background, nouns), picture
    asked, pictures = zip(*made.values(), strict=True)
    return list(asked), list(pictures)


def recall(encoder: DualEncoder, language: Language, n: int, n_things: int) -> dict[str, float]:
    """How often the right one is the nearest, or among the five nearest, of n."""
    rng = random.Random("recall")
    asked, pictures = fresh_scenes(n, n_things, rng, language)
    cosines = (
        encoder.encode_text([each.prompt for each in asked]) @ encoder.encode_image(pictures).T
    )
    result = {}
    for name, table in (("text to image", cosines), ("image to text", cosines.T)):
        rank = (table > table.diagonal()[:, None]).sum(1)
        for k in (1, 5):
            result[f"{name} @{k}"] = float((rank < k).float().mean())
    return result


def named(encoder: DualEncoder, language: Language, n_each: int) -> dict[str, float]:
    """Name fresh scenes of one thing by zero-shot, with the default template and an ensemble.

    The ensemble names every background, as captions do: the vectors of its texts are averaged.
    """
    rng, chinese = random.Random("naming"), language is CHINESE
    nouns, pictures = [], []
    for i in range(len(NOUNS) * n_each):
        nouns.append(i // n_each)
        scene = place(rng.choice(list(COLOURS)), (nouns[-1],), [ONE], rng)
        pictures.append(Image.fromarray(render(scene, rng)))
    labels = [names[0] for names in language.names]
    backgrounds = [
        f"{COLOUR_OF[colour]}背景上的一个{{}}" if chinese else f"a {{}} on a {colour} background"
        for colour in COLOURS
    ]
    result = {}
    for name, templates in (("default", None), ("backgrounds", backgrounds)):
        found = ZeroShotClassifier(encoder, labels, templates=templates)(pictures, top_k=5)
        ranks = [
            [label for label, _ in row].index(labels[noun]) if labels[noun] in dict(row) else 5
            for row, noun in zip(found, nouns, strict=True)
        ]
        result |= {f"{name} @{k}": float(np.mean([rank < k for rank in ranks])) for k in (1, 5)}
    return result


def seen_by(judge: torch.nn.Module, images: torch.Tensor, n_things: int) -> list[tuple[int, ...]]:
    """Name the things in pictures [n 3 H W], left first."""
    with torch.no_grad():
        seen = judge(views_of(images, n_things).flatten(0, 1)).argmax(1).view(-1, n_things)
    return [tuple(row) for row in seen.tolist()]


def drawn_again(pipe, judge, options) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Interrogate scenes of one thing, draw the prompts, and compare what both show."""
    asked, pictures = fresh_scenes(options.scenes, 1, random.Random("interrogation"))
    encoder = load_encoder()
    prompts = [interrogate(encoder, each).prompt for each in track(pictures, "interrogate")]
    images = images_of(pipe, prompts, 5_000_000, options)
    pairs = list(zip(asked, seen_by(judge, images, 1), images, strict=True))
    return {
        "object": float(np.mean([a.nouns == seen for a, seen, _ in pairs])),
        "background": float(np.mean([a.background == border_colour(i) for a, _, i in pairs])),
    }


def best_of(pipe, judge, options) -> dict[int, dict[str, float]]:  # type: ignore[no-untyped-def]
    """Draw each prompt of a pair MOST times, and judge the best of each 1, 2, 4, ... of them."""
    encoder, rng = load_encoder(), random.Random("best of")
    right: dict[int, list[Sequence[bool]]] = {n: [] for n in (1, 2, 4, MOST)}
    for i in track(range(options.prompts), "best of"):
        background, nouns = rng.choice(list(COLOURS)), tuple(rng.sample(range(len(NOUNS)), 2))
        prompt = ENGLISH.describe(background, list(nouns), rng, CAPTIONS).prompt
        images = images_of(pipe, [prompt] * MOST, 6_000_000 + MOST * i, options)
        pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        scores = clip_score(encoder, [Image.fromarray(each) for each in pixels], prompt)
        seen = seen_by(judge, images, 2)
        for n, found in right.items():
            for start in range(0, MOST, n):
                best = start + int(scores[start : start + n].argmax())
                same = border_colour(images[best]) == background
                any_right = any(set(each) == set(nouns) for each in seen[start : start + n])
                found.append((set(seen[best]) == set(nouns), any_right, same))
    names = ("both objects", "in any of them", "background")
    return {
        n: dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))
        for n, found in right.items()
    }


def show(name: str, shares: dict[str, float]) -> None:
    print(
        name + ":", ", ".join(f"{what} {share:.1%}" for what, share in shares.items()), flush=True
    )


def main() -> None:
    """Run every test on the embedded models."""
    parser = arguments(__doc__)
    parser.add_argument("--scenes", type=int, default=100, help="that are interrogated")
    parser.add_argument("--prompts", type=int, default=100, help="that are drawn 8 times each")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ClipcondWarning)
    for name, language in LANGUAGES.items():
        show(f"{name}, named", named(load_encoder(name), language, 3))
        for n_things, n in ((1, len(NOUNS) * len(COLOURS)), (2, 1000)):
            show(
                f"{name}, {n} scenes of {n_things}",
                recall(load_encoder(name), language, n, n_things),
            )
    pipe = build_pipeline(options.model and str(options.model), clip_skip=2)
    pipe.set_progress_bar_config(disable=True)
    judge = load_judge(options.runs)
    if options.scenes:
        show(f"{options.scenes} interrogated, drawn again", drawn_again(pipe, judge, options))
    if options.prompts:
        for n, shares in best_of(pipe, judge, options).items():
            show(f"best of {n}", shares)


if __name__ == "__main__":
    main()
