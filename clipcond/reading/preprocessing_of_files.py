"""How models that are single files prepare pictures: open_clip's, OpenAI's, cn_clip's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipcond.checkpoints.tower_settings import OPEN_CLIP_CONFIG
from clipcond.errors import CheckpointError, excerpt
from clipcond.files import read_json
from clipcond.reading.preprocessing import (
    BICUBIC,
    CLIP_MEAN,
    CLIP_STD,
    Preprocessing,
    round_offset,
)

# open_clip's names of interpolations, as Pillow numbers them; "random" is for training
_INTERPOLATIONS = {"bicubic": BICUBIC, "bilinear": 2, "random": BICUBIC, None: BICUBIC}


def preprocessing_of_file(path: Path, image_size: int, *, is_chinese: bool) -> Preprocessing:
    """Choose how a single file's model prepares pictures.

    cn_clip squeezes the whole picture; open_clip and OpenAI resize the shorter side and cut the
    middle as torchvision does, if no open_clip_config.json next to the file says otherwise.

    Raises:
        CheckpointError: that config asks for what is not done here.
    Source: cn_clip 1.6.0, clip/utils.py, image_transform; open_clip 3.3, transform.py.
    """
    if is_chinese:
        return Preprocessing((image_size, image_size))
    config = path.parent / OPEN_CLIP_CONFIG
    own = read_json(config).get("preprocess_cfg") if config.is_file() else None
    return open_clip_preprocessing(own if isinstance(own, dict) else {}, image_size, str(config))


def open_clip_preprocessing(
    config: Mapping[str, Any], image_size: int, where: str
) -> Preprocessing:
    """Read the preprocessing of open_clip's config.

    Raises:
        CheckpointError: it has a way to resize or to interpolate that is not done here.
    """
    mode, name = config.get("resize_mode") or "shortest", config.get("interpolation")
    if mode not in ("shortest", "squash") or name not in _INTERPOLATIONS:
        raise CheckpointError(
            f"{where!r} says resize_mode {excerpt(repr(mode))} and interpolation "
            f"{excerpt(repr(name))}, which are not supported",
            where,
            "Known: shortest, squash; bicubic, bilinear.",
        )
    mean, std = config.get("mean") or CLIP_MEAN, config.get("std") or CLIP_STD
    return Preprocessing(
        (image_size, image_size),
        image_size if mode == "shortest" else None,
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        resample=_INTERPOLATIONS[name],
        offset=round_offset,
    )
