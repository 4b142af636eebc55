"""Search a collection of pictures by text, by picture, or by both."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from clipcond.arguments import type_name
from clipcond.errors import PictureError, ReadingError, counted, excerpt, warn
from clipcond.files import local_path
from clipcond.progress import Progress
from clipcond.reading.encoder import BATCH_SIZE, DualEncoder, checked_encoder
from clipcond.reading.index_contents import Files, IndexContents, IndexedFile
from clipcond.reading.index_saving import IndexFolder
from clipcond.reading.pictures import SUFFIXES, Picture, pictures_in
from clipcond.reading.vectors import nearest_rows

Paths: TypeAlias = "str | PathLike[str] | Sequence[str | PathLike[str]]"


@dataclass(frozen=True, slots=True)
class IndexUpdate:
    """What `ImageIndex.add` did with the files that it was given.

    Attributes:
        n_added, n_changed, n_unchanged: how many were new, were embedded again, were left alone.
        bad: those without a vector, and why: missing, or no picture that can be read.
        gone: those that the index has of the same files and folders, and that are not there any
            more; they are still found, until `ImageIndex.remove_missing` removes them.
    """

    n_added: int
    n_changed: int
    n_unchanged: int
    bad: tuple[tuple[Path, str], ...] = ()
    gone: tuple[Path, ...] = ()


class ImageIndex:
    """The vectors of pictures, searched exactly: every picture is compared.

    A picture is added by adding a row, without training. A million pictures in 512 numbers take
    2 GB of memory.

    Args:
        encoder: embeds the pictures, and what is searched for.
    """

    def __init__(self, encoder: DualEncoder) -> None:
        self.encoder = checked_encoder(encoder)
        self._contents = IndexContents(self.encoder.width)

    def __len__(self) -> int:
        return len(self._contents.keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.encoder.name!r}, {len(self)} pictures)"

    @property
    def paths(self) -> list[Path]:
        """The pictures, in the order of the rows of `embeds`."""
        return [self._contents.files[key].path for key in self._contents.keys]

    @property
    def embeds(self) -> Tensor:
        """The unit vectors of the pictures [n P], float32."""
        return self._contents.rows

    def add(
        self,
        paths: Paths,
        *,
        save_to: str | PathLike[str] | None = None,
        batch_size: int = BATCH_SIZE,
        progress: bool = False,
    ) -> IndexUpdate:
        """Embed the pictures that are new or have changed, and list those that cannot be read.

        A file has changed if its size or its time has. A file given twice is there once; equal
        pictures in two files are there twice. Files that are gone stay in the index, with a
        warning.

        Args:
            paths: a file or a folder of pictures, or several.
            save_to: a folder to save the index to, and every 20 seconds what is new of it. After a
                kill the same call goes on there, and gives the same index, bit for bit. To an index
                that is saved there already, the pictures are added.
            batch_size: how many pictures are embedded at once.
            progress: show on standard error how many are done.
        Raises:
            PictureError: there is no such folder, or no picture in it.
            ReadingError: the encoder gave NaN, or other pictures or vectors are in `save_to`.
            CheckpointError: the index cannot be saved.
        """
        contents, saved = self._contents, None
        if save_to is not None:
            saved = IndexFolder(local_path(save_to), self.encoder)
            saved.begin(contents)
        asked, missing = _files_now(paths)
        todo = {key: each for key, each in asked.items() if contents.is_new(key, each)}
        contents.name_again({key: each for key, each in asked.items() if key not in todo})
        known = contents.files.keys() & todo.keys()
        try:
            with Progress("picture", len(todo), silent=not progress) as bar:
                for files, embeds in self._embedded(todo, batch_size):
                    contents.take(files, embeds)
                    bar.advance(len(files))
                    if saved is not None:
                        saved.add(files, embeds)
        finally:
            if saved is not None:
                saved.write()
        if saved is not None:
            saved.save(contents)
        good = {key for key in asked if contents.files[key].error is None}
        results = [contents.files[key] for key in asked]
        bad = [(each.path, each.error) for each in results if each.error is not None]
        n_changed = len(known & good)
        gone = self._warned_gone(paths, asked)
        return IndexUpdate(
            len(todo.keys() & good) - n_changed,
            n_changed,
            len(good - todo.keys()),
            (*bad, *missing),
            gone,
        )

    def _warned_gone(self, paths: Paths, asked: Collection[str]) -> tuple[Path, ...]:
        """List what the index has of these files and folders, and that no longer is a file."""
        given = {_key(local_path(path, PictureError)) for path in _listed(paths)}
        roots = tuple(os.path.join(key, "") for key in given)
        gone = tuple(
            each.path
            for key, each in self._contents.files.items()
            if key not in asked and (key in given or key.startswith(roots))
            if not os.path.isfile(key)
        )
        if gone:
            warn(
                f"the files of {counted(len(gone), 'picture')} in the index are gone, such as "
                f"{excerpt(str(gone[0]), 200)!r}: remove_missing() takes them out"
            )
        return gone

    def remove(self, paths: Paths) -> int:
        """Remove files; return how many were there."""
        files = (local_path(path, PictureError) for path in _listed(paths))
        return self._contents.remove({_key(path) for path in files})

    def remove_missing(self, folder: str | PathLike[str] | None = None) -> int:
        """Remove the files that are gone, of one folder or of all; return how many."""
        files = self._contents.files
        root = "" if folder is None else os.path.join(_key(local_path(folder, PictureError)), "")
        gone = [key for key in files if key.startswith(root) and not os.path.isfile(key)]
        return self._contents.remove(gone)

    def search(
        self,
        query: str | Picture,
        *,
        image: Picture | None = None,
        image_weight: float = 0.5,
        k: int = 5,
    ) -> list[tuple[Path, float]]:
        """Find the pictures nearest to a text, to a picture, or to both.

        Args:
            query: a text as `str`, which is plain; or a picture: its file as `Path`, its bytes, or
                Pillow's.
            image: a picture to be near to as well.
            image_weight: from 0, `query` alone, to 1, `image` alone. With most encoders pictures
                are nearer to pictures than to texts, so that 0.5 favours the picture.
            k: how many are wanted; fewer where there are fewer.
        Returns:
            files with their cosines, the nearest first; of equal ones that which was added first.
        Raises:
            PictureError: a picture cannot be read.
            ReadingError: `k` is no whole number from 1, `image_weight` not from 0 to 1, or the
                text empty.
        """
        if not (isinstance(image_weight, Real) and 0 <= image_weight <= 1):
            raise ReadingError(f"image_weight is a number from 0 to 1, not {image_weight!r}")
        embeds = self._embed(query)
        if image is not None:
            own = self.encoder.encode_image(image)
            mixed = (1 - image_weight) * embeds + image_weight * own
            embeds = torch.nn.functional.normalize(mixed, dim=-1)
        return self.nearest(embeds, k)[0]

    def nearest(self, embeds: Tensor, k: int = 5) -> list[list[tuple[Path, float]]]:
        """Find for each of m unit vectors [m P] the pictures nearest to it, as `search` does.

        Raises:
            ReadingError: `k` is no whole number from 1, or the vectors are NaN or of another width.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ReadingError(f"k is a whole number from 1, not {k!r}")
        width = self.encoder.width
        if embeds.dim() != 2 or embeds.shape[1] != width or not bool(embeds.isfinite().all()):
            shape = list(embeds.shape)
            raise ReadingError(f"vectors are [m {width}] without NaN, which these {shape} are not")
        paths = self.paths
        cosines, places = nearest_rows(self.embeds, embeds.float().cpu(), k)
        rows = zip(cosines.tolist(), places.tolist(), strict=True)
        return [[(paths[i], cosine) for cosine, i in zip(*row, strict=True)] for row in rows]

    def save(self, folder: str | PathLike[str]) -> None:
        """Save the index to a folder, whole or not at all; one that is there is replaced.

        Vectors are written as safetensors; the list of files as Parquet if pyarrow is installed,
        else as JSON, a line a file.

        Raises:
            CheckpointError: the folder cannot be written to.
        """
        IndexFolder(local_path(folder), self.encoder).save(self._contents)

    @classmethod
    def open(cls, folder: str | PathLike[str], encoder: DualEncoder) -> ImageIndex:
        """Open a saved index.

        Args:
            encoder: one with the vision half that made the vectors. The text half may be another:
                the two embedded encoders read each other's indexes.
        Raises:
            CheckpointError: no index is saved there, or it is damaged.
            ReadingError: another encoder made it.
        """
        index = cls(encoder)
        IndexFolder(local_path(folder), encoder).load(index._contents)
        return index

    def _embed(self, query: str | Picture) -> Tensor:
        """Encode a text or a picture: [1 P]."""
        if not isinstance(query, str):
            return self.encoder.encode_image(query)
        if not query.strip():
            raise ReadingError("the text to search for is empty")
        if Path(query).suffix.lower() in SUFFIXES and os.path.isfile(query):
            warn(f"{query!r} is searched for as a text; for the picture, give Path({query!r})")
        return self.encoder.encode_text(query)

    def _embedded(self, files: Files, batch_size: int) -> Iterator[tuple[Files, Tensor]]:
        """Embed files: of each batch its files, and a vector for each without an error."""
        keys, values = list(files), list(files.values())
        if not keys:
            return
        pictures = [each.path for each in values]
        for batch in self.encoder.encoded_batches(pictures, batch_size=batch_size):
            errors: dict[int, str | None] = dict.fromkeys(batch.places)
            errors |= {bad.place: bad.error.message for bad in batch.bad}
            done = {keys[i]: replace(values[i], error=why) for i, why in sorted(errors.items())}
            yield done, batch.embeds


def _files_now(paths: Paths) -> tuple[dict[str, IndexedFile], list[tuple[Path, str]]]:
    """List files as they are now, each once, and those that are missing."""
    found: dict[str, IndexedFile] = {}
    missing: dict[str, tuple[Path, str]] = {}
    for path in _files_of(_listed(paths)):
        key = _key(path)
        try:
            now = path.stat()
        except OSError as error:
            missing[key] = path, f"{str(path)!r} cannot be read: {error.strerror}"
        else:
            found.setdefault(key, IndexedFile(path, now.st_size, now.st_mtime_ns))
    return found, list(missing.values())


def _listed(paths: Paths) -> Sequence[str | PathLike[str]]:
    if isinstance(paths, str | PathLike):
        return [paths]
    if not isinstance(paths, Sequence) or isinstance(paths, bytes | bytearray | memoryview):
        kind = type_name(paths)
        raise PictureError(f"paths are files or folders, one or a list, not {kind}")
    return paths


def _files_of(paths: Iterable[str | PathLike[str]]) -> Iterator[Path]:
    for given in paths:
        path = local_path(given, PictureError)
        if path.is_dir():
            yield from pictures_in(path)
        else:
            yield path


def _key(path: Path) -> str:
    return os.path.abspath(path)
