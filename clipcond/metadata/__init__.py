"""Read and write what pictures say of how they were made, and make them again.

`read_parameters("picture.png")` gives `Parameters`; `pipe(**parameters.call(pipe))` draws it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.metadata.parameters import Parameters, read_parameters
    from clipcond.metadata.pictures import save_picture
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "parameters": ("Parameters", "read_parameters"),
            "pictures": ("save_picture",),
        },
    )

__all__ = ["Parameters", "read_parameters", "save_picture"]
