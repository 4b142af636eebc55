"""What the page's buttons do: from the values of fields to values to show, without gradio."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

from clipcond.app import html
from clipcond.app.converting import convert_prompt
from clipcond.app.drawing import Progress, Stops, follow
from clipcond.app.live import count
from clipcond.app.pictures import check_upload
from clipcond.app.reader import Reader
from clipcond.app.sending import Sent, sent
from clipcond.app.settings import AppSettings
from clipcond.app.studio import Drawn, Studio
from clipcond.app.wishes import (
    OWN,
    RANDOM,
    Reading,
    Wish,
    check_wish,
    chosen_seed,
    compared,
    whole,
)
from clipcond.app.wording import Language
from clipcond.conditioning.dialects import DialectName, find_dialect
from clipcond.errors import ArgumentError, ClipcondError, UnknownNameError
from clipcond.metadata import read_parameters
from clipcond.metadata.pictures import text_parameters

log = logging.getLogger("clipcond.app")
Captioned: TypeAlias = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DrawView:
    """What is shown while and after drawing.

    Attributes:
        status: HTML: progress, what went wrong, what was said.
        pictures: (path, caption) of each.
        seed: the first picture's; None = nothing is drawn yet.
    """

    status: str
    pictures: Captioned
    seed: int | None


@dataclass
class Desk:
    """What all visitors of one language share."""

    studio: Studio
    reader: Reader
    language: Language
    stops: Stops = field(default_factory=Stops)

    @classmethod
    def of(cls, studio: Studio, reader: Reader, *, chinese: bool) -> Desk:
        """Make the desk of one language."""
        settings = studio.settings
        words = settings.report_words if chinese else {}
        return cls(studio, reader, Language(chinese, settings.reword, words))

    @property
    def settings(self) -> AppSettings:
        return self.studio.settings

    def reading(self, dialect: str, tower: str | None, clip_skip: float | None) -> Reading:
        """Make of the fields how prompts are read; clip skip 0 or nothing = the model's own.

        Raises:
            UnknownNameError: no such dialect or tower.
        """
        find_dialect(cast(DialectName, dialect))
        if (tower or OWN) not in self.studio.towers:
            raise UnknownNameError("text tower here", tower, filter(None, self.studio.towers))
        skip = int(clip_skip) if clip_skip else None
        return Reading(cast(DialectName, dialect), skip, tower or OWN)

    def draw(self, wish: Wish, session: str) -> Iterator[DrawView]:
        """Draw, and show each step."""
        yield from self._draw([wish], session, by_dialect=False)

    def compare(self, wish: Wish, dialects: list[str], session: str) -> Iterator[DrawView]:
        """Draw the same in several dialects, with one seed."""
        wishes = compared(wish, dialects)
        if not wishes:
            text = self.language.said("Choose one or more dialects.")
            yield DrawView(html.error(text), [], None)
            return
        yield from self._draw(wishes, session, by_dialect=True)

    def _draw(self, wishes: list[Wish], session: str, *, by_dialect: bool) -> Iterator[DrawView]:
        said = self.language.said
        pictures: Captioned = []
        warned: dict[str, None] = {}
        seed, n_drawn = None, 0
        is_stopped = self.stops.asker(session)
        try:
            for wish in wishes:
                check_wish(wish)
            for event in follow(self.studio, wishes, is_stopped):
                if isinstance(event, Progress):
                    yield DrawView(html.progress(event, self.language), pictures, seed)
                    continue
                seed = event.seed if seed is None else seed
                caption = self._caption(event, wishes[n_drawn] if by_dialect else None)
                pictures = [*pictures, (str(event.path), caption)]
                if event.sheet is not None:
                    pictures = [*pictures, (str(event.sheet), said("What each word drew"))]
                n_drawn += 1
                warned |= dict.fromkeys(map(self.language.message, event.warnings))
        except Exception as error:
            yield DrawView(html.error(self.language.failure(error)), pictures, seed)
            return
        n_all = sum(wish.count for wish in wishes)
        done = said("Stopped: {} of {} drawn.", n_drawn, n_all) if is_stopped() else ""
        folder = said("Saved in {}", str(self.settings.output.resolve())) if pictures else ""
        status = html.line(" ".join(filter(None, (done, folder))))
        yield DrawView(status + html.notes(warned), pictures, seed)

    def _caption(self, drawn: Drawn, wish: Wish | None) -> str:
        if wish is None:
            return self.language.said("Seed {}", drawn.seed)
        report = self.studio.explainer(wish.reading).explain(wish.prompt)
        return f"{wish.reading.dialect}: {count(report.chunks)}"

    def inspect(self, prompt: str, negative: str, reading: Reading) -> str:
        """Show what is encoded of both prompts, as HTML."""
        try:
            explainer = self.studio.explainer(reading)
            found = explainer.explain(prompt, negative or None)
            return html.report(found, self.language)
        except Exception as error:
            return html.error(self.language.failure(error))

    def convert(self, texts: tuple[str, str], source: str, target: str) -> tuple[str, str, str]:
        """Convert prompt and negative; return both, and as HTML what was lost."""
        found = [convert_prompt(text, source, target, self.language) for text in texts]
        failed = any(each.text is None for each in found)
        notes = [note for each in found for note in each.notes]
        shown = html.error("\n\n".join(notes)) if failed else html.notes(notes)
        if not notes:
            shown = html.line(self.language.said("Nothing is lost: the same words and weights."))
        return found[0].text or "", found[1].text or "", shown

    def classify(self, picture: str | None, labels: str) -> str:
        """Name what a picture shows among labels, as HTML."""
        try:
            found = self.reader.classify(check_upload(picture), labels)
        except Exception as error:
            return html.error(self.language.failure(error))
        rows = [(label, f"{p:.1%}", p) for label, p in found]
        return html.table(rows, self.language.said("What it shows"))

    def interrogate(self, picture: str | None, dialect: str) -> tuple[str, str]:
        """Infer a prompt from a picture; return it, and what went wrong as HTML."""
        try:
            chinese = self.language.chinese and self.reader.name == "embedded"
            path = check_upload(picture)
            return self.reader.interrogate(path, dialect, chinese=chinese), ""
        except Exception as error:
            return "", html.error(self.language.failure(error))

    def score(self, picture: str | None, prompt: str, dialect: str) -> str:
        """Score how well a picture shows a prompt, as HTML."""
        try:
            found = self.reader.score(check_upload(picture), prompt, dialect)
        except Exception as error:
            return html.error(self.language.failure(error))
        return html.score(found, self.language)

    def info(self, picture: str | None) -> tuple[str, str]:
        """Read what a picture was made with; return it, and what went wrong as HTML."""
        if not picture:
            return "", ""
        try:
            return read_parameters(check_upload(picture)).as_written(), ""
        except Exception as error:
            # its name is the visitor's, its folder is the server's
            said = self.language.failure(error).replace(picture, Path(picture).name)
            return "", html.error(said)

    def send(self, made_with: str) -> tuple[Sent | None, str]:
        """Make values of the fields of what a picture was made with.

        Returns:
            the values, None if the text cannot be read; and as HTML what is not taken over, or
            what went wrong.
        """
        try:
            found = sent(text_parameters(made_with), self.studio, self.language)
        except Exception as error:
            return None, html.error(self.language.failure(error))
        return found, html.notes(found.notes)

    def wish(
        self,
        texts: tuple[str, str],
        reading: Reading,
        numbers: tuple[Any, ...],
        scheduler: str,
        spacing: str = OWN,
    ) -> Wish:
        """Make a wish of the fields' values; fields left empty are the model's own.

        Args:
            numbers: steps, guidance, seed, width, height, count; `check_wish` refuses what is none.
        """
        own = self.studio.own
        usual = (own["steps"], own["guidance"], RANDOM, *own["size"], 1)
        given = (whole(use if n is None else n) for n, use in zip(numbers, usual, strict=True))
        steps, guidance, seed, width, height, n = given
        return Wish(
            *texts,
            reading,
            steps,
            guidance,
            scheduler,
            chosen_seed(seed),
            (width, height),
            n,
            spacing=spacing,
        )

    def parameters_of(self, pictures: Captioned, index: int) -> str:
        """Read what the picture at this place of the gallery was made with."""
        if not 0 <= index < len(pictures):
            return ""
        try:
            return read_parameters(Path(pictures[index][0])).as_written()
        except (ClipcondError, ArgumentError):  # the file was deleted meanwhile
            return ""
