"""Say how clip skip counts, to code that was written for plain diffusers."""

from __future__ import annotations

from clipcond.conditioning import Conditioner
from clipcond.errors import TowerError, warn


def warn_of_clip_skip(clip_skip: object, conditioner: Conditioner) -> bool:
    """Warn that a clip skip counts otherwise in plain diffusers, if it names a layer here.

    There 1 is one layer deeper than the one that the model was trained on: the penultimate layer
    of Stable Diffusion, the third from the end of SDXL and SD3, trained on the penultimate.

    Returns:
        whether a warning was given.
    """
    if not isinstance(clip_skip, int) or isinstance(clip_skip, bool):
        return False
    try:
        layer = conditioner.layers(clip_skip)[0].depth
    except TowerError:  # which the call is about to say
        return False
    theirs = clip_skip + conditioner.reads.layer.depth
    depth = min(tower.depth for tower in conditioner.towers)
    here = f", which is clip_skip={theirs} here" if theirs <= depth else ""
    warn(
        f"clip_skip={clip_skip} is layer {layer} from the end here, as A1111 counts; plain "
        f"diffusers means layer {theirs} by it{here}. Say clip_skip= in attach(), and this is not "
        "shown again."
    )
    return True
