"""Encode pictures as a VAE's latents or a vision tower's features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from clipcond import embedded
from clipcond.checkpoints.folders import read_weights
from clipcond.checkpoints.tensor_names import PROJECTION
from clipcond.errors import CheckpointError, first_line
from clipcond.files import local_path, read_json
from clipcond.locks import LOADING
from clipcond.pipelines.protocols import Autoencoder
from clipcond.pipelines.verbosity import silent_libraries
from clipcond.training.pairs import BadPair, Pair
from clipcond.training.run_folder import Records

if TYPE_CHECKING:
    from PIL import Image

# Source: openai/CLIP, clip.py; ChineseCLIP and OpenCLIP took them over
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_CLASSES = {
    "clip_vision_model": "CLIPVisionModelWithProjection",
    "clip": "CLIPVisionModelWithProjection",
    "chinese_clip": "ChineseCLIPModel",
}


def find_broken_pictures(pairs: Iterable[Pair]) -> list[BadPair]:
    """Find pairs whose picture cannot be opened; each file is read to its end."""
    bad = []
    for pair in pairs:
        if pair.image is None:
            continue
        try:
            _open_upright(pair.image)
        except Exception as error:  # Pillow fails with a dozen kinds
            bad.append(BadPair(pair.line, f"its picture cannot be read: {first_line(error)}"))
    return bad


def encode_pictures(
    images: Sequence[Path], size: tuple[int, int], encode: Callable[[Tensor], Tensor], rows: range
) -> Records:
    """Encode some of the pictures, scaled and cut to (height, width), as float16 [b ...].

    Args:
        encode: pixels [b 3 H W] in -1..1 -> [b ...].
    """
    pixels = torch.stack([_read_pixels(path, size) for path in images[rows.start : rows.stop]])
    return encode(pixels).detach().to("cpu", torch.float16).numpy()


@torch.no_grad()
def encode_latents(vae: Autoencoder, pixels: Tensor) -> Tensor:
    """Encode pixels [b 3 H W] as latents [b C h w], on the device of a diffusers autoencoder."""
    mean, config = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mean, vae.config
    shift = getattr(config, "shift_factor", None) or 0.0
    latents: Tensor = (mean - shift) * config.scaling_factor
    return latents


def _read_pixels(path: Path, size: tuple[int, int]) -> Tensor:
    """Read pixels [3 H W] in -1..1, scaled to cover `size` and cut about their middle."""
    from PIL import Image

    height, width = size
    image = _open_upright(path).convert("RGB")
    scale = max(height / image.height, width / image.width)
    scaled = max(width, round(image.width * scale)), max(height, round(image.height * scale))
    image = image.resize(scaled, Image.Resampling.LANCZOS)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    cut = np.array(image.crop((left, top, left + width, top + height)))
    return torch.from_numpy(cut).permute(2, 0, 1).float() / 127.5 - 1


def _open_upright(path: Path) -> Image.Image:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return ImageOps.exif_transpose(image)  # a copy, which is read to its end


@dataclass(frozen=True, slots=True)
class VisionTower:
    """A frozen vision tower with its projection.

    Args:
        size: height and width of its pictures, in pixels.
        mean, std: of the colours it was trained on, 0..1.
        width: P, of its features.
        text_projection: [P D] that its folder holds for a text tower, or None.
    """

    model: Any
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    width: int
    text_projection: Tensor | None

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """Encode pixels [n 3 size size] in -1..1 as unit features [n P]."""
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (self.mean, self.std))
        normed = ((pixels + 1) / 2 - mean) / std
        model = self.model
        first = model.vision_model(pixel_values=normed.to(model.device, model.dtype))
        projected = model.visual_projection(first.pooler_output).float()
        return torch.nn.functional.normalize(projected, dim=-1)


def open_vision(source: str | Path) -> VisionTower:
    """Open the vision tower of a CLIP or ChineseCLIP model.

    Args:
        source: a folder as transformers saves it, or "embedded".
    Raises:
        CheckpointError: missing, of another kind, or incomplete.
    """
    is_embedded = str(source) == "embedded"
    folder = embedded.folder().parent / "vision_tower" if is_embedded else local_path(source)
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
    model = _load_model(folder, _CLASSES[kind])
    colours = {}
    if (folder / "preprocessor_config.json").is_file():
        colours = read_json(folder / "preprocessor_config.json")
    vision = getattr(model.config, "vision_config", model.config)
    return VisionTower(
        model=model.eval().requires_grad_(False),
        size=int(vision.image_size),
        mean=tuple(colours.get("image_mean") or MEAN),
        std=tuple(colours.get("image_std") or STD),
        width=model.visual_projection.out_features,
        text_projection=_read_projection(folder / "text_projection.safetensors"),
    )


def _read_projection(path: Path) -> Tensor | None:
    if not path.is_file():
        return None
    weights = read_weights([path])
    if PROJECTION not in weights:
        raise CheckpointError(f"{str(path)!r} has no {PROJECTION}", path, "Save it again.")
    return weights[PROJECTION][0]


def _load_model(folder: Path, class_name: str) -> Any:
    with LOADING, silent_libraries():
        import transformers

        try:
            model, info = getattr(transformers, class_name).from_pretrained(
                str(folder), dtype=torch.float32, local_files_only=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"no vision tower can be read from {str(folder)!r}: {first_line(error)}", folder
            ) from error
    missing = sorted(key for key in info["missing_keys"] if key.startswith("vis"))
    if missing:
        raise CheckpointError(
            f"{str(folder)!r} is incomplete: {len(missing)} weights of the vision tower are "
            f"missing, such as {missing[0]}",
            folder,
        )
    return model
