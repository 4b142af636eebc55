"""Name what pictures show among labels that no training saw: zero-shot classification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from clipcond.errors import ReadingError
from clipcond.progress import Progress
from clipcond.reading.batches import BadPicture
from clipcond.reading.encoder import BATCH_SIZE, DualEncoder, checked_encoder
from clipcond.reading.pictures import Picture, listed
from clipcond.reading.templates import fill, find_templates, usual_templates


class ZeroShotClassifier:
    """A classifier made of label texts: a picture gets the label whose text is nearest to it.

    Each label is put into every template, and the mean of their unit vectors, brought to length 1,
    stands for the label: a matrix of one row a label, computed once. A label is added by adding a
    row.

    Args:
        encoder: both halves of a CLIP.
        labels: one or more texts, each once.
        templates: a name ("photo", "openai-7", "openai-80", "chinese", "chinese-7", "bare"), or one
            or several texts with {} for the label. None = "A photo of a {}"; for a Chinese text
            tower, or a label with Chinese characters, "一张{}的照片".
    Raises:
        ReadingError: no labels, one twice or empty, or a template without {}.
        UnknownNameError: no templates of that name.
    Source: Radford et al. 2021, section 3.1.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        labels: Sequence[str],
        templates: str | Sequence[str] | None = None,
    ) -> None:
        self.encoder = checked_encoder(encoder)
        self._templates = None if templates is None else find_templates(templates)
        self._labels: tuple[str, ...] = ()
        self._embeds = torch.empty(0, encoder.width)
        if isinstance(labels, str) or not labels:
            raise ReadingError(f"labels are a list of one or more texts, not {labels!r}")
        self._add(labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the rows of `embeds`."""
        return self._labels

    @property
    def embeds(self) -> Tensor:
        """The labels' unit vectors [labels P], float32."""
        return self._embeds

    def add(self, label: str) -> None:
        """Add a label: one more row, and no training.

        Raises:
            ReadingError: it is there already, or empty.
        """
        self._add([label])

    def __call__(
        self, images: Picture | Sequence[Picture], *, top_k: int = 5, batch_size: int = BATCH_SIZE
    ) -> list[list[tuple[str, float]]]:
        """Name what pictures show.

        Args:
            images, batch_size: as for `DualEncoder.encode_image`.
            top_k: how many labels are wanted of each picture; fewer where there are fewer.
        Returns:
            of each picture its likeliest labels with their probabilities, the likeliest first. All
            labels' sum up to 1, but SigLIP's are each of one label alone.
        Raises:
            PictureError: a picture cannot be read.
            ReadingError: `top_k` is no whole number from 1, or there are no pictures.
        """
        return self.top(self.encoder.encode_image(listed(images), batch_size=batch_size), top_k)

    def classify_files(
        self, pictures: Sequence[Picture], *, top_k: int = 5, progress: bool = False
    ) -> Iterator[tuple[int, list[tuple[str, float]] | BadPicture]]:
        """Name pictures one after the other; those that cannot be read come as `BadPicture`.

        Yields:
            the picture's place among those given, in order, and its labels as above.
        """
        with Progress("picture", len(pictures), silent=not progress) as bar:
            for batch in self.encoder.encoded_batches(pictures):
                found: dict[int, list[tuple[str, float]] | BadPicture]
                found = dict(zip(batch.places, self.top(batch.embeds, top_k), strict=True))
                found |= {bad.place: bad for bad in batch.bad}
                bar.advance(len(found))
                yield from sorted(found.items())

    def top(self, image_embeds: Tensor, top_k: int = 5) -> list[list[tuple[str, float]]]:
        """Rank the labels of encoded pictures [n P], as a call does.

        Raises:
            ReadingError: `top_k` is no whole number from 1.
        """
        if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
            raise ReadingError(f"top_k is a whole number from 1, not {top_k!r}")
        values, places = self.probabilities(image_embeds).sort(dim=-1, descending=True, stable=True)
        rows = zip(values[:, :top_k].tolist(), places[:, :top_k].tolist(), strict=True)
        return [[(self._labels[i], p) for p, i in zip(*row, strict=True)] for row in rows]

    def probabilities(self, image_embeds: Tensor) -> Tensor:
        """Compute the probability of every label for encoded pictures [n P]: [n labels]."""
        return self.encoder.probabilities(self.encoder.logits(image_embeds, self._embeds))

    def _add(self, labels: Iterable[str]) -> None:
        new: dict[str, None] = {}
        for label in labels:
            if not isinstance(label, str) or not label.strip():
                raise ReadingError(f"a label is a text, not {label!r}")
            if label in new or label in self._labels:
                raise ReadingError(f"the label {label!r} is there twice")
            new[label] = None
        self.encoder.warn_unread(list(new))
        texts = [self._texts_of(label) for label in new]
        rows = self.encoder.embed([text for own in texts for text in own])
        means = [part.mean(0) for part in torch.split(rows, [len(own) for own in texts])]
        units = torch.nn.functional.normalize(torch.stack(means), dim=-1)
        self._embeds = torch.cat([self._embeds, units])
        self._labels += tuple(new)

    def _texts_of(self, label: str) -> list[str]:
        is_chinese = self.encoder.reads_chinese_best
        templates = self._templates or usual_templates(label, is_chinese=is_chinese)
        return [fill(template, label) for template in templates]
