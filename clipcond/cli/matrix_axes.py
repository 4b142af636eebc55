"""Read the axes of a matrix: `--matrix "clip-skip=1,2"`, `--matrix "prompt:cat=cat,dog"`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import typer

from clipcond.cli.usage import option_of
from clipcond.errors import ClipcondError, caret, excerpt

# What can be an axis: options of `generate` that take one value, and the prompt.
OF_PICTURES = ("prompt", "negative", "seed", "steps", "guidance", "clip-skip", "size")
OF_READING = ("scheduler", "dialect", "weighting", "normalize", "fullwidth", "extra-networks")
OF_MODELS = ("model", "vae", "tower", "adapter", "dtype")  # each of its values is loaded once
AXES = (*OF_PICTURES, "style", *OF_READING, *OF_MODELS)
MAY_BE_DEFAULT = ("scheduler", "weighting", "normalize", "model", "vae", "tower", "adapter")
SEARCHED = ("prompt", "negative")
MOST_AXES, MOST_CELLS = 3, 400
COMMAS = ",，、"  # also as Chinese keyboards type them


def _value_pattern(commas: str, more: str = "") -> re.Pattern[str]:
    """Make the pattern of a value and the comma behind it.

    Args:
        commas: each of which ends a value.
        more: what a value without quotes may have besides.
    """
    text = rf"(?:{more}[^{commas}])*"
    return re.compile(
        rf'\s*(?:"(?P<quoted>(?:[^"]|"")*)"(?P<behind>{text})|(?P<plain>{text}))'
        rf"(?P<comma>[{commas}]|\Z)"
    )


_NARROW = _value_pattern(",")
_WIDE = _value_pattern(COMMAS, '“[^“”,]*”|"[^",]*"|')

_WHOLE, _NUMBER, _SWITCH = "a whole number", "a number", "true or false"
_KINDS = {
    **dict.fromkeys(("seed", "steps", "clip-skip"), _WHOLE),
    "guidance": _NUMBER,
    **dict.fromkeys(("fullwidth", "extra-networks"), _SWITCH),
}

_SWITCHES = frozenset("true false yes no on off 1 0 t f y n".split())
Read = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Axis:
    """An option, and the values that it has along one side of a sheet.

    Args:
        name: of AXES.
        searched: what is replaced in the prompt by each value; "" = the value is the whole.
        written: the values as they were typed.
        values: the same as the option has them.
        spec, places: the axis as it was typed, and where each value is in it.
    """

    name: str
    searched: str
    written: tuple[str, ...]
    values: tuple[object, ...]
    spec: str = ""
    places: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name}:{self.searched}" if self.searched else self.name

    @property
    def labels(self) -> list[str]:
        """What is written at the columns or rows."""
        if self.name in SEARCHED:
            return [value or "(empty)" for value in self.written]
        if self.name == "style":
            return [value or "(no style)" for value in self.written]
        return [f"{self.name}: {value or '(default)'}" for value in self.written]


def read_axes(specs: Sequence[str], reader: Callable[[str], Read]) -> tuple[Axis, ...]:
    """Read up to three axes: of columns, rows and sheets.

    Args:
        reader: returns for the name of an axis what reads one of its values.
    Raises:
        BadParameter: one cannot be read; shows where.
    """
    if len(specs) > MOST_AXES:
        raise typer.BadParameter(f"a matrix has {MOST_AXES} axes at most, not {len(specs)}")
    axes: list[Axis] = []
    for spec in specs:
        axis = _read_axis(spec, reader)
        if any(axis.title == other.title for other in axes):
            raise wrong(spec, 0, f"the axis {axis.title!r} is there twice")
        axes.append(axis)
    n_cells = 1
    for axis in axes:
        n_cells *= len(axis.values)
    if n_cells > MOST_CELLS:
        raise typer.BadParameter(
            f"the matrix has {n_cells:,} pictures; at most {MOST_CELLS} are drawn\n"
            "Write fewer values."
        )
    return tuple(axes)


def wrong(spec: str, position: int, message: str, remedy: str = "") -> typer.BadParameter:
    """Say what is wrong about an axis, with a caret under its place."""
    lines = (message, caret(spec, position), remedy)
    return typer.BadParameter("\n".join(line for line in lines if line))


def _read_axis(spec: str, reader: Callable[[str], Read]) -> Axis:
    written, equals, _ = spec.partition("=")
    name, colon, searched = written.partition(":")
    known = f"Axes: {', '.join(AXES)}; prompt:cat and negative:cat replace a text."
    if _plain(name) not in AXES:
        raise wrong(spec, 0, f"{excerpt(name)!r} is no axis.{_guess(name)}", known)
    if not equals:
        raise wrong(spec, len(spec), "'=' and the values are missing", "Write AXIS=A,B.")
    name = _plain(name)
    if colon and (name not in SEARCHED or not searched):
        message, remedy = "only prompt and negative have a ':' behind them", "Write AXIS=A,B."
        if name in SEARCHED:
            message = "':' needs a text of a prompt behind it"
            remedy = "Write the text to be replaced, such as prompt:cat."
        raise wrong(spec, written.index(":"), message, remedy)
    read, values, texts, places = reader(name), [], [], []
    for text, position in _values(spec, len(written) + 1):
        places.append(position)
        try:
            values.append(text if searched else read(text))
        except typer.BadParameter as error:
            raise wrong(spec, position, error.message) from None
        except ClipcondError as error:
            raise wrong(spec, position, error.message, error.remedy) from None
        texts.append(text)
    return Axis(name, searched, tuple(texts), tuple(values), spec, tuple(places))


def _values(spec: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield the values between commas, with their places; those in quotes as CSV has them.

    Full-width commas separate them where no ASCII comma does.
    """
    is_wide = all(found["comma"] != "," for found in _pieces(_WIDE, spec, start))
    for found in _pieces(_WIDE if is_wide else _NARROW, spec, start):
        is_quoted = found["quoted"] is not None
        at = found.start("quoted") - 1 if is_quoted else found.start("plain")
        if is_quoted and found["behind"].strip():
            place = found.start("behind")
            raise wrong(spec, place, "',' is missing behind the quotes", 'Write " in them as "".')
        if not is_quoted and found["plain"].lstrip().startswith('"'):
            raise wrong(spec, at, "the quotes are never closed", "Write another at their end.")
        yield found["quoted"].replace('""', '"') if is_quoted else found["plain"].strip(), at


def _pieces(pattern: re.Pattern[str], spec: str, start: int) -> Iterator[re.Match[str]]:
    while found := pattern.match(spec, start):
        yield found
        start = found.end()
        if not found["comma"]:
            return


def _plain(name: str) -> str:
    return name.strip().lstrip("-").lower().replace("_", "-").replace(" ", "-")


def _guess(name: str) -> str:
    known = option_of(_plain(name))[2:]
    near = [known] if known in AXES else get_close_matches(_plain(name), AXES, 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _is_kind(text: str, kind: str) -> bool:
    if kind == _SWITCH:
        return text.strip().lower() in _SWITCHES
    try:
        (float if kind == _NUMBER else int)(text)
    except ValueError:
        return False
    return True


def value_reader(
    context: typer.Context, checks: dict[str, Callable[[str], object]]
) -> Callable[[str], Read]:
    """Make what reads values as the command reads its options, and looks up names.

    Args:
        context: of the command.
        checks: by axis, what refuses a name that there is not.
    """
    options = {parameter.name: parameter for parameter in context.command.params}

    def reader(name: str) -> Read:
        option = options[name.replace("-", "_")]

        def read(text: str) -> object:
            if not text and name in (*MAY_BE_DEFAULT, "style"):
                return None
            # a style is one of a list of names
            if name in _KINDS and not _is_kind(text, _KINDS[name]):
                raise typer.BadParameter(f"{_KINDS[name]} is needed, not {excerpt(text)!r}")
            value: object = text if name == "style" else option.process_value(context, text)
            if name in checks:
                checks[name](text)
            return value

        return read

    return reader
