"""Encode pictures and texts in one space: CLIP, both halves."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from clipcond.adapters.fingerprints import tower_fingerprint
from clipcond.checkpoints.hashes import tower_hash
from clipcond.conditioning.prompt_text import list_prompts
from clipcond.errors import PromptWarning, ReadingError, warn
from clipcond.progress import Progress
from clipcond.reading.batches import BadPicture, prepared_batches
from clipcond.reading.pictures import Picture, listed
from clipcond.reading.preprocessing import Preprocessing
from clipcond.reading.texts import embed_texts
from clipcond.towers.base import TextTower
from clipcond.towers.chinese_clip import ChineseClipTower

if TYPE_CHECKING:
    from typing import Any

BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class EncodedPictures:
    """The pictures of a call that could be read, encoded.

    Attributes:
        places: of each row, among the pictures that were given.
        embeds: [n P], unit vectors, float32, on the CPU.
        bad: the pictures that could not be read.
    """

    places: tuple[int, ...]
    embeds: Tensor
    bad: tuple[BadPicture, ...] = ()


class DualEncoder:
    """A text tower and a vision tower that encode into one space; see `load_encoder`.

    Args:
        tower: the text tower; its pooled output is what is compared.
        vision: prepared pixels [n 3 H W] -> [n P], in eval mode.
        prepare: how pictures are prepared for it.
        logit_scale: what cosines are multiplied with before a softmax: the inverse of the
            temperature. CLIP learned 100.
        logit_bias: what is added then, in SigLIP, whose probabilities are those of single pairs;
            None = probabilities are shared out among texts, as in CLIP.
        text_projection: [P D], where the tower's pooled output is not projected; or None.
        name: its name in messages; by default the tower's.
    Raises:
        ReadingError: the halves do not encode into vectors of one width.
    """

    def __init__(
        self,
        tower: TextTower,
        vision: nn.Module,
        prepare: Preprocessing,
        *,
        logit_scale: float,
        logit_bias: float | None = None,
        text_projection: Tensor | None = None,
        name: str | None = None,
    ) -> None:
        self.tower = tower
        self.vision = vision
        self.prepare = prepare
        self.logit_scale = float(logit_scale)
        self.logit_bias = None if logit_bias is None else float(logit_bias)
        self.text_projection = text_projection
        self.name = name or tower.name
        if not math.isfinite(self.logit_scale):
            raise ReadingError(f"{self.name!r} has a logit_scale of {logit_scale}")
        width, text_width = self._vision_width(), self.embed([""]).shape[1]
        if width != text_width:
            raise ReadingError(
                f"the halves of {self.name!r} do not fit: pictures become {width} numbers, texts "
                f"{text_width}"
            )
        self.width = width

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, width={self.width})"

    @property
    def reads_chinese_best(self) -> bool:
        """Whether its text tower is a Chinese one, which templates should be Chinese for."""
        return isinstance(self.tower, ChineseClipTower)

    @property
    def device(self) -> torch.device:
        """Where the vision tower runs."""
        return next(self.vision.parameters()).device

    def encode_image(
        self, images: Picture | Sequence[Picture], *, batch_size: int = BATCH_SIZE
    ) -> Tensor:
        """Encode pictures as unit vectors.

        Args:
            images: files or pictures of Pillow; see `read_picture` for what becomes of them.
            batch_size: how many are encoded at once.
        Returns:
            [n P], float32, on the CPU.
        Raises:
            PictureError: one cannot be read; see `encode_pictures`, which leaves such out.
            ReadingError: there are none, or the tower gave NaN.
        """
        found = list(self.encoded_batches(listed(images), batch_size=batch_size))
        for batch in found:
            if batch.bad:
                raise batch.bad[0].error
        return torch.cat([batch.embeds for batch in found])

    def encode_pictures(
        self,
        pictures: Sequence[Picture],
        *,
        batch_size: int = BATCH_SIZE,
        progress: bool = False,
    ) -> EncodedPictures:
        """Encode the pictures that can be read, and list the others.

        Args:
            pictures, batch_size: as for `encode_image`.
            progress: show on standard error how many are done.
        Raises:
            ReadingError: there are none, or the tower gave NaN.
        """
        found: list[EncodedPictures] = []
        with Progress("picture", len(pictures), silent=not progress) as bar:
            for batch in self.encoded_batches(pictures, batch_size=batch_size):
                found.append(batch)
                bar.advance(len(batch.places) + len(batch.bad))
        return EncodedPictures(
            tuple(place for batch in found for place in batch.places),
            torch.cat([batch.embeds for batch in found]),
            tuple(bad for batch in found for bad in batch.bad),
        )

    def encoded_batches(
        self, pictures: Sequence[Picture], *, batch_size: int = BATCH_SIZE
    ) -> Iterator[EncodedPictures]:
        """Encode pictures batch by batch; files of the next batch are read meanwhile.

        Raises:
            ReadingError: there are none, `batch_size` is no number from 1, or the tower gave NaN.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ReadingError(f"batch_size is a whole number from 1, not {batch_size!r}")
        if not pictures:
            raise ReadingError("no pictures were given")
        for batch in prepared_batches(pictures, self.prepare, batch_size):
            embeds = torch.empty(0, self.width)
            if batch.places:
                embeds = self._unit(self._encode_pixels(batch.pixels), "a picture")
            yield EncodedPictures(batch.places, embeds, batch.bad)

    def encode_text(self, texts: str | Sequence[str]) -> Tensor:
        """Encode texts as unit vectors. They are plain: brackets and colons are no syntax.

        A text of several chunks becomes the mean of its chunks' unit vectors, weighted by how many
        tokens each holds; one that fits a chunk is what the model itself makes of it.

        Returns:
            [n P], float32, on the CPU.
        Raises:
            PromptTypeError, PromptError: a text is no string, or there are none.
            ReadingError: the tower gave NaN.
        Source: OpenAI Cookbook, "Embedding texts that are longer than the model's maximum context
            length".
        """
        found = list_prompts(texts, "text")
        self.warn_unread(found)
        return self.embed(found)

    def embed(self, texts: Sequence[str], *, trimmed: bool = False) -> Tensor:
        """Encode texts as `encode_text` does, and warn of nothing.

        Args:
            trimmed: leave out padding: faster, but for the last bits the same.
        """
        embeds = embed_texts(self.tower, texts, self.text_projection, trimmed=trimmed)
        return self._unit(embeds, "a text")

    def warn_unread(self, texts: Sequence[str]) -> None:
        """Warn of words that the text tower never learned."""
        read: Any = getattr(self.tower, "unread", None)
        message = read(texts) if read is not None else ""
        if message:
            warn(PromptWarning(message))

    def logits(self, image_embeds: Tensor, text_embeds: Tensor) -> Tensor:
        """Compare unit vectors of pictures [n P] and texts [m P]: scaled cosines [n m]."""
        return self.logit_scale * image_embeds @ text_embeds.T + (self.logit_bias or 0.0)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Turn logits [n m] into the probability of each text for each picture.

        CLIP's of a picture sum up to 1; SigLIP's are each that of one pair.
        """
        return logits.softmax(-1) if self.logit_bias is None else logits.sigmoid()

    def fingerprint(self) -> str:
        """Hash what embeddings depend on: weights of both halves as float16, and preprocessing.

        Returns:
            64 hexadecimal digits.
        """
        projection = {} if self.text_projection is None else {"": self.text_projection}
        parts = (tower_fingerprint(self.tower), tower_hash(projection), self.image_fingerprint())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def image_fingerprint(self) -> str:
        """Hash what embeddings of pictures depend on: the vision half, and preprocessing.

        Two encoders with one vision half, such as the embedded ones, share it.

        Returns:
            64 hexadecimal digits.
        """
        state = {
            k: t.detach() for k, t in self.vision.state_dict().items() if t.is_floating_point()
        }
        prepare = self.prepare
        parts = (
            tower_hash(state),
            repr((prepare.size, prepare.shortest, prepare.mean, prepare.std, prepare.resample)),
            repr((prepare.scale, prepare.offset.__name__)),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @torch.no_grad()
    def _encode_pixels(self, pixels: Tensor) -> Tensor:
        weights = next(self.vision.parameters())
        embeds: Tensor = self.vision(pixels.to(weights.device, weights.dtype))
        return embeds.float().cpu()

    def _vision_width(self) -> int:
        return self._encode_pixels(torch.zeros(1, 3, *self.prepare.size)).shape[1]

    def _unit(self, embeds: Tensor, what: str) -> Tensor:
        """Bring vectors [n P] to length 1.

        Raises:
            ReadingError: one has no length, or a NaN.
        """
        lengths = embeds.norm(dim=-1, keepdim=True)
        if not bool((lengths.isfinite() & (lengths > 0)).all()):
            raise ReadingError(
                f"{self.name!r} made NaN, infinity or only zeros of {what}: its weights are "
                "damaged, or too large for float16 (try dtype=torch.float32)"
            )
        unit: Tensor = embeds / lengths
        return unit


def checked_encoder(encoder: object) -> DualEncoder:
    """Return the encoder itself.

    Raises:
        ReadingError: it is none.
    """
    if isinstance(encoder, DualEncoder):
        return encoder
    given = f"load_encoder({encoder!r})" if isinstance(encoder, str) else "load_encoder(...)"
    raise ReadingError(f"encoder is a DualEncoder, not {type(encoder).__name__}: give {given}")
