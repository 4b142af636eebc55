"""Save an index while it is made, so that a killed run can go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import torch
from torch import Tensor

from clipcond.errors import CheckpointError, ReadingError
from clipcond.reading.encoder import DualEncoder
from clipcond.reading.index_contents import Files, IndexContents, IndexedFile
from clipcond.reading.index_files import (
    Part,
    Saved,
    holds_index,
    read_part,
    read_saved,
    write_part,
    write_saved,
)

SAVE_EVERY = 20.0  # seconds


class IndexFolder:
    """A folder that an index is saved to.

    Args:
        encoder: its name and its vision half are written down with the vectors.
    """

    def __init__(self, folder: Path, encoder: DualEncoder) -> None:
        self.folder = folder
        self._encoder = encoder
        self._fingerprint = encoder.image_fingerprint()
        self._parts: list[Part] = []
        self._files: dict[str, IndexedFile] = {}  # of the next part
        self._rows: list[Tensor] = []
        self._last = monotonic()

    def load(self, contents: IndexContents) -> None:
        """Read what is saved into empty contents.

        Raises:
            CheckpointError: no index is saved there, or it is damaged.
            ReadingError: another encoder made it.
        """
        saved = read_saved(self.folder)
        self._check(saved)
        for part in saved.parts:
            contents.take(*read_part(self.folder, part, saved.width))
        self._parts = list(saved.parts)

    def begin(self, contents: IndexContents) -> None:
        """Make the folder hold these contents, or empty contents hold what it has.

        Raises:
            CheckpointError: the folder cannot be written to, or what it holds is damaged.
            ReadingError: it holds an index with other files in it, or another encoder's.
        """
        if not holds_index(self.folder):
            self.save(contents)
            return
        if not contents.files:
            self.load(contents)
            return
        held = IndexContents(self._encoder.width)
        self.load(held)
        if held.files.keys() != contents.files.keys() or not torch.equal(held.rows, contents.rows):
            raise ReadingError(
                f"{str(self.folder)!r} holds an index with other pictures than this one",
                f"Go on with that one, ImageIndex.open({str(self.folder)!r}, encoder), or save "
                "this one to another folder.",
            )

    def add(self, files: Files, embeds: Tensor) -> None:
        """Write down what is new, when it is time."""
        self._files.update(files)
        self._rows.append(embeds)
        if monotonic() - self._last >= SAVE_EVERY:
            self.write()

    def write(self) -> None:
        """Write what is new as a part."""
        if self._files:
            part = write_part(self.folder, self._files, torch.cat(self._rows))
            self._name([*self._parts, part])
        self._files, self._rows, self._last = {}, [], monotonic()

    def save(self, contents: IndexContents) -> None:
        """Write all of it as one part, in place of what is there."""
        self._name([write_part(self.folder, contents.files, contents.rows)])

    def _name(self, parts: Sequence[Part]) -> None:
        own = self._encoder
        saved = Saved(own.name, self._fingerprint, own.width, tuple(parts))
        write_saved(self.folder, saved)
        self._parts = list(parts)

    def _check(self, saved: Saved) -> None:
        own = self._encoder
        if saved.fingerprint == self._fingerprint:
            if saved.width == own.width:
                return
            message = f"{str(self.folder)!r} says a width of {saved.width}, not {own.width}"
            raise CheckpointError(message, self.folder, "It is damaged: index the pictures again.")
        raise ReadingError(
            f"the index in {str(self.folder)!r} was made by another encoder: its vectors are of "
            f"{saved.encoder!r} ({saved.fingerprint[:12]}), not of {own.name!r} "
            f"({self._fingerprint[:12]})",
            f"Open it with load_encoder({saved.encoder!r}), or index the pictures again into "
            "another folder.",
        )
