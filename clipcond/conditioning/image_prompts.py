"""Let pictures stand in for prompts, alone or together with one."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clipcond.adapters import Adapter, load_adapter
from clipcond.adapters.base import CastAdapter
from clipcond.conditioning.prompt_text import list_prompts
from clipcond.conditioning.results import Conditioning
from clipcond.errors import ArgumentError, TowerError, counted

if TYPE_CHECKING:
    from clipcond.reading.pictures import Picture

Images: TypeAlias = "Picture | Sequence[Picture] | Tensor"  # Tensor = their embeddings [n P]
ALIGN = (
    "clipcond align --image --tower ENCODER --teacher PIPE --pairs CAPTIONS -o image.safetensors"
)


class EncodesImages(Protocol):
    """Encodes pictures as an image adapter reads them; `clipcond.reading.DualEncoder` does."""

    name: str
    width: int

    def encode_image(self, images: Picture | Sequence[Picture]) -> Tensor:
        """Encode one picture or several as vectors of length 1, [n P]."""

    def image_fingerprint(self) -> str:
        """Hash what the vectors depend on."""


@dataclass(frozen=True)
class ImageReader:
    """An image adapter, and the encoder whose embeddings it reads.

    Raises:
        TowerError: they do not belong together.
    """

    adapter: Adapter
    encoder: EncodesImages

    def __post_init__(self) -> None:
        adapter, encoder = self.adapter, self.encoder
        if adapter.config.kind != "image":
            raise TowerError(
                f"a {adapter.config.kind!r} adapter reads a text tower, not pictures",
                f"Train an image adapter: {ALIGN}",
            )
        record = adapter.record
        is_other = record is not None and record.tower != encoder.image_fingerprint()
        if is_other or adapter.config.tower_width != encoder.width:
            named = "another encoder"
            if record is not None and record.tower_name != encoder.name:
                named = f"the encoder {record.tower_name!r}"
            raise TowerError(
                f"the image adapter was aligned to {named}, not to this {encoder.name!r}",
                "Open that one with load_encoder().",
            )
        object.__setattr__(self, "_map", CastAdapter(adapter))

    def embed(self, images: Images) -> Tensor:
        """Encode pictures, or check embeddings: vectors of length 1, or of zeros, [n P].

        Raises:
            PictureError: a picture cannot be read.
            ArgumentError: embeddings of another shape, or not finite.
        """
        if not isinstance(images, Tensor):
            return self.encoder.encode_image(images)
        width = self.encoder.width
        rows = images.reshape(1, -1) if images.dim() == 1 else images
        if rows.dim() != 2 or rows.shape[1] != width or not len(rows):
            raise ArgumentError(f"embeddings are [n {width}], not {list(images.shape)}")
        if not bool(rows.isfinite().all()):
            raise ArgumentError("embeddings of pictures hold NaN or infinity")
        return normalize(rows.float(), dim=-1)

    def rows(self, embeds: Tensor, like: Tensor) -> Conditioning:
        """Map embeddings [n P] to rows [n length D] and pooled vectors, on a tensor's device.

        Raises:
            TowerError: the adapter gives NaN or infinite values.
        """
        cast: CastAdapter = vars(self)["_map"]
        made = cast(embeds[:, None].to(like.device, like.dtype), None)
        if not bool(made.hidden.isfinite().all()):
            message = f"the image adapter of {self.encoder.name!r} gives NaN or infinite values"
            raise TowerError(message, "Use float32: its values are beyond float16.")
        return Conditioning(made.hidden, made.pooled)


class TakesImages:
    """A mixin for a Conditioner: pictures in place of prompts.

    Attributes:
        find_image_reader: what gives the reader of pictures where the caller gave none, when it is
            first needed; None = nothing.
    """

    find_image_reader: Callable[[], ImageReader | None] | None = None
    _image_reader: ImageReader | None = None

    @abstractmethod
    def __call__(self, prompts: str | Sequence[str], clip_skip: int | None = None) -> Conditioning:
        """Condition on prompts."""

    @property
    @abstractmethod
    def embeds_width(self) -> int:
        """D, of the embeds."""

    @abstractmethod
    def empty_chunk(self, clip_skip: int | None = None) -> Conditioning:
        """Condition on the empty prompt: one chunk, whole."""

    def take_images(self, adapter: Adapter | str | PathLike[str], encoder: EncodesImages) -> None:
        """Take the adapter that `with_image` uses.

        Args:
            adapter: an image adapter, as `clipcond align --image` trains it, or its file.
            encoder: what it was aligned to, from `clipcond.reading.load_encoder`.
        Raises:
            CheckpointError: the file cannot be read.
            TowerError: they do not belong together, or do not fit the model.
        """
        if not isinstance(adapter, Adapter):
            adapter, _ = load_adapter(adapter)
        reader = ImageReader(adapter, encoder)
        self._check_width(reader)
        self._image_reader = reader

    def follow_images(self, other: TakesImages) -> None:
        """Take the image adapter that another Conditioner was given, if it fits."""
        given = other._image_reader
        if given is not None and given.adapter.config.width == self.embeds_width:
            self._image_reader = given

    @property
    def image_reader(self) -> ImageReader:
        """The image adapter in use, with its encoder.

        Raises:
            TowerError: this model has none.
        """
        if self._image_reader is None and self.find_image_reader is not None:
            self._image_reader = self.find_image_reader()
        if self._image_reader is None:
            raise TowerError(
                "this model has no image adapter, so pictures cannot take the place of a prompt",
                "Give it one with conditioner.take_images(adapter, encoder). "
                f"To train one: {ALIGN}",
            )
        return self._image_reader

    def with_image(
        self,
        image: Images,
        prompt: str | Sequence[str] = "",
        image_weight: float = 1.0,
        *,
        clip_skip: int | None = None,
    ) -> Conditioning:
        """Condition on a picture, alone or together with a prompt.

        Pass the result on as `prompt_embeds`, of SDXL also as `pooled_prompt_embeds`; a
        `negative_prompt` of the same call is brought to its length. A prompt that changes over time
        is encoded as `conditioner(prompt)` encodes it, with the same warning.

        Args:
            image: a file, its bytes, a picture of Pillow, or embeddings [n P], as of `slerp`; or
                several.
            prompt: a prompt of this dialect, or several; "" = the picture alone. One picture serves
                several prompts, and one prompt several pictures.
            image_weight: 1 = the rows that the adapter makes; 0 = those of the empty prompt; other
                weights move them along the line between.
            clip_skip: of the prompt, for this call only.
        Returns:
            embeds [b S D]: the picture's chunk, then those of the prompt, if any is not empty.
        Raises:
            TowerError: this model has no image adapter.
            PictureError: the picture cannot be read.
            ArgumentError: a weight that is no finite number; embeddings of another shape; pictures
                and prompts that do not pair.
        """
        if not _is_number(image_weight):
            raise ArgumentError(f"image_weight is a finite number, not {image_weight!r}")
        prompts = list_prompts(prompt)
        embeds = self.image_reader.embed(image)
        n = max(len(embeds), len(prompts))
        if {len(embeds), len(prompts)} - {1, n}:
            raise ArgumentError(
                f"{counted(len(embeds), 'picture')}, but {counted(len(prompts), 'prompt')}",
                "Give as many, or one of either for all of the others.",
            )
        with torch.inference_mode(False), torch.no_grad():
            text = self(prompts, clip_skip)
            picture = self._weighted(embeds, image_weight, text.embeds, clip_skip)
            return _joined(picture, text, [not each for each in prompts], n)

    def _weighted(
        self, embeds: Tensor, weight: float, like: Tensor, clip_skip: int | None
    ) -> Conditioning:
        """Make the pictures' rows, moved from those of the empty prompt by their weight."""
        reader = self.image_reader
        self._check_width(reader)
        made = reader.rows(embeds, like)
        if weight == 1.0:
            return made
        empty = self.empty_chunk(clip_skip)
        if empty.embeds.shape[1:] != made.embeds.shape[1:]:
            raise TowerError(
                f"the image adapter makes {made.embeds.shape[1]} rows, but a chunk of this tower "
                f"has {empty.embeds.shape[1]}: image_weight can only be 1",
            )
        pooled = made.pooled
        if pooled is not None and empty.pooled is not None:
            pooled = torch.lerp(empty.pooled.to(pooled).expand_as(pooled), pooled, weight)
        rows = torch.lerp(empty.embeds.expand_as(made.embeds), made.embeds, weight)
        return Conditioning(rows, pooled)

    def _check_width(self, reader: ImageReader) -> None:
        width, own = reader.adapter.config.width, self.embeds_width
        if width != own:
            raise TowerError(
                f"the image adapter makes rows {width} wide, but this model reads {own}",
                "Use one that was aligned to this model.",
            )


def _joined(
    picture: Conditioning, text: Conditioning, is_empty: list[bool], n: int
) -> Conditioning:
    """Join the pictures' rows and the prompts': [n S D]."""
    rows, mask = picture.embeds.expand(n, -1, -1), text.attention_mask
    pooled = text.pooled
    if pooled is not None and picture.pooled is not None:
        alone = torch.tensor(is_empty, device=pooled.device).expand(n)[:, None]
        pooled = torch.where(alone, picture.pooled.to(pooled), pooled)
    elif pooled is not None:
        pooled = pooled.expand(n, -1)
    if all(is_empty):
        return Conditioning(rows.clone(), pooled, None, text.issues)
    if mask is not None:
        mask = torch.cat([mask.new_ones(n, rows.shape[1]), mask.expand(n, -1)], dim=1)
    embeds = torch.cat([rows, text.embeds.expand(n, -1, -1)], dim=1)
    return Conditioning(embeds, pooled, mask, text.issues)


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -math.inf < value < math.inf  # type: ignore[operator]
