"""Draw several pictures of a prompt, and keep the one that shows it best."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from clipcond.cli.console import console, waiting
from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.picture_making import draw_all, interrupts_held, report
from clipcond.cli.pictures import Artist
from clipcond.cli.reading import open_encoder
from clipcond.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipcond.reading import DualEncoder

MOST = 100  # pictures in memory
_OWN = ("embedded", "embedded-zh")


@dataclass(frozen=True, slots=True)
class BestOf:
    """How many pictures are drawn for one that is kept, and what scores them."""

    n: int
    encoder: DualEncoder

    def make_all(self, artist: Artist, jobs: Sequence[PictureJob], *, as_json: bool) -> int:
        """Make the pictures and print them and their scores; one that fails leaves the others.

        Args:
            jobs: the first seed of each; its candidates have that and the next ones.
        Returns:
            how many were made.
        """
        n_made = 0
        for i, job in enumerate(jobs, 1):
            console.place = job.place
            try:
                self._make(artist, job, f"{i} of {len(jobs)}: " if len(jobs) > 1 else "", as_json)
                n_made += 1
            except Exception as error:
                report(job, error)
        console.place = ""
        return n_made

    def _make(self, artist: Artist, job: PictureJob, label: str, as_json: bool) -> None:
        from clipcond.reading.scoring import scored_texts

        # first, as a prompt without text should not cost what drawing takes
        texts = scored_texts(self.encoder, [job.prompt], artist.pipe.conditioner.dialect)
        candidates = [replace(job, seed=job.seed + i) for i in range(self.n)]
        images = _draw(artist, candidates, label)
        scores = self._scores(images, texts[0])
        best = max(range(self.n), key=lambda i: scores[i])  # of equal ones the first
        with interrupts_held():
            made = artist.save(images[best], candidates[best])
            made |= {
                "score": scores[best],
                "candidates": [
                    {"seed": each.seed, "score": score}
                    for each, score in zip(candidates, scores, strict=True)
                ],
            }
            print(json.dumps(made) if as_json else made["path"], flush=True)
        if not as_json:
            ranked = sorted(zip(scores, candidates, strict=True), key=lambda pair: -pair[0])
            shown = ", ".join(f"{each.seed} {score:.4f}" for score, each in ranked)
            console.say(f"seed and score: {shown}")

    def _scores(self, images: Sequence[Image], text: str) -> list[float]:
        """Compute each picture's CLIPScore.

        Raises:
            PictureError: all are black.
        """
        from clipcond.reading import clip_score

        scores: list[float] = clip_score(self.encoder, images, text).tolist()
        is_black = [not image.getbbox() for image in images]
        if all(is_black):
            raise PictureError(
                f"all {len(images)} pictures are black",
                "",
                "The model's safety checker blanked them, or float16 is too small for its "
                "numbers (try --dtype float32).",
            )
        return [-1.0 if black else score for black, score in zip(is_black, scores, strict=True)]


def open_best_of(
    n: int, encoder: str | None, choices: tuple[str | None, str | None], allow_pickle: bool
) -> BestOf:
    """Open what scores the pictures.

    Args:
        encoder: its name; None = that of the embedded model.
        choices: the model and the tower that draw.
    Raises:
        BadParameter: the model is not the embedded one, and no encoder is named.
    """
    model, tower = choices
    if encoder is None and not (model in (None, "embedded") and tower in (None, *_OWN)):
        raise typer.BadParameter(
            "--best-of scores pictures with a whole CLIP, and this model has the text half alone: "
            "name one with --encoder, such as openai/clip-vit-large-patch14 for Stable Diffusion 1"
        )
    with waiting("loading"):
        return BestOf(n, open_encoder(encoder or tower or "embedded", "cpu", allow_pickle))


def _draw(artist: Artist, candidates: Sequence[PictureJob], label: str) -> list[Image]:
    """Draw candidates; their steps are counted behind the label."""

    def named(n_done: int, n: int) -> str:
        return f"{label}{n_done + 1}-{n_done + n}: step"

    return [image for _, image in draw_all(artist, candidates, named)]
