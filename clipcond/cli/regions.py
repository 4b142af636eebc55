"""Check the regions of `clipcond generate`, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from clipcond.errors import PictureError
from clipcond.prompt.region_texts import read_region


def check_regions(texts: Sequence[str], base_share: float | None) -> None:
    """Refuse texts that are no regions, masks that are not there, and a share without regions.

    Raises:
        PromptSyntaxError, PictureError, BadParameter: says which, and where.
    """
    if base_share is not None and not texts:
        raise typer.BadParameter("--base-share goes with --region")
    for text in texts:
        mask = read_region(text).mask
        if mask and not Path(mask).is_file():
            message = f"the mask {mask!r} cannot be read: there is no such file"
            raise PictureError(message, mask, "Give its path, or a place such as 'left: a cat'.")


def region_arguments(texts: Sequence[str], base_share: float | None) -> dict[str, Any]:
    """Make the arguments of a pipeline's call; {} without regions."""
    if not texts:
        return {}
    from clipcond.pipelines import regional

    return {"regions": regional(*texts), "base_share": base_share}
