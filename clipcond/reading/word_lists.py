"""Read lists of words and phrases that a picture may be described with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from clipcond.checkpoints.places import NAMES
from clipcond.errors import ReadingError, UnknownNameError, counted
from clipcond.files import local_path, opened
from clipcond.reading.encoder import DualEncoder

FOLDER = Path(__file__).parent / "words"
# Our lists, in the order of a prompt, and how many phrases of each a prompt may have.
KINDS = {"nouns": 2, "backgrounds": 1, "media": 1, "styles": 2, "colours": 1, "quality": 2}
OF_THE_EMBEDDED = ("nouns", "backgrounds")  # nothing else changes its pictures
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
        words: names of ours ("nouns", "backgrounds", "media", "styles", "colours", "quality");
            files with a phrase a line, where # begins a comment; or phrases by their kind. None =
            all of ours, in Chinese for a Chinese tower; for an embedded tower the nouns and
            backgrounds, which are all that its pictures show.
    Raises:
        CheckpointError: a file cannot be read.
        UnknownNameError: there is neither a list of ours nor a file of that name.
        ReadingError: a list is empty, no UTF-8, or has nothing that the tower can read.
    """
    if words is None:
        words = OF_THE_EMBEDDED if encoder.tower.name in NAMES else tuple(KINDS)
    language = "zh" if encoder.reads_chinese_best else "en"
    lists: dict[str, Iterable[str]] = {}
    if isinstance(words, Mapping):
        lists.update(words)
    else:
        for each in [words] if isinstance(words, str | PathLike) else words:
            path = _file_of(each, language)
            kind = path.stem.removeprefix(f"{language}-") if path.parent == FOLDER else path.stem
            lists[kind] = [*lists.get(kind, ()), *_read(path)]
    if not lists:
        raise ReadingError("no list of words was given")
    return tuple(_readable(encoder, kind, phrases) for kind, phrases in lists.items())


def _file_of(name: str | PathLike[str], language: str) -> Path:
    path = local_path(name, ReadingError)
    if str(name) in KINDS and not path.exists():
        return FOLDER / f"{language}-{name}.txt"
    if not path.is_file() and path.name == str(name) and not path.suffix:
        raise UnknownNameError("list of words", str(name), KINDS)
    return path


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
        lines = content.decode("utf-8-sig").splitlines()
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
