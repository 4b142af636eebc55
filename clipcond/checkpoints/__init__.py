"""Open text towers from files, and list what files hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.checkpoints.opening import load_tower, load_towers
    from clipcond.checkpoints.single_file import open_state_dict
    from clipcond.checkpoints.textual_inversions import load_inversion
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "opening": ("load_tower", "load_towers"),
            "single_file": ("open_state_dict",),
            "textual_inversions": ("load_inversion",),
        },
    )

__all__ = ["load_inversion", "load_tower", "load_towers", "open_state_dict"]
