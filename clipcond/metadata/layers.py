"""Choose the layer of a text encoder that a picture's file names, as its tool counts layers.

A1111 and clipcond count from 1, where SDXL has one layer for 1 and 2. ComfyUI, and what is built on
it, count the blocks of each text encoder from -1, and a file that says nothing means the layer that
the model was trained on: so -1 that is written means another layer of SDXL than nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clipcond.checkpoints.layouts import SD2_DEPTH
from clipcond.metadata.comfyui_graph import LAST, STOPS
from clipcond.metadata.samplers import is_a1111, is_own
from clipcond.towers.protocol import HiddenLayer

if TYPE_CHECKING:
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.metadata.parameters import Parameters

_COUNT_BLOCKS = {"ComfyUI", "SwarmUI", "Fooocus"}


def clip_skip_of(parameters: Parameters, conditioner: Conditioner | None = None) -> int | None:
    """Take clip skip from the settings; A1111 does not write 1, and has none for several towers.

    Args:
        conditioner: that encodes the prompts; None = the towers are not known yet.
    Returns:
        for the conditioner's towers; None = its own, also where that is the layer of the settings.
    """
    skip = parameters.clip_skip
    if is_a1111(parameters):
        return 1 if conditioner is not None and len(conditioner.towers) > 1 else skip or 1
    if conditioner is None or skip is None or not _counts_blocks(parameters):
        return skip
    if _says_last(parameters) and _reads_last(parameters, conditioner):
        return None
    # ComfyUI has all 24 blocks of this text encoder
    return skip - 1 if skip > 1 and _is_sd2(conditioner) else skip


def layers_not_honoured(
    parameters: Parameters, conditioner: Conditioner, *, is_read_so: bool = False
) -> Iterator[str]:
    """Say which layer of the settings is not followed, and unless `is_read_so` how it could be."""
    skip = parameters.clip_skip or 1
    if is_a1111(parameters) and skip > 2 and len(conditioner.towers) > 1:
        yield f"Clip skip: {skip}; with several text towers A1111 does not follow it, nor this."
    if is_a1111(parameters) and skip > 1 and _is_sd2(conditioner):
        yield (
            f"Clip skip: {skip}; which block of Stable Diffusion 2 that is for A1111 is not known, "
            f"so it is counted from the last of {SD2_DEPTH}."
        )
    if not (_counts_blocks(parameters) and _says_last(parameters)):
        return
    if _is_sd2(conditioner):
        yield (
            f"The picture's layer is the 24th block of Stable Diffusion 2; here block {SD2_DEPTH} "
            "is the last, and is read."
        )
    elif conditioner.reads.layer.depth > 1 and not _reads_last(parameters, conditioner):
        is_norm = conditioner.reads.layer.final_norm
        remedy = "" if is_read_so else f" Say layer=HiddenLayer(1, final_norm={is_norm})."
        which = "" if _says_last_of_all(parameters) else "for some of its texts "
        yield (
            f"The picture's layer is {which}the last block; here the block before it is "
            f"read.{remedy if not which else ''}"
        )


def _counts_blocks(parameters: Parameters) -> bool:
    return parameters.others.get("Generator") in _COUNT_BLOCKS and not is_own(parameters)


def _says_last(parameters: Parameters) -> bool:
    """Whether the last block was chosen; the 1 of Fooocus is not its default, which is 2."""
    is_said = parameters.others.get("Generator") == "Fooocus"
    is_said |= any(name in parameters.others for name in STOPS)
    return parameters.clip_skip == 1 and is_said


def _says_last_of_all(parameters: Parameters) -> bool:
    return {parameters.others[name] for name in STOPS if name in parameters.others} <= {LAST}


def _reads_last(parameters: Parameters, conditioner: Conditioner) -> bool:
    """Whether a conditioner was made for the last block, which no clip skip of its model names."""
    usual = conditioner.reads.layer
    last = HiddenLayer(1, final_norm=usual.final_norm)
    is_unnamed = usual.depth > 1 and _says_last_of_all(parameters)
    return is_unnamed and {*conditioner.layers()} == {last}


def _is_sd2(conditioner: Conditioner) -> bool:
    return [tower.depth for tower in conditioner.towers] == [SD2_DEPTH]
