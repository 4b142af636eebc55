"""Summarise a checkpoint file: its text towers, and what else it contains.

Only the header is read and torch is not imported, so a file of many gigabytes is answered at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clipcond.checkpoints.contents import Contents, list_contents
from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.layouts import FoundTower
from clipcond.checkpoints.tower_settings import TowerSettings, read_settings
from clipcond.errors import CheckpointError, counted


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """The contents of a file, and the towers to show with what is known of each."""

    contents: Contents
    towers: tuple[FoundTower, ...]
    facts: tuple[TowerSettings, ...]

    def json(self) -> dict[str, Any]:
        """Return a dict for `json.dumps`."""
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
            "towers": [_json(*pair) for pair in zip(self.towers, self.facts, strict=True)],
        }

    def table(self, width: int | None = None) -> str:
        """Return plain text for a terminal, with a column for each tower."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        header = self.contents.header
        table = Table(show_header=False)
        rows = [_rows(*pair) for pair in zip(self.towers, self.facts, strict=True)]
        table.add_column()
        for _ in rows:
            table.add_column(overflow="fold")
        for label in rows[0] if rows else ():
            table.add_row(label, *(Text(row[label]) for row in rows))
        console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
        size = f"{size_text(header.n_bytes)}, {counted(len(header.entries), 'tensor')}"
        with console.capture() as capture:
            console.print(Text(f"{header.path.name}: {size}"), soft_wrap=True)
            console.print(Text(self._other_parts()), soft_wrap=True)
            console.print(table if rows else "No text tower is in it.")
            for note in (note for tower in self.towers for note in _notes(tower)):
                console.print(Text(note), soft_wrap=True)
        return capture.get()

    def _other_parts(self) -> str:
        found = self.contents
        details = [found.family or "unknown"]
        details += [f"listens to text {found.text_width} wide"] if found.text_width else []
        details += [f"{found.n_channels} channels in"] if found.n_channels else []
        unet = ", ".join(details) if found.has_denoiser else "no"
        vae, vision = ("yes" if there else "no" for there in (found.has_vae, found.has_vision))
        others = "".join(f"; also {other}" for other in found.others)
        return f"UNet: {unet}; VAE: {vae}; CLIP's vision half: {vision}{others}"


def checkpoint_report(
    path: Path, *, part: int | None = None, allow_pickle: bool = False
) -> CheckpointReport:
    """Read a file's header and report what the file contains.

    Args:
        part: the number of the only tower to report; None = all.
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
    """Write a number of bytes in powers of ten: "6.55 MB"."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= one:
            return f"{n_bytes / one:.2f} {unit}"
    return f"{n_bytes} bytes"


def _json(tower: FoundTower, known: TowerSettings) -> dict[str, Any]:
    activation, sizes = known.activation, asdict(tower.sizes)
    del sizes["patch"]  # of vision towers
    return {
        "part": tower.part,
        "name": tower.name or None,
        "kind": tower.layout.kind,
        "layout": tower.layout.place,
        "prefix": tower.layout.prefix + tower.layout.inner,
        **sizes,
        "projection": tower.sizes.projection or None,
        "used_layers": tower.used_layers,
        "heads": known.n_heads or None,
        "heads_are_sure": known.heads_are_sure,
        "activation": activation.name or None,
        "activation_why": activation.why,
        "activation_is_sure": activation.is_sure,
        "dtypes": list(tower.dtypes),
        "parameters": tower.n_values,
        "bytes": tower.n_bytes,
        "problem": tower.problem or None,
    }


def _rows(tower: FoundTower, known: TowerSettings) -> dict[str, str]:
    sizes, activation = tower.sizes, known.activation
    used = "" if tower.used_layers == sizes.layers else f", {tower.used_layers} used"
    guess = "" if activation.is_sure else "a guess: "
    heads = f"{known.n_heads or 'unknown'}{'' if known.heads_are_sure else ' (a guess)'}"
    return {
        "text tower": f"#{tower.part} {tower.name}",
        "tensors": tower.layout.prefix + tower.layout.inner + "*",
        "layout": tower.layout.place,
        "kind": tower.layout.kind,
        "width, heads": f"{sizes.width}, {heads}",
        "layers": f"{sizes.layers}{used}",
        "context": str(sizes.context),
        "vocabulary": f"{sizes.vocabulary:,}",
        "projection": f"to {sizes.projection}" if sizes.projection else "none",
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
