"""Find the vision half of a CLIP in a file, and say what is there in its place.

Only names, shapes and dtypes are looked at, and torch is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from clipcond.checkpoints.contents import describe, list_contents
from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.naming import NamingScheme, Sizes, find_problem, measure
from clipcond.checkpoints.tensor_names import (
    VISION_OPEN_CLIP,
    VISION_TRANSFORMERS,
    VISUAL_PROJECTION,
)
from clipcond.errors import CheckpointError

# The places of a vision transformer: prefix of the whole, what may follow it, naming.
_PLACES: tuple[tuple[str, str, NamingScheme], ...] = (
    ("visual.", "", VISION_OPEN_CLIP),
    ("", "vision_model.", VISION_TRANSFORMERS),
)
# Vision models that no class of transformers runs, by a name that only they have.
_OTHERS = {
    "visual.layer1.0.conv1.weight": "a ResNet",
    "visual.attnpool.positional_embedding": "a ResNet",
    "visual.trunk.": "a model of timm's",
    "visual.cls_token": "EVA-CLIP's own vision transformer",
    "visual.attn_pool.": "CoCa's",
}
# Who published, whole, the CLIP whose text half is in a checkpoint: by width and blocks.
_WHOLE = {
    (768, 12): "openai/clip-vit-large-patch14",
    (1024, 23): "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    (1024, 24): "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    (1280, 32): "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
}


@dataclass(frozen=True, slots=True)
class FoundVision:
    """A vision transformer in a file.

    Attributes:
        scheme: how its tensors are named.
        tensors: the scheme's name -> the file's name.
        sizes: P is `projection`, the side of a patch `patch`, patches and class token `context`.
        n_patches: along one side of its pictures.
    """

    scheme: NamingScheme
    tensors: Mapping[str, str]
    sizes: Sizes

    @property
    def n_patches(self) -> int:
        return math.isqrt(self.sizes.context - 1)

    @property
    def image_size(self) -> int:
        """The side of its pictures in pixels."""
        return self.n_patches * self.sizes.patch


def find_vision(header: Header) -> FoundVision:
    """Find the vision half of a file.

    Raises:
        CheckpointError: there is none, as in a diffusion checkpoint; it is of a kind that
            transformers does not run; or it is not whole.
    """
    entries = header.entries
    other = next((k for mark, k in _OTHERS.items() if any(n.startswith(mark) for n in entries)), "")
    if other:
        raise CheckpointError(
            f"the vision half of {str(header.path)!r} is {other}, which transformers cannot run",
            header.path,
            "Open the model with open_clip (pip install open_clip_torch), and give it to "
            "encoder_from_open_clip.",
        )
    for prefix, inner, scheme in _PLACES:
        tensors = _tensors(prefix, inner, entries)
        if not tensors.keys().isdisjoint(scheme.marks):
            return _checked(scheme, tensors, header)
    raise no_vision(header)


def no_vision(header: Header) -> CheckpointError:
    """Make the error for a file without a vision half; says who published the whole CLIP."""
    found = list_contents(header)
    shapes = [(tower.sizes.width, tower.used_layers) for tower in found.towers]
    whole = next((_WHOLE[shape] for shape in shapes if shape in _WHOLE), "")
    why = (
        "A diffusion checkpoint carries the text half of its CLIP and never the vision half. "
        if found.has_denoiser or found.has_vae
        else ""
    )
    where = f"Its text half was published whole as {whole!r}: open that." if whole else (
        "Open a whole CLIP, such as 'openai/clip-vit-large-patch14'."
    )  # fmt: skip
    return CheckpointError(
        f"{str(header.path)!r} has no vision half, so it cannot read pictures",
        header.path,
        f"It holds {describe(found)}. {why}{where}",
    )


def _tensors(prefix: str, inner: str, entries: Mapping[str, Entry]) -> dict[str, str]:
    start = prefix + inner
    found = {name[len(start) :]: name for name in entries if name.startswith(start)}
    if inner and VISUAL_PROJECTION in entries:
        found[VISUAL_PROJECTION] = VISUAL_PROJECTION
    return found


def _checked(scheme: NamingScheme, tensors: dict[str, str], header: Header) -> FoundVision:
    entries = {name: header.entries[full] for name, full in tensors.items()}
    path, sizes = header.path, measure(scheme, entries)
    problem = find_problem(scheme, entries, tensors)
    found = FoundVision(
        scheme, {n: f for n, f in tensors.items() if n not in scheme.ignored}, sizes
    )
    if not problem and found.n_patches**2 + 1 != sizes.context:
        problem = f"its {sizes.context} positions are no square of patches and a class token"
    if problem:
        raise CheckpointError(
            f"the vision half of {str(path)!r} is no plain vision transformer: {problem}",
            path,
            "Where open_clip opens it (pip install open_clip_torch), give its model to "
            "encoder_from_open_clip.",
        )
    return found
