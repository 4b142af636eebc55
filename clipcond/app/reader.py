"""Read pictures: what they show, what they were made with, whether they followed their prompt."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

from clipcond.app.settings import MOST_CHARACTERS, MOST_LABELS
from clipcond.conditioning.dialects import DIALECTS
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.errors import ReadingError
from clipcond.metadata import read_parameters
from clipcond.reading import (
    DualEncoder,
    PromptScore,
    ZeroShotClassifier,
    interrogate,
    load_encoder,
    score_parts,
)

# What separates labels, also as Chinese input methods type it.
_COMMAS = re.compile("[,，、\n]")
_HAN = re.compile("[\u3400-\u9fff]")


@dataclass
class Reader:
    """The encoders that read pictures, opened when they are first needed.

    Args:
        name: as for `load_encoder`; for the embedded one, Chinese texts take the Chinese one.
    """

    name: str
    device: str | None = None
    allow_pickle: bool = False

    def __post_init__(self) -> None:
        self._encoders: dict[str, DualEncoder] = {}
        self._opening = threading.Lock()

    def classify(self, picture: Path, labels: str) -> list[tuple[str, float]]:
        """Name what a picture shows among labels, which commas separate; the likeliest first.

        Raises:
            ReadingError: there are no labels, or too many.
            PictureError: the picture cannot be read.
        """
        texts = list(dict.fromkeys(each.strip() for each in _COMMAS.split(labels) if each.strip()))
        if not texts:
            raise ReadingError("labels are missing, such as: cat, dog, owl")
        if len(texts) > MOST_LABELS:
            raise ReadingError(f"there are at most {MOST_LABELS} labels here, not {len(texts)}")
        classifier = ZeroShotClassifier(self._encoder(labels), texts)
        return classifier([picture], top_k=len(texts))[0]

    def interrogate(self, picture: Path, dialect: str, *, chinese: bool) -> str:
        """Infer a prompt from a picture, in the syntax of a dialect."""
        encoder = self._encoder("猫" if chinese else "")
        return interrogate(encoder, picture, dialect=dialect).prompt  # type: ignore[arg-type]

    def score(self, picture: Path, prompt: str, dialect: str) -> PromptScore:
        """Score how well a picture shows a prompt, by default the one in its file.

        Raises:
            PictureError: no prompt is given, and the picture has none.
            PromptError: the prompt has no text.
        """
        if not prompt.strip():
            found = read_parameters(picture)
            own = found.others.get("Dialect", "")
            prompt, dialect = found.prompt, own if own in DIALECTS else "a1111"
        if len(prompt) > MOST_CHARACTERS:
            raise ReadingError(f"a prompt has at most {MOST_CHARACTERS:,} characters here")
        encoder = self._encoder(prompt)
        with collect_warnings(shown=False):  # the prompt field says them
            return score_parts(encoder, picture, prompt, dialect=dialect)  # type: ignore[arg-type]

    def _encoder(self, texts: str) -> DualEncoder:
        is_chinese = self.name == "embedded" and _HAN.search(texts) is not None
        name = "embedded-zh" if is_chinese else self.name
        with self._opening:
            if name not in self._encoders:
                self._encoders[name] = load_encoder(
                    name, allow_pickle=self.allow_pickle, device=self.device or "cpu"
                )
            return self._encoders[name]
