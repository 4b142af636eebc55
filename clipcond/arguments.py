"""Check arguments by their names: one table of what each has to be."""

from __future__ import annotations

from collections.abc import Callable
from operator import index

from clipcond.errors import ArgumentError, PromptTypeError

Check = Callable[[object], bool]


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_choice(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _is_count(value: object) -> bool:
    try:
        return not isinstance(value, bool) and index(value) is not None  # type: ignore[arg-type]
    except TypeError:
        return False


_CHOICE = _is_choice, "True, False or None"
_FLAG = _is_bool, "True or False"
_STEPS = _is_count, "a whole number"
# What is right, and how it is called.
_ARGUMENTS: dict[str, tuple[Check, str]] = {
    "fullwidth": _CHOICE,
    "pooled": _CHOICE,
    "extra_networks": (
        lambda value: _is_choice(value) or callable(value),
        "True, False, None or a function that takes the networks of a prompt",
    ),
    "exact": _FLAG,
    "negative": _FLAG,
    "again": _FLAG,
    "limited": _FLAG,
    "movement": _FLAG,
    "steps": _STEPS,
    "token": (
        lambda value: value is None or (isinstance(value, str) and bool(value.strip())),
        "a name, or None",
    ),
    "name": (lambda value: isinstance(value, str), "a name"),
}


def check_arguments(**given: object) -> None:
    """Refuse arguments that are not what they have to be; `text` is a prompt.

    Raises:
        PromptTypeError: the text is no string.
        ArgumentError: another argument; says what it has to be.
    """
    for name, value in given.items():
        if name == "text":
            if not isinstance(value, str):
                is_bytes = isinstance(value, bytes | bytearray)
                remedy = "Decode it first: prompt.decode('utf-8')." if is_bytes else ""
                message = f"a prompt is a string, not {type_name(value)}"
                raise PromptTypeError(message, remedy)
            continue
        is_right, what = _ARGUMENTS[name]
        if not is_right(value):
            raise wrong_argument(name, value, what)


def wrong_argument(name: str, value: object, what: str) -> ArgumentError:
    """Say what an argument has to be."""
    return ArgumentError(f"{name} is {what}, not {type_name(value)}: {value!r:.60}")


def type_name(value: object) -> str:
    """Name the type of a value with its article: "an int"."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
