"""What is inside a file, to read: its towers, and what else lies beside them.

Only the header is read and torch is not imported, so that a file of many gigabytes is answered at
once; comparing and extracting read the one tower they are about.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clipcond.checkpoints.contents import Contents, list_contents
from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.layouts import FoundTower
from clipcond.checkpoints.tower_settings import TowerSettings, read_settings
from clipcond.errors import CheckpointError

__all__ = ["CheckpointReport", "checkpoint_report", "size_text"]


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """A file's contents; `str()` gives the table, `towers` the part that was asked for or all."""

    contents: Contents
    towers: tuple[FoundTower, ...]
    facts: tuple[TowerSettings, ...]

    def json(self) -> dict[str, Any]:
        """A dict for `json.dumps`."""
        found, header = self.contents, self.contents.header
        return {
            "file": str(header.path),
            "bytes": header.n_bytes,
            "tensors": len(header.entries),
            "family": found.family or None,
            "denoiser": found.has_denoiser,
            "text_width": found.text_width or None,
            "input_channels": found.n_channels or None,
            "vae": found.has_vae,
            "vision": found.has_vision,
            "others": list(found.others),
            "towers": [_json(t, f) for t, f in zip(self.towers, self.facts, strict=True)],
        }

    def table(self, width: int | None = None) -> str:
        """Plain text for a terminal: a column a tower."""
        from rich.console import Console

        console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
        with console.capture() as capture:
            for renderable in self._renderables():
                console.print(renderable, soft_wrap=not hasattr(renderable, "columns"))
        return capture.get()

    def __str__(self) -> str:
        return self.table()

    def _renderables(self) -> list[Any]:
        from rich.table import Table
        from rich.text import Text

        header = self.contents.header
        shown: list[Any] = [
            Text(f"{header.path.name}: {size_text(header.n_bytes)}, {len(header.entries)} tensors"),
            Text(self._others()),
        ]
        if not self.towers:
            return [*shown, Text("No text tower is in it.")]
        table = Table(show_header=False)
        rows = [_rows(t, f) for t, f in zip(self.towers, self.facts, strict=True)]
        table.add_column()
        for _ in rows:
            table.add_column(overflow="fold")
        for key in rows[0]:
            table.add_row(Text(key), *(Text(row[key]) for row in rows))
        notes = [note for tower in self.towers for note in _notes(tower)]
        return [*shown, table, *map(Text, notes)]

    def _others(self) -> str:
        found = self.contents
        words = [found.family or "unknown"]
        words += [f"listens to text {found.text_width} wide"] if found.text_width else []
        words += [f"{found.n_channels} channels in"] if found.n_channels else []
        denoiser = ", ".join(words) if found.has_denoiser else "no"
        answers = {False: "no", True: "yes"}
        others = "".join(f"; also {other}" for other in found.others)
        return (
            f"UNet: {denoiser}; VAE: {answers[found.has_vae]}; CLIP's vision half: "
            f"{answers[found.has_vision]}{others}"
        )


def checkpoint_report(
    path: Path, *, part: int | None = None, allow_pickle: bool = False
) -> CheckpointReport:
    """Read a file's header and say what is in it.

    Args:
        part: tell of this tower only.
    Raises:
        CheckpointError: the file is damaged, a pickle that is not allowed, or has no such part.
    """
    found = list_contents(read_any_header(path, allow_pickle=allow_pickle))
    towers = tuple(tower for tower in found.towers if part in (None, tower.part))
    if part is not None and not towers:
        raise CheckpointError(
            f"{str(path)!r} has no text tower #{part}", path, f"It holds {len(found.towers)}."
        )
    return CheckpointReport(found, towers, tuple(read_settings(path, tower) for tower in towers))


def size_text(n_bytes: int) -> str:
    """Bytes as people read them, in powers of ten."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= one:
            return f"{n_bytes / one:.2f} {unit}"
    return f"{n_bytes} bytes"


def _json(tower: FoundTower, known: TowerSettings) -> dict[str, Any]:
    activation = known.activation
    return {
        "part": tower.part,
        "name": tower.name or None,
        "kind": tower.layout.kind,
        "layout": tower.layout.place,
        "prefix": tower.layout.prefix + tower.layout.inner,
        **asdict(tower.sizes),
        "projection": tower.sizes.projection or None,
        "used_layers": tower.used_layers,
        "heads": known.n_heads or None,
        "activation": activation.name or None,
        "activation_why": activation.why,
        "activation_is_sure": activation.is_sure,
        "dtypes": list(tower.dtypes),
        "parameters": tower.n_values,
        "bytes": tower.n_bytes,
        "problem": tower.problem or None,
    }


def _rows(tower: FoundTower, known: TowerSettings) -> dict[str, str]:
    found, activation = tower.sizes, known.activation
    used = "" if tower.used_layers == found.layers else f", {tower.used_layers} used"
    guess = "" if activation.is_sure else "a guess: "
    return {
        "text tower": f"#{tower.part} {tower.name}",
        "lies in": tower.layout.prefix + tower.layout.inner + "*",
        "layout": tower.layout.place,
        "kind": tower.layout.kind,
        "width, heads": f"{found.width}, {known.n_heads or 'unknown'}",
        "layers": f"{found.layers}{used}",
        "context": str(found.context),
        "vocabulary": f"{found.vocabulary:,}",
        "projection": f"to {found.projection}" if found.projection else "none",
        "activation": f"{activation.name or 'unknown'} ({guess}{activation.why})",
        "numbers": ", ".join(tower.dtypes),
        "parameters": f"{tower.n_values:,} in {size_text(tower.n_bytes)}",
    }


def _notes(tower: FoundTower) -> list[str]:
    notes = []
    if tower.problem:
        notes.append(f"#{tower.part} cannot be opened: {tower.problem}")
    if tower.used_layers != tower.sizes.layers:
        notes.append(
            f"#{tower.part}: its UNet was trained on layer {tower.used_layers} with the final "
            f"norm. load_tower opens as many, so that this is clip skip 1; with full_depth=True "
            f"it is clip skip {tower.sizes.layers - tower.used_layers + 1}."
        )
    return notes
