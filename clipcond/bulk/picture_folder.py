"""The folder of pictures: where each is, and what is known of them.

00000/0000001.png   pictures, named by the number of their row; some thousands a folder
metadata.jsonl      a line a picture: its file, prompt, seed and settings, and its row
.work/              of shards that are not done yet: a journal of each; of done ones their lines
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from clipcond.bulk.folder import INDEX, Layout, Record, size_of
from clipcond.bulk.prompts import PicturePrompt
from clipcond.errors import BulkError
from clipcond.files import disk_errors, reading, write_whole

METADATA, WORK = "metadata.jsonl", ".work"  # the first is what Hugging Face's datasets look for
PER_FOLDER = 5000  # pictures
SUFFIXES = {"png": ".png", "jpg": ".jpg", "webp": ".webp"}
_NUMBERED = re.compile(r"(\d{7,})[-.]")
Key = tuple[int, int]  # a row's number, and which of its pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRecord(Record):
    """What is known of a shard of pictures.

    Args:
        n_pictures: how many it holds.
    """

    n_pictures: int

    @property
    def n_made(self) -> int:
        """How many pictures it holds."""
        return self.n_pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLayout(Layout[PictureRecord]):
    """How pictures are spread over a folder.

    Args:
        suffix: of their files.
        count: how many are drawn of each row.
    """

    suffix: str
    count: int

    kind: ClassVar[str] = "pictures"
    record: ClassVar[type[Record]] = PictureRecord
    noun: ClassVar[str] = "prompt"
    made: ClassVar[str] = "drawn"
    unit: ClassVar[str] = "pictures"

    def picture(self, row: PicturePrompt, copy: int) -> str:
        """Name a picture's file, relative to the folder."""
        parts = [f"{row.number + 1:07d}"]
        parts += [str(copy + 1)] * (self.count > 1) + [row.name] * bool(row.name)
        return f"{row.number * self.count // PER_FOLDER:05d}/{'-'.join(parts)}{self.suffix}"

    def record_file(self, number: int) -> Path:
        """The file that says that a shard is done."""
        return self.folder / WORK / f"part-{number:07d}.json"

    def lines_file(self, number: int) -> Path:
        """The file with a done shard's lines of `metadata.jsonl`."""
        return self.folder / WORK / f"part-{number:07d}.jsonl"

    def journal(self, number: int) -> Journal:
        """Open the journal of a shard that is not done."""
        return Journal(self._journal_file(number), self.folder)

    def _journal_file(self, number: int) -> Path:
        return self.folder / WORK / f"part-{number:07d}.journal"

    def finish(self, record: PictureRecord) -> None:
        """Write down that a shard is done; then its journal goes."""
        Layout.finish(self, record)
        self._journal_file(record.number).unlink(missing_ok=True)

    def whole(self, records: Sequence[PictureRecord]) -> list[PictureRecord]:
        """List those shards whose pictures have the sizes that were written."""
        sizes: dict[int, int] = {}
        for number, size in self._sizes():
            sizes[number // self.size] = sizes.get(number // self.size, 0) + size
        return [each for each in records if sizes.get(each.number, 0) == each.n_bytes]

    def _sizes(self) -> Iterator[tuple[int, int]]:
        """List the pictures that there are: the number of the row, and the size of the file."""
        if not self.folder.is_dir():
            return
        for folder in self.folder.iterdir():
            if not folder.name.isdecimal() or not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    found = _NUMBERED.match(entry.name)
                    if found and entry.name.endswith(self.suffix):
                        yield int(found[1]) - 1, entry.stat().st_size

    def described(self) -> dict[str, object]:
        """Describe sources and files for the manifest."""
        sources = [
            {
                "name": each.name,
                "columns": {**each.columns},
                "n_prompts": each.n_lines,
                "sha256": each.digest,
            }
            for each in self.sources
        ]
        files = next(name for name, each in SUFFIXES.items() if each == self.suffix)
        return {"sources": sources, "count": self.count, "files": files}

    def begun(self) -> dict[int, tuple[int, int]]:
        """Count of half shards the rows that are done, and their pictures."""
        found = {}
        for path in (self.folder / WORK).glob("part-*.journal"):
            entries = Journal(path, self.folder).entries
            n_rows = sum(copy == self.count - 1 for _, copy in entries)
            found[int(path.stem[5:])] = n_rows, sum("line" in e for e in entries.values())
        return found

    def stale(self) -> Iterator[Path]:
        """List what a killed run has left half written, or behind a whole index."""
        yield from Layout.stale(self)
        yield from self.folder.glob("*/.*.part")
        if (self.folder / INDEX).is_file():
            yield from (self.folder / WORK).glob("part-*")

    def close(self, records: Sequence[PictureRecord]) -> None:
        """Write `metadata.jsonl`, the index and the rejected rows; what is in `.work` goes."""
        ordered = sorted(records, key=lambda each: each.number)
        before = {each.number: each.n_pictures for each in self.indexed()}
        write_whole(self.folder / METADATA, lambda file: self._join(file, ordered, before))
        Layout.close(self, ordered)
        for each in ordered:
            with suppress(OSError):
                self.lines_file(each.number).unlink()
        with suppress(OSError):
            (self.folder / WORK).rmdir()

    def _join(
        self, file: BinaryIO, ordered: Sequence[PictureRecord], before: Mapping[int, int]
    ) -> None:
        """Join the lines of all shards; those of shards that are not new are in the old file.

        Args:
            before: how many lines of each shard are there.
        """
        path = self.folder / METADATA
        with reading(path), open(path if before else os.devnull, "rb") as old:
            for each in ordered:
                held = [old.readline() for _ in range(before.get(each.number, 0))]
                own = self.lines_file(each.number)
                if own.is_file():
                    file.write(own.read_bytes())
                elif len(held) == each.n_pictures and all(held):
                    file.writelines(held)
                else:
                    raise BulkError(
                        f"{str(path)!r} has changed since it was written", "Draw into a new folder."
                    )


def line_of(values: Mapping[str, object]) -> bytes:
    """Write a line of JSON; half a character is escaped."""
    return f"{json.dumps(values, ensure_ascii=False)}\n".encode("utf-8", "backslashreplace")


class Journal:
    """What is known of the pictures of a shard that is not done yet, appended batch by batch.

    A line that a kill has cut off is left out, and so is a picture whose file is not as it was
    written: it is drawn again.

    Args:
        folder: that of all pictures.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self.entries: dict[Key, dict[str, Any]] = {}
        self._n_bytes = 0
        content = b""
        if path.is_file():
            with reading(path):
                content = path.read_bytes()
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
            except ValueError:
                break
            self._n_bytes += len(line)
            is_there = "line" not in entry or (
                size_of(folder / entry["line"]["file_name"]) == entry["n_bytes"]
            )
            if is_there:
                self.entries[entry["number"], entry["copy"]] = entry

    def add(self, entries: Sequence[dict[str, Any]]) -> None:
        """Append what is known of a batch, whose pictures are written.

        Raises:
            CheckpointError: the disk is full, or not to be written to.
        """
        content = b"".join(map(line_of, entries))
        with disk_errors(f"{str(self.path)!r} cannot be written"):
            self.path.parent.mkdir(exist_ok=True)
            with open(self.path, "ab") as file:
                file.truncate(self._n_bytes)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        self._n_bytes += len(content)
        self.entries |= {(each["number"], each["copy"]): each for each in entries}
