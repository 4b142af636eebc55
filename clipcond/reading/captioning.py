"""Describe pictures with a captioner of transformers: BLIP."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, TypeAlias

import torch
from torch import nn

from clipcond.checkpoints.places import find_folder
from clipcond.errors import CheckpointError, first_line
from clipcond.files import read_json
from clipcond.locks import LOADING
from clipcond.reading.pictures import Picture, read_picture

Captioner: TypeAlias = Callable[[Picture], str]
MOST_TOKENS = 40
_KINDS = {"blip": "BlipForConditionalGeneration"}


def load_captioner(source: str | PathLike[str], device: torch.device | str = "cpu") -> Captioner:
    """Open a model that captions pictures, as a function from a picture to a text.

    Args:
        source: a folder or hub id of a BLIP model.
        device: where a model runs.
    Raises:
        CheckpointError: not found, incomplete, or no model that captions pictures.
    """
    folder = find_folder(source, None)
    kind = str(read_json(folder / "config.json").get("model_type"))
    if kind not in _KINDS:
        raise CheckpointError(
            f"{str(source)!r} says model_type {kind!r}; captioners known: {', '.join(_KINDS)}",
            folder,
            "Such as 'Salesforce/blip-image-captioning-base'; or give a function from a picture "
            "to a text.",
        )
    with LOADING:
        import transformers

        try:
            model, info = getattr(transformers, _KINDS[kind]).from_pretrained(
                str(folder), local_files_only=True, output_loading_info=True
            )
            reads: Any = transformers.BlipProcessor
            processor = reads.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            message = f"no captioner can be read from {str(source)!r}: {first_line(error)}"
            raise CheckpointError(message, folder) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{str(source)!r} is incomplete: {len(missing)} weights are missing, such as "
            f"{missing[0]}",
            folder,
        )
    return _Blip(model.to(device).eval(), processor)


class _Blip:
    """A captioner that writes the likeliest words, one after the other."""

    def __init__(self, model: nn.Module, processor: object) -> None:
        self._model: Any = model
        self._processor: Any = processor

    @torch.no_grad()
    def __call__(self, picture: Picture) -> str:
        inputs = self._processor(images=read_picture(picture), return_tensors="pt")
        pixels = inputs["pixel_values"].to(self._model.device)
        ids = self._model.generate(pixel_values=pixels, max_new_tokens=MOST_TOKENS, do_sample=False)
        caption: str = self._processor.decode(ids[0], skip_special_tokens=True)
        return caption.strip()
