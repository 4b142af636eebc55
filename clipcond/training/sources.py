"""What an adapter reads: the states of a text tower, or the embeddings of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch

from clipcond.adapters import tower_fingerprint
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.dialects import find_dialect
from clipcond.conditioning.image_prompts import EncodesImages
from clipcond.towers import TextTower
from clipcond.training.pair_encoding import PromptEncoder, SideEncoder, States
from clipcond.training.pairs import Pair
from clipcond.training.settings import AlignSettings


class Source(ABC):
    """What an adapter reads.

    Attributes:
        name: in messages and in the record.
        width: of its states.
        context_length: how many states a chunk has.
        adapter: the kind of adapter that reads it; None = as the settings say.
        reads_pictures: whether the pictures of pairs are what it encodes.
    """

    name: str
    width: int
    context_length: int
    adapter: str | None = None
    reads_pictures: bool = False

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash what its states depend on, as an alignment record holds it."""

    @abstractmethod
    def encoder(self, settings: AlignSettings) -> SideEncoder:
        """Make the encoder of its side of pairs.

        Raises:
            TowerError: a layer that is not there.
        """

    @abstractmethod
    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Freeze its weights and move them."""


class TowerSource(Source):
    """The hidden states of a text tower."""

    def __init__(self, tower: TextTower) -> None:
        self.tower, self.name, self.width = tower, tower.name, tower.width
        self.context_length = tower.special.context_length

    def fingerprint(self) -> str:
        return tower_fingerprint(self.tower)

    def encoder(self, settings: AlignSettings) -> SideEncoder:
        conditioner = Conditioner(self.tower, dialect=find_dialect(settings.dialect), pooled=False)
        for clip_skip in settings.clip_skips:
            conditioner.layers(clip_skip)
        text = attrgetter("tower")
        return PromptEncoder(conditioner, settings.clip_skips, self.context_length, text)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        model: Any = getattr(self.tower, "model", None)
        if model is not None:
            model.requires_grad_(False).eval().to(device, dtype)


class PictureSource(Source):
    """The embeddings of pictures, one state each; zeros are the picture of the empty prompt."""

    context_length, adapter, reads_pictures = 1, "image", True

    def __init__(self, encoder: EncodesImages) -> None:
        self.images, self.name, self.width = encoder, encoder.name, encoder.width

    def fingerprint(self) -> str:
        return self.images.image_fingerprint()

    def encoder(self, settings: AlignSettings) -> SideEncoder:
        return _PictureEncoder(self.images, settings.clip_skips)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move nothing: pictures are encoded once, where their encoder is."""


@dataclass(frozen=True, slots=True)
class _PictureEncoder:
    """Encodes the pictures of pairs."""

    images: EncodesImages
    clip_skips: tuple[int, ...]

    def count_chunks(self, pair: Pair) -> int:
        return 1

    def encode(self, pairs: Sequence[Pair], n_chunks: int) -> States:
        embeds = torch.zeros(len(pairs), self.images.width)
        paths = {i: pair.image for i, pair in enumerate(pairs) if pair.image is not None}
        if paths:
            embeds[list(paths)] = self.images.encode_image(list(paths.values())).cpu()
        return embeds[:, None, None], None, None  # [n K S D], one layer and one state
