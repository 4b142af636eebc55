"""Files to towers: headers, layouts, what is inside a file, opening, extraction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.checkpoints.opening import load_tower
    from clipcond.checkpoints.textual_inversions import load_inversion
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "load_inversion": "textual_inversions",
            "load_tower": "opening",
        },
    )

__all__ = [
    "load_inversion",
    "load_tower",
]
