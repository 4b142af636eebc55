"""Keep what is made in one folder: its manifest, its shards, and how far it is."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from clipcond import __version__
from clipcond.bulk.sources import Source
from clipcond.errors import BulkError, excerpt
from clipcond.files import disk_errors, read_json, write_whole

if TYPE_CHECKING:
    from typing_extensions import Self

MANIFEST, INDEX, REJECTED, LOCK = "manifest.json", "index.json", "rejected.jsonl", ".lock"
FORMAT = 1
_OTHER = "Name another folder, or remove this one."
Rejected = tuple[int, int, str]  # file, line, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a shard that is done.

    Args:
        number: of the shard.
        n_bytes: the size of its files.
        rejected: the rows of which nothing could be made: file, line, reason.
        issues: of how many rows there is an issue of each code.
    """

    number: int
    n_bytes: int
    rejected: tuple[Rejected, ...] = ()
    issues: Mapping[str, int] = field(default_factory=dict)

    @property
    @abstractmethod
    def n_made(self) -> int:
        """How many things it holds."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make a record of its JSON."""
        rejected = tuple((int(f), int(line), str(why)) for f, line, why in values["rejected"])
        return cls(**{**values, "rejected": rejected})


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout(Generic[R]):
    """How rows are spread over the shards of a folder.

    Args:
        sources: the files of rows.
        size: rows a shard, bad ones included.
    """

    folder: Path
    sources: tuple[Source, ...]
    size: int

    kind: ClassVar[str]  # what the folder holds
    record: ClassVar[type[Record]]
    noun: ClassVar[str]  # of a row
    made: ClassVar[str]  # what is done with one
    unit: ClassVar[str]  # what is counted

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

    def record_file(self, number: int) -> Path:
        """The file that says that a shard is done; it is written after the shard."""
        return self.folder / f"part-{number:07d}.json"

    def finish(self, record: R) -> None:
        """Write down that a shard is done."""
        write_json(self.record_file(record.number), asdict(record))

    def done(self) -> dict[int, R]:
        """List the shards that are done; a half one has no record."""
        found = self.indexed()
        if not (self.folder / INDEX).is_file():
            files = sorted(self.record_file(0).parent.glob("part-*.json"))
            found = [self.record_of(read_json(file)) for file in files]
        return {each.number: each for each in self.whole(found)}

    def indexed(self) -> list[R]:
        """List the shards of a folder that was closed once."""
        index = self.folder / INDEX
        if not index.is_file():
            return []
        return [self.record_of(each) for each in read_json(index)["shards"]]

    def record_of(self, values: Mapping[str, Any]) -> R:
        """Make a record of its JSON."""
        made: R = self.record.of(values)  # type: ignore[assignment]
        return made

    @abstractmethod
    def whole(self, records: Sequence[R]) -> list[R]:
        """List those shards whose files are as they were written."""

    @abstractmethod
    def described(self) -> dict[str, object]:
        """Describe the form of what the folder holds, for its manifest."""

    def begun(self) -> dict[int, tuple[int, int]]:
        """Count of half shards the rows that are done, and what was made of them."""
        return {}

    def manifest(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Describe what the folder holds: what was made, with what, into what."""
        return {
            "kind": f"clipcond {self.kind}",
            "format": FORMAT,
            **identity,
            **self.described(),
            "shard_size": self.size,
        }

    def begin(self, identity: Mapping[str, Any], own: Mapping[str, bytes]) -> None:
        """Make the folder, or check that what it holds is of the same rows and settings.

        Args:
            identity: what decides what is made.
            own: further files that are written first, and their contents.
        Raises:
            BulkError: it holds something else; says what differs.
        """
        path, wanted = self.folder / MANIFEST, self.manifest(identity)
        for stale in self.stale():  # of a run that was killed
            with suppress(OSError):
                stale.unlink()
        if path.is_file():
            held = {k: v for k, v in read_json(path).items() if k != "version"}
            if differs := _difference(held, wanted):
                raise BulkError(f"{str(self.folder)!r} holds other {self.kind}: {differs}", _OTHER)
            return
        if any(each.name not in (LOCK, *own) for each in self.folder.iterdir()):
            message = f"{str(self.folder)!r} is not empty, and holds no {self.kind} of clipcond"
            raise BulkError(message, _OTHER)
        for name, content in own.items():
            write_bytes(self.folder / name, content)
        write_json(path, {**wanted, "version": __version__})

    def stale(self) -> Iterator[Path]:
        """List what a killed run has left half written, or behind a whole index."""
        yield from self.folder.glob(".*.part")
        if (self.folder / INDEX).is_file():
            yield from self.folder.glob("part-*.json")

    def close(self, records: Sequence[R]) -> None:
        """Write the index and the rejected rows; the records of single shards go."""
        ordered = sorted(records, key=lambda each: each.number)
        self.write_rejected(ordered)
        shards = [asdict(each) for each in ordered]
        write_json(self.folder / INDEX, {"total": self.totals(ordered), "shards": shards})
        for each in ordered:
            with suppress(OSError):
                self.record_file(each.number).unlink()

    def totals(self, ordered: Sequence[R]) -> dict[str, object]:
        """Sum up what the index says of the whole folder."""
        return {
            f"n_{self.unit}": sum(each.n_made for each in ordered),
            "n_rejected": sum(len(each.rejected) for each in ordered),
            "n_bytes": sum(each.n_bytes for each in ordered),
            "issues": issues_of(ordered),
        }

    def write_rejected(self, records: Sequence[R]) -> None:
        """Write a line of JSON for each rejected row: file, line, reason."""
        lines = [
            json.dumps({"file": self.sources[f].name, "line": n, "reason": why}, ensure_ascii=False)
            for record in records
            for f, n, why in record.rejected
        ]
        path = self.folder / REJECTED
        if lines or path.exists():
            write_bytes(path, "".join(f"{line}\n" for line in lines).encode())


def size_of(path: Path) -> int:
    """Look up how many bytes a file has; -1 = there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def issues_of(records: Iterable[Record]) -> dict[str, int]:
    """Count of how many rows of all shards there is an issue of each code."""
    found: Counter[str] = Counter()
    for record in records:
        found.update(record.issues)
    return dict(sorted(found.items()))


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


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    write_bytes(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
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
