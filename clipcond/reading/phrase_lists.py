"""Read lists of words and phrases that a picture may be described with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from clipcond.checkpoints.places import NAMES
from clipcond.encodings import decode_utf_8
from clipcond.errors import ReadingError, UnknownNameError, counted
from clipcond.files import local_path, opened
from clipcond.reading.encoder import DualEncoder, checked_encoder

FOLDER = Path(__file__).parent / "words"
# Our lists, in the order of a prompt, and how many phrases of each a prompt may have.
KINDS = {"nouns": 2, "backgrounds": 1, "media": 1, "styles": 2, "colours": 1, "quality": 2}
EMBEDDED = ("nouns", "backgrounds")  # what its pictures are made of: lists of its own
OF_ANOTHER = 2  # how many phrases of a list of the user's a prompt may have
MOST_BYTES = 16 * 2**20

Words: TypeAlias = (
    "str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, Sequence[str]] | None"
)


@dataclass(frozen=True, slots=True)
class WordList:
    """Phrases of one kind, and how many of them a prompt may have at most."""

    kind: str
    phrases: tuple[str, ...]
    most: int


def word_lists(encoder: DualEncoder, words: Words = None) -> tuple[WordList, ...]:
    """Collect lists of phrases that the encoder's text tower can read.

    Args:
        words: names of ours ("nouns", "backgrounds", "media", "styles", "colours", "quality"),
            in Chinese for a Chinese tower; files with a phrase a line, where # begins a comment; or
            phrases by their kind. None = all of ours; for an embedded tower the nouns and
            backgrounds that its model draws.
    Raises:
        CheckpointError: a file cannot be read.
        UnknownNameError: there is neither a list of ours nor a file of that name.
        ReadingError: a list is empty, no UTF-8, or has nothing that the tower can read.
    """
    language = "zh" if checked_encoder(encoder).reads_chinese_best else "en"
    is_embedded = encoder.tower.name in NAMES
    if words is None:
        words = EMBEDDED if is_embedded else tuple(KINDS)
    if isinstance(words, Mapping):
        given = dict(words)
    else:
        given = {}
        for each in [words] if isinstance(words, str | PathLike) else words:
            kind, path = _file_of(each, language, is_embedded=is_embedded)
            given[kind] = [*given.get(kind, ()), *_read(path)]
    if not given:
        raise ReadingError("no list of words was given")
    return tuple(_readable(encoder, kind, phrases) for kind, phrases in given.items())


def _file_of(name: str | PathLike[str], language: str, *, is_embedded: bool) -> tuple[str, Path]:
    """Find the file of a list, and what kind of phrases it has."""
    path = local_path(name, ReadingError)
    if str(name) in KINDS:
        own = "embedded-" if is_embedded and str(name) in EMBEDDED else ""
        return str(name), FOLDER / f"{own}{language}-{name}.txt"
    if not path.is_file() and path.name == str(name) and not path.suffix:
        raise UnknownNameError("list of words", str(name), KINDS)
    return path.stem, path


def _read(path: Path) -> list[str]:
    """Read a file of phrases, one a line.

    Raises:
        CheckpointError: it cannot be read.
        ReadingError: it is no UTF-8, or not of the size of a list of words.
    """
    with opened(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ReadingError(f"{str(path)!r} has more than {MOST_BYTES:,} bytes: no list of words")
    try:
        lines = decode_utf_8(content).splitlines()
    except UnicodeDecodeError as error:
        message = f"{str(path)!r} is not UTF-8 at byte {error.start}"
        raise ReadingError(message, "Save it as UTF-8.") from error
    return [line.partition("#")[0] for line in lines]


def _readable(encoder: DualEncoder, kind: str, phrases: Iterable[str]) -> WordList:
    """Make a list of the phrases that the tower can read, each once."""
    given = dict.fromkeys(" ".join(str(each).split()) for each in phrases)
    given.pop("", None)
    unread = getattr(encoder.tower, "unread", None)
    readable = [each for each in given if unread is None or not unread([each])]
    if not readable:
        n_given = counted(len(given), "phrase")
        why = f"{encoder.name!r} can read none of its {n_given}" if given else "it is empty"
        raise ReadingError(f"the list {kind!r} cannot be used: {why}")
    return WordList(kind, tuple(readable), KINDS.get(kind, OF_ANOTHER))
