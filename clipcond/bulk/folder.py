"""Keep what is encoded in one folder: its manifest, its shards, and how far it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from clipcond import __version__
from clipcond.bulk.captions import Caption, Source
from clipcond.bulk.shards import PARQUET, SAFETENSORS
from clipcond.errors import BulkError, excerpt
from clipcond.files import disk_errors, read_json, write_whole

MANIFEST, INDEX, REJECTED, LOCK = "manifest.json", "index.json", "rejected.jsonl", ".lock"
EMPTY = "empty.safetensors"  # the rows of the empty prompt
KIND, FORMAT = "clipcond embeddings", 1
SUFFIXES = {"safetensors": SAFETENSORS, "parquet": PARQUET}
_OTHER = "Name another folder, or remove this one."


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a shard that is done.

    Args:
        number: of the shard.
        sha256: of its file.
        n_captions, n_rows: what it holds.
        n_bytes: the size of its file.
        rejected: the captions that could not be encoded: file, line, reason.
        issues: of how many captions there is an issue of each code.
        error: the largest relative error of a kept row.
    """

    number: int
    sha256: str
    n_captions: int
    n_rows: int
    n_bytes: int
    rejected: tuple[tuple[int, int, str], ...] = ()
    issues: Mapping[str, int] = field(default_factory=dict)
    error: float = 0.0

    @staticmethod
    def of(values: Mapping[str, Any]) -> Record:
        """Make a record of its JSON."""
        rejected = tuple((int(f), int(line), str(why)) for f, line, why in values["rejected"])
        return Record(**{**values, "rejected": rejected})


@dataclass(frozen=True, slots=True)
class Layout:
    """How captions are spread over the shards of a folder.

    Args:
        suffix: of the shards' files.
        sources: the files of captions.
        size: captions a shard, bad ones included.
    """

    folder: Path
    suffix: str
    sources: tuple[Source, ...]
    size: int

    @property
    def n_lines(self) -> int:
        """How many captions there are, bad ones included."""
        return sum(source.n_lines for source in self.sources)

    @property
    def n_shards(self) -> int:
        """How many shards they make."""
        return -(-self.n_lines // self.size)

    def n_in(self, number: int) -> int:
        """How many captions belong to a shard, bad ones included."""
        return min(self.size, self.n_lines - number * self.size)

    def shard(self, number: int) -> Path:
        """The file of a shard."""
        return self.folder / f"part-{number:07d}{self.suffix}"

    def record_file(self, number: int) -> Path:
        """The file that says that a shard is done; it is written after the shard."""
        return self.folder / f"part-{number:07d}.json"

    def finish(self, record: Record) -> None:
        """Write down that a shard is done."""
        _write_json(self.record_file(record.number), asdict(record))

    def done(self) -> dict[int, Record]:
        """List the shards that are done; a half one has no record."""
        index = self.folder / INDEX
        if index.is_file():
            found = [Record.of(each) for each in read_json(index)["shards"]]
        else:
            files = sorted(self.folder.glob("part-*.json"))
            found = [Record.of(read_json(file)) for file in files]
        return {each.number: each for each in found if self._is_whole(each)}

    def _is_whole(self, record: Record) -> bool:
        with suppress(OSError):
            return self.shard(record.number).stat().st_size == record.n_bytes
        return False

    def manifest(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Describe what the folder holds: what was encoded, with what, into what."""
        sources = [
            {"name": s.name, "column": s.column, "n_captions": s.n_lines, "sha256": s.digest}
            for s in self.sources
        ]
        return {
            "kind": KIND,
            "format": FORMAT,
            "encoder": {**identity},
            "sources": sources,
            "shard_size": self.size,
            "files": next(name for name, each in SUFFIXES.items() if each == self.suffix),
        }

    def begin(self, identity: Mapping[str, Any], empty: Tensor | None) -> None:
        """Make the folder, or check that what it holds is of the same captions and encoder.

        Args:
            empty: the empty prompt's rows [L D], which shorter captions of a batch end with.
        Raises:
            BulkError: it holds something else; says what differs.
        """
        path, wanted = self.folder / MANIFEST, self.manifest(identity)
        for stale in self.folder.glob(".*.part"):  # of a run that was killed
            with suppress(OSError):
                stale.unlink()
        if path.is_file():
            held = {k: v for k, v in read_json(path).items() if k != "version"}
            if differs := _difference(held, wanted):
                raise BulkError(f"{str(self.folder)!r} holds other embeddings: {differs}", _OTHER)
            return
        if any(each.name not in (LOCK, EMPTY) for each in self.folder.iterdir()):
            message = f"{str(self.folder)!r} is not empty, and holds no embeddings of clipcond"
            raise BulkError(message, _OTHER)
        if empty is not None:
            content = save({"embeds": empty.contiguous()})
            write_whole(self.folder / EMPTY, lambda file: file.write(content))
        _write_json(path, {**wanted, "version": __version__})

    def close(self, records: Sequence[Record]) -> None:
        """Write the index and the rejected captions; the records of single shards go."""
        ordered = sorted(records, key=lambda each: each.number)
        self.write_rejected(ordered)
        total = {
            "n_captions": sum(each.n_captions for each in ordered),
            "n_rejected": sum(len(each.rejected) for each in ordered),
            "n_bytes": sum(each.n_bytes for each in ordered),
            "largest_error": max((each.error for each in ordered), default=0.0),
            "issues": dict(sorted(sum((Counter(r.issues) for r in ordered), Counter()).items())),
        }
        shards = [asdict(each) for each in ordered]
        _write_json(self.folder / INDEX, {"total": total, "shards": shards})
        for each in ordered:
            with suppress(OSError):
                self.record_file(each.number).unlink()

    def write_rejected(self, records: Sequence[Record]) -> None:
        """Write a line of JSON for each rejected caption: file, line, reason."""
        lines = [
            json.dumps({"file": self.sources[f].name, "line": n, "reason": why}, ensure_ascii=False)
            for record in records
            for f, n, why in record.rejected
        ]
        content = "".join(f"{line}\n" for line in lines).encode()
        path = self.folder / REJECTED
        if lines or path.exists():
            write_whole(path, lambda file: file.write(content))


def rejected_of(captions: Sequence[Caption]) -> tuple[tuple[int, int, str], ...]:
    """List what is wrong with captions: file, line, reason."""
    return tuple((each.file, each.line, each.error) for each in captions if each.error)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one run at a time write into a folder; the lock goes with the process that holds it.

    Raises:
        BulkError: another run has it.
        CheckpointError: the folder cannot be written to.
    """
    with disk_errors(f"{str(folder)!r} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / LOCK, "ab")  # noqa: SIM115
    with file:
        if not _lock(file.fileno()):
            raise BulkError(
                f"another run writes into {str(folder)!r}", "Wait for it, or name another folder."
            )
        yield  # the file stays: if it went, two runs could each lock one of that name


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    content = (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()
    write_whole(path, lambda file: file.write(content))


def _difference(held: Mapping[str, Any], wanted: Mapping[str, Any], within: str = "") -> str:
    """Say the first thing in which two manifests differ; "" = in none."""
    for name in {**wanted, **held}:
        mine, other = held.get(name), wanted.get(name)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            if found := _difference(mine, other, f"{within}{name}."):
                return found
        elif mine != other:
            return f"{within}{name} is {_short(mine)} there, {_short(other)} here"
    return ""


def _short(value: object) -> str:
    return excerpt(json.dumps(value, ensure_ascii=False), 80)
