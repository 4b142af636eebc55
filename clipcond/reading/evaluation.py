"""Measure a zero-shot classifier on a folder of labelled pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from clipcond.errors import ReadingError
from clipcond.files import local_path
from clipcond.reading.batches import BadPicture
from clipcond.reading.classification import ZeroShotClassifier
from clipcond.reading.confusion import draw_confusion
from clipcond.reading.pictures import pictures_in

if TYPE_CHECKING:
    from PIL.Image import Image

FIVE = 5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a classifier made of labelled pictures.

    Attributes:
        labels: of the classifier.
        confusion: [labels labels], whole numbers: how many pictures of the label of a row were
            given the label of a column.
        n_among_five: of each label, how many of its pictures have it among the five likeliest.
        bad: the files that could not be read, and why; they do not count.
    """

    labels: tuple[str, ...]
    confusion: Tensor
    n_among_five: Tensor
    bad: tuple[tuple[Path, BadPicture], ...] = ()

    @property
    def n_pictures(self) -> int:
        """How many pictures were measured."""
        return int(self.confusion.sum())

    @property
    def acc1(self) -> float:
        """The share of pictures whose likeliest label is right."""
        return int(self.confusion.diagonal().sum()) / self.n_pictures

    @property
    def acc5(self) -> float | None:
        """The share whose label is among the five likeliest; None with five labels or fewer."""
        if len(self.labels) <= FIVE:
            return None
        return int(self.n_among_five.sum()) / self.n_pictures

    @property
    def mean_per_class_recall(self) -> float:
        """The mean over labels that have pictures of the share of these that were recognised."""
        n_each = self.confusion.sum(1)
        shares = self.confusion.diagonal()[n_each > 0] / n_each[n_each > 0]
        return float(shares.mean())

    def recall(self) -> dict[str, float]:
        """List of each label with pictures the share that was recognised."""
        n_each = self.confusion.sum(1).tolist()
        right = self.confusion.diagonal().tolist()
        rows = zip(self.labels, right, n_each, strict=True)
        return {label: hits / n for label, hits, n in rows if n}

    def picture(self, font_file: str | PathLike[str] | None = None) -> Image:
        """Draw the confusion, see `draw_confusion`: a row for each true label, a column for each
        given one.
        """
        return draw_confusion(self.confusion, self.labels, font_file)


def evaluate(
    classifier: ZeroShotClassifier,
    folder: str | PathLike[str],
    *,
    names: Mapping[str, str] | None = None,
    progress: bool = False,
) -> Evaluation:
    """Classify a folder that has a subfolder for each label, and count.

    Args:
        names: a subfolder's name -> its label; others are labels themselves.
        progress: show on standard error how many pictures are done.
    Raises:
        PictureError: no such folder, or no pictures in it.
        ReadingError: a subfolder is no label of the classifier, or no picture can be read.
    """
    labels = classifier.labels
    files, truth = _labelled(local_path(folder), dict(names or {}), labels)
    confusion = torch.zeros(len(labels), len(labels), dtype=torch.long)
    among = torch.zeros(len(labels), dtype=torch.long)
    bad: list[tuple[Path, BadPicture]] = []
    for place, found in classifier.classify_files(files, top_k=FIVE, progress=progress):
        if isinstance(found, BadPicture):
            bad.append((files[place], found))
            continue
        given = [labels.index(label) for label, _ in found]
        confusion[truth[place], given[0]] += 1
        among[truth[place]] += truth[place] in given
    if len(bad) == len(files):
        raise ReadingError(f"none of the {len(files)} pictures in {str(folder)!r} can be read")
    return Evaluation(labels, confusion, among, tuple(bad))


def labels_of(folder: str | PathLike[str]) -> list[str]:
    """List the subfolders of a labelled folder, which are its labels, sorted."""
    root = local_path(folder)
    return sorted({path.relative_to(root).parts[0] for path in pictures_in(root)
                   if len(path.relative_to(root).parts) > 1})  # fmt: skip


def _labelled(
    root: Path, names: Mapping[str, str], labels: tuple[str, ...]
) -> tuple[list[Path], list[int]]:
    """List the pictures of a labelled folder, and the number of the label of each."""
    files, truth = [], []
    known = {label: i for i, label in enumerate(labels)}
    for path in pictures_in(root):
        inner = path.relative_to(root).parts
        if len(inner) < 2:
            continue  # in no subfolder, so without a label
        label = names.get(inner[0], inner[0])
        if label not in known:
            raise ReadingError(
                f"the folder {inner[0]!r} in {str(root)!r} is no label of the classifier",
                f"Its labels are {', '.join(labels)}.",
            )
        files.append(path)
        truth.append(known[label])
    if not files:
        raise ReadingError(
            f"{str(root)!r} has no subfolder with pictures",
            "A labelled folder has a subfolder for each label.",
        )
    return files, truth
