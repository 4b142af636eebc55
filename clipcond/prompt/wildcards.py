"""Read the lists that templates name: text files in a folder, an option a line."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path, PurePath
from unicodedata import normalize

import clipcond.lazy_re as re
from clipcond.errors import (
    ArgumentError,
    CheckpointError,
    PromptError,
    PromptSyntaxError,
    caret,
    excerpt,
)
from clipcond.files import local_path, read_text
from clipcond.prompt.choices import Body, Choice, Source
from clipcond.prompt.segments import MOST_ISSUES, Issue
from clipcond.prompt.template_options import choice_of_options
from clipcond.prompt.template_reading import names_in, read_option

MOST_FILES = 100_000
_OTHER_LISTS = (".yaml", ".yml", ".json")
_COMMENT = re.compile(r"^\s*#.*|\s#(?:\s.*|$)")
_SPECIAL = re.compile(r"[?\[]")


class Wildcards:
    """Lists of options by name, for the `__name__` of templates; read when they are named.

    A file `animals/cats.txt` is the list `animals/cats`, and `*` in a name stands for any
    characters: `animals/*` is all lists of that folder. A line is an option, which may be a
    template itself and have a weight: `3::cat`. Empty lines and comments, from `#` at the start of
    a line or between spaces, are left out.

    Args:
        source: a folder of .txt files in UTF-8, or options by the name of the list.
    Raises:
        CheckpointError: there is no such folder.
        ArgumentError: another type.
    """

    def __init__(self, source: str | os.PathLike[str] | Mapping[str, Iterable[str]]) -> None:
        self._built: dict[str, Choice] = {}
        self._issues: dict[str, tuple[Issue, ...]] = {}
        self._given: dict[str, list[Source]] | None = None
        self._files: dict[str, Path] | None = None
        self._folder = Path()
        if isinstance(source, Mapping):
            self._given = {
                _plain(str(name)): [*_given_lines(name, source[name])] for name in source
            }
            return
        self._folder = local_path(source)
        if not self._folder.is_dir():
            problem = "is a file, not a folder" if self._folder.exists() else "is no folder"
            raise CheckpointError(f"{str(self._folder)!r} {problem}", self._folder)

    def __repr__(self) -> str:
        shown = repr(str(self._folder)) if self._given is None else f"{len(self._given)} lists"
        return f"Wildcards({shown})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all lists, sorted.

        Raises:
            CheckpointError: the folder has more than 100,000 files, or cannot be read.
        """
        return tuple(sorted(self._known()))

    def _known(self) -> Collection[str]:
        if self._given is not None:
            return self._given
        if self._files is None:
            self._files = _files_in(self._folder)
        return self._files

    def choices_for(self, source: Source) -> Mapping[str, Choice]:
        """Read the lists that a text names, and those that they name.

        Returns:
            choices by the names of lists as they are written.
        Raises:
            PromptError: there is no such list; shows where it is named.
            PromptSyntaxError: a line cannot be read, or a list names itself.
            CheckpointError: a list cannot be read, or has no options.
        """
        # lists whose lines are searched for names, the outer ones first
        searched: dict[str, Iterator[tuple[Source, str, int]]] = {"": _named(source)}
        lines: dict[str, list[Source]] = {}
        naming: dict[str, tuple[Source, int]] = {}  # where each is named first
        while searched:
            key = next(reversed(searched))
            step = next(searched[key], None)
            if step is None:
                del searched[key]
                if key:
                    self._built[key] = self._choice(key, lines.pop(key), *naming[key])
                continue
            line, written, position = step
            name = _plain(written)
            if name in self._built:
                continue
            if name in searched:
                chain = " in ".join(map(repr, [name, *reversed([*searched][1:])]))
                raise PromptSyntaxError(
                    f"{line.place}the list names itself: {excerpt(chain, 200)}",
                    line.text,
                    position,
                    "Leave the name out here: its options would never end.",
                )
            naming[name] = line, position
            lines[name] = self._lines(name, line, position)
            searched[name] = _chained(lines[name])
        return self._built

    def find(self, name: str, position: int) -> Choice:
        """Return the choice of a list that `choices_for` has read."""
        return self._built[_plain(name)]

    def has(self, name: str) -> bool:
        """Whether there is a list of this name, or one that its pattern matches."""
        name = _plain(name)
        if "*" in name:
            return any(fnmatchcase(each, _pattern(name)) for each in self.names)
        return name in self._known()

    def issues_of(self, source: Source) -> tuple[Issue, ...]:
        """Collect what looks wrong in the lists that a text names and `choices_for` has read."""
        names = [_plain(name) for name, _ in names_in(source)]
        return _first(issue for name in names for issue in self._issues.get(name, ()))

    def _choice(self, name: str, lines: list[Source], source: Source, position: int) -> Choice:
        options: list[tuple[int, Body]] = []
        issues: list[Issue] = []
        for line in lines:
            weight, body, found = read_option(line, self.find, self.has)
            options.append((weight, body))
            issues += (*found, *self.issues_of(line))
        self._issues[name] = _first(issues)
        choice = choice_of_options(options)
        if choice is None:
            why = "only options of weight 0" if lines else "no options"
            message = f"{source.place}the list {name!r} has {why}"
            message = f"{message}\n{caret(source.text, position)}"
            remedy = r"Write a line into it, or \__ for underscores that are text."
            raise CheckpointError(message, self._path(name), remedy)
        return choice

    def _lines(self, name: str, source: Source, position: int) -> list[Source]:
        """Read the lines of a list, or of all that a pattern matches, in the order of names."""
        found = [name] if name in self._known() else []
        if "*" in name:
            found = [each for each in self.names if fnmatchcase(each, _pattern(name))]
        if not found:
            raise PromptError(
                source.place + self._missing(name),
                source.text,
                position,
                r"Write \__ for underscores that are text.",
            )
        if self._given is not None:
            return [line for each in found for line in self._given[each]]
        return [line for each in found for line in self._read(each)]

    def _missing(self, name: str) -> str:
        where = "the lists given" if self._given is not None else repr(str(self._folder))
        if "(" in name:
            return f"{name!r} is no list: values in brackets are not supported"
        message = f"there is no list {excerpt(name)!r} in {where}."
        near = get_close_matches(name, self.names, n=3)
        near = near or [each for each in self.names if each.split("/")[-1] == name.split("/")[-1]]
        if near:
            return f"{message} Did you mean {' or '.join(map(repr, near[:3]))}?"
        other = next(filter(self._has, (f"{name}{ending}" for ending in _OTHER_LISTS)), None)
        if other is not None:
            return f"{message} {other!r} is not read: a list is a .txt file, an option a line."
        known = excerpt(", ".join(self.names), 200)
        return f"{message} Known: {known}." if known else f"{message} It has no .txt files."

    def _has(self, file: str) -> bool:
        return self._given is None and os.path.isfile(self._folder / file)

    def _path(self, name: str) -> Path:
        return (self._files or {}).get(name, self._folder)

    def _read(self, name: str) -> list[Source]:
        path = self._path(name)
        file = PurePath(path).relative_to(self._folder).as_posix()
        return [*_options(read_text(path).split("\n"), file)]


def _files_in(folder: Path) -> dict[str, Path]:
    """Find the lists in a folder and those below it, not in hidden ones."""

    def fail(error: OSError) -> None:
        raise CheckpointError(f"{str(folder)!r} cannot be read: {error.strerror}", folder)

    found: dict[str, Path] = {}
    n_files = 0
    for where, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        n_files += len(files)
        if n_files > MOST_FILES:
            message = f"{str(folder)!r} has more than {MOST_FILES:,} files"
            raise CheckpointError(message, folder, "Name the folder of the lists alone.")
        for file in files:
            path = Path(where, file)
            if path.suffix.lower() == ".txt" and not file.startswith("."):
                found[_plain(path.relative_to(folder).with_suffix("").as_posix())] = path
    return found


def _given_lines(name: object, options: Iterable[str]) -> Iterator[Source]:
    given = [options] if isinstance(options, str) else [*options]
    if isinstance(options, str) or not all(isinstance(each, str) for each in given):
        raise ArgumentError(f"the list {name!r} is a list of texts, not {excerpt(repr(options))}")
    for i, each in enumerate(given, 1):
        yield Source(each, f"list {name!r}", i)


def _options(lines: Iterable[str], file: str) -> Iterator[Source]:
    """Yield the lines that are options, without comments and spaces around."""
    for number, line in enumerate(lines, 1):
        option = _COMMENT.sub("", line).strip()
        if option:
            yield Source(option, file, number)


def _named(source: Source) -> Iterator[tuple[Source, str, int]]:
    for name, position in names_in(source):
        yield source, name, position


def _chained(lines: list[Source]) -> Iterator[tuple[Source, str, int]]:
    for line in lines:
        yield from _named(line)


def _first(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Keep the first of many issues, each once: a list may be named in several places."""
    return tuple(islice(dict.fromkeys(issues), MOST_ISSUES))


def _plain(name: str) -> str:
    """Write a name as all systems write it: composed letters, slashes."""
    return normalize("NFC", name).replace("\\", "/")


def _pattern(name: str) -> str:
    """Make a pattern in which only `*` is special."""
    return _SPECIAL.sub(lambda found: f"[{found[0]}]", name)
