"""A frozen vision tower: pictures to the features that captions are to come near."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipcond import embedded
from clipcond.errors import CheckpointError
from clipcond.files import read_json
from clipcond.pipelines.verbosity import silent_libraries
from clipcond.training.latents import pixels_of
from clipcond.training.pairs import Pair
from clipcond.training.run_folder import Kept

__all__ = ["Vision", "features_of", "open_vision"]

N_AT_ONCE = 32
# Source: openai/CLIP, clip.py; ChineseCLIP and OpenCLIP took them over
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_PROJECTION = "text_projection.safetensors"
_CLASSES = {
    "clip_vision_model": "CLIPVisionModelWithProjection",
    "clip": "CLIPVisionModelWithProjection",
    "chinese_clip": "ChineseCLIPModel",
}


@dataclass(frozen=True, slots=True)
class Vision:
    """A vision tower with its projection.

    Args:
        side: of its pictures, in pixels.
        mean, std: of their colours, 0..1.
        width: P, of its features.
        text_projection: [P D] that its folder holds for a text tower, or None.
    """

    model: Any
    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    width: int
    text_projection: Tensor | None

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """Unit features [n P] of pixels [n 3 side side] in -1..1."""
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (self.mean, self.std))
        normed = ((pixels + 1) / 2 - mean) / std
        model = self.model
        first = model.vision_model(pixel_values=normed.to(model.device, model.dtype))
        projected = model.visual_projection(first.pooler_output).float()
        features: Tensor = torch.nn.functional.normalize(projected, dim=-1)
        return features


def open_vision(source: str | Path) -> Vision:
    """Open the vision half of a CLIP or ChineseCLIP model.

    Args:
        source: a folder as transformers saves it, or "embedded".
    Raises:
        CheckpointError: not there, of another kind, or incomplete.
    """
    is_ours = str(source) == "embedded"
    folder = embedded.folder().parent / "vision_tower" if is_ours else Path(source).expanduser()
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {str(source)!r} with a vision tower", folder)
    config = read_json(folder / "config.json")
    kind = str(config.get("model_type"))
    if kind not in _CLASSES:
        raise CheckpointError(
            f"{str(folder / 'config.json')!r} says model_type {kind!r}; vision towers known: "
            f"{', '.join(_CLASSES)}",
            folder,
        )
    model = _loaded(folder, _CLASSES[kind])
    mean, std = ((0.5,) * 3, (0.5,) * 3) if is_ours else _colours(folder)
    vision = getattr(model.config, "vision_config", model.config)
    return Vision(
        model=model.eval().requires_grad_(False),
        side=int(vision.image_size),
        mean=mean,
        std=std,
        width=model.visual_projection.out_features,
        text_projection=_projection(folder),
    )


def features_of(
    pairs: Sequence[Pair],
    vision: Vision,
    folder: Path,
    keys: dict[str, Any],
    advance: Callable[[int], None],
    *,
    writes: bool = True,
) -> np.ndarray:
    """Features [n P] of the pairs' pictures, float16, kept in a folder; its own are taken again."""
    kept = Kept(folder, "features", len(pairs), keys)
    if writes and not kept.is_whole:
        with kept.written() as add:
            for start in range(0, len(pairs), N_AT_ONCE):
                some = pairs[start : start + N_AT_ONCE]
                pixels = torch.stack([pixels_of(pair.image, (vision.side,) * 2) for pair in some])
                add("", vision.features(pixels))
                advance(len(some))
    return kept.read()


def _loaded(folder: Path, class_name: str) -> Any:
    with silent_libraries():
        import transformers

        try:
            model, info = getattr(transformers, class_name).from_pretrained(
                str(folder), dtype=torch.float32, local_files_only=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"no vision tower can be read from {str(folder)!r}: {str(error).splitlines()[0]}",
                folder,
            ) from error
    missing = sorted(key for key in info["missing_keys"] if key.startswith("vis"))
    if missing:
        raise CheckpointError(
            f"{str(folder)!r} is incomplete: {len(missing)} weights of the vision tower are "
            f"missing, such as {missing[0]}",
            folder,
        )
    return model


def _colours(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    path = folder / "preprocessor_config.json"
    told = read_json(path) if path.is_file() else {}
    return tuple(told.get("image_mean") or MEAN), tuple(told.get("image_std") or STD)


def _projection(folder: Path) -> Tensor | None:
    from safetensors.torch import load_file

    path = folder / _PROJECTION
    return load_file(path)["text_projection.weight"].float() if path.is_file() else None
