"""Check which layers, steps and heads a caller chooses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from clipcond.arguments import wrong_argument
from clipcond.errors import ArgumentError, PipelineError, UnknownNameError

DEPTH = 2  # of the names that a message lists


def choose_layers(wanted: str | Sequence[str] | None, known: Iterable[str]) -> list[str]:
    """List the layers that are wanted, in the order of those that are known; None = all.

    Args:
        wanted: names, or what names begin with up to a dot.
    Raises:
        UnknownNameError: one is the name of none, and the beginning of none.
        ArgumentError: it is no string and no sequence of strings.
    """
    names = list(known)
    if wanted is None:
        return names
    given = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(given, Sequence) or not all(isinstance(each, str) for each in given):
        raise wrong_argument("layers", wanted, "names of layers, or None")
    if not given:
        raise ArgumentError("layers= names no layer")
    for each in given:
        if not any(_is_in(name, each) for name in names):
            starts = {".".join(name.split(".")[: n + 1]) for name in names for n in range(DEPTH)}
            raise UnknownNameError("layer", each, starts)
    return [name for name in names if any(_is_in(name, each) for each in given)]


def numbers(what: str, given: Iterable[int], known: Collection[int]) -> frozenset[int]:
    """Make a set of the numbers that are given.

    Raises:
        ArgumentError: one is not among those that are known, or none is given.
    """
    try:
        found = frozenset(given)
    except TypeError:
        raise wrong_argument(what, given, "a range or a list of whole numbers") from None
    unknown = [each for each in found if isinstance(each, bool) or each not in known]
    if unknown or not found:
        most = max(known)
        shown = f"not {unknown[0]!r}" if unknown else "and none is given"
        raise ArgumentError(f"{what}= are from {min(known)} to {most}, {shown}")
    return found


def not_apart(what: str, flag: str) -> PipelineError:
    """Make the error for steps or heads that were added up."""
    return PipelineError(
        f"The {what} of this call were added up, so that none can be chosen.",
        f"Trace with {flag}=True.",
    )


def _is_in(name: str, start: str) -> bool:
    return name == start or name.startswith(f"{start}.")
