"""Hold what the page is started with, and what visitors can ask of it at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MOST_CHARACTERS = 20_000  # of a prompt: reading takes time in proportion
MOST_CHUNKS = 32  # of a prompt, which is cut with a warning
MOST_PICTURES = 16  # at a click
MOST_STEPS = 150
MOST_PIXELS = 2048 * 2048  # of a picture to draw
MOST_UPLOADED_PIXELS = 50_000_000
MOST_UPLOADED_BYTES = 30 * 2**20
MOST_LABELS = 200
MOST_WAITING = 8  # drawings that wait for their turn; more are refused
MAX_SEED = 2**53 - 1  # the largest that numbers of a browser hold exactly
MAX_GUIDANCE = 100


def as_written(text: str, chinese: bool) -> str:
    """Leave a message as it is."""
    return text


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What the page is started with.

    Attributes:
        output: the folder that pictures are written to.
        model, device, dtype, allow_pickle: as for `build_pipeline`.
        tower, adapter: a second text tower to choose on the page, and what maps it; None = the
            Chinese one with the embedded model, and none with others.
        lora_dir, embeddings_dir: folders of the files that prompts may name.
        encoder: what reads pictures, as for `load_encoder`.
        reword: words a message of clipcond for the page: the message, and whether in Chinese.
        report_words: the words of reports in Chinese, as for `Report.html`.
    """

    output: Path
    model: str | None = None
    device: str | None = None
    dtype: str | None = None
    allow_pickle: bool = False
    tower: str | None = None
    adapter: Path | None = None
    lora_dir: Path | None = None
    embeddings_dir: Path | None = None
    encoder: str = "embedded"
    reword: Callable[[str, bool], str] = as_written
    report_words: Mapping[str, str] = field(default_factory=dict)

    @property
    def second_tower(self) -> str | None:
        """The tower to choose besides the model's own."""
        if self.tower is None and self.model in {None, "embedded"}:
            return "embedded-zh"
        return self.tower
