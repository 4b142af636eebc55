"""Look up the textual inversions of towers by name. Imported without torch."""

from __future__ import annotations

from collections.abc import Sequence

from clipcond.towers.protocol import ReadsTexts

ENDINGS = (".safetensors", ".pt", ".bin")


def inversion_names(towers: Sequence[ReadsTexts]) -> tuple[str, ...]:
    """List the names of the inversions that the towers keep themselves."""
    keepers = [getattr(tower, "inversions", None) for tower in towers]
    return tuple(dict.fromkeys(name for keeper in keepers if keeper for name in keeper.names))


def find_inversion(towers: Sequence[ReadsTexts], name: str) -> str | None:
    """Find an inversion by `name`, `<name>`, or either with a file's ending; None if none fits."""
    bare = name.removesuffix(next((e for e in ENDINGS if name.endswith(e)), ""))
    for guess in (name, bare, f"<{bare}>"):
        for tower in towers:
            if guess and hasattr(tower.tokenizer, "named") and tower.tokenizer.named(guess):
                return guess
    return None
