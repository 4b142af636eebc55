"""Find what a caller asks for among the words of a prompt, or say why it is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from clipcond.arguments import wrong_argument
from clipcond.errors import ArgumentError, PromptError, PromptTypeError, counted, excerpt
from clipcond.pipelines.heat_maps.words import Runs, Word, cannot_read, units_of

N_LISTED = 20  # words in a message


def find_rows(
    text: str, texts: Mapping[int, Runs], occurrence: int | None, prompt: str
) -> dict[int, set[int]]:
    """Find the rows of a phrase in each text that has it.

    Args:
        text: words as in the prompt.
        texts: the words of each.
        occurrence: from 1, in the order of the prompt; None = all.
        prompt: as it was written.
    Raises:
        PromptError: there is no such phrase, or it has no rows, or cannot be read.
        ArgumentError: it does not occur so often.
    """
    if not isinstance(text, str):
        raise PromptTypeError(f"a word is a string, not {type(text).__name__}")
    hits = {n: [hit for run in runs for hit in _matches(run, text)] for n, runs in texts.items()}
    found = [hit for own in hits.values() for hit in own]
    if not found:
        raise _not_there(text, [w for runs in texts.values() for run in runs for w in run], prompt)
    order = [*dict.fromkeys(w.prompt for runs in texts.values() for run in runs for w in run)]
    places = sorted({(order.index(hit[0].prompt), hit[0].start) for hit in found})
    wanted = {*places} if occurrence is None else {_chosen(text, places, occurrence)}
    chosen = {
        n: [hit for hit in own if (order.index(hit[0].prompt), hit[0].start) in wanted]
        for n, own in hits.items()
    }
    _check_read([word for own in chosen.values() for hit in own for word in hit])
    rows = {n: {r for hit in own for word in hit for r in word.rows} for n, own in chosen.items()}
    if not any(rows.values()):
        first = found[0][0]
        raise _not_encoded(text, first.prompt, first.start)
    return {n: own for n, own in rows.items() if own}


def _matches(run: list[Word], text: str) -> Iterator[tuple[Word, ...]]:
    """Yield the words of a run that together are the phrase, as often as it occurs."""
    wanted = units_of(text)
    for i in range(len(run) if wanted else 0):
        units: list[str] = []
        for k in range(i, len(run)):
            units += units_of(run[k].text)
            if units == wanted:
                yield tuple(run[i : k + 1])
            if units != wanted[: len(units)]:
                break


def _chosen(text: str, places: list[tuple[int, int]], occurrence: object) -> tuple[int, int]:
    if isinstance(occurrence, bool) or not isinstance(occurrence, int):
        raise wrong_argument("occurrence", occurrence, "a whole number, from 1")
    if not 1 <= occurrence <= len(places):
        raise ArgumentError(
            f"{text!r} occurs {counted(len(places), 'time')}: occurrence= is from 1 to "
            f"{len(places)}, not {occurrence}"
        )
    return places[occurrence - 1]


def _check_read(words: list[Word]) -> None:
    """Refuse a word that the tower cannot read: its rows say nothing of it."""
    for word in words:
        if cannot_read(word):
            raise PromptError(
                f"{word.tower.name!r} cannot read {word.text!r}: its rows say nothing of that word",
                word.prompt,
                word.start,
                "Ask for a word that it knows.",
            )


def _not_there(text: str, words: list[Word], prompt: str) -> PromptError:
    """Say that a phrase is not among the words: where the prompt has it, or the nearest."""
    shown = excerpt(repr(text))
    at = prompt.casefold().find(text.casefold()) if text.strip() else -1
    if at >= 0:
        whole = next((w for w in words if w.start <= at < w.start + len(w.text)), None)
        within = [w.text for w in words if w.prompt == prompt and at <= w.start < at + len(text)]
        if whole is None and within:
            message = f"{shown} has more than words: signs that give a weight draw nothing"
            return PromptError(message, prompt, at, f"Ask for {' '.join(within)!r}.")
        if whole is None:
            return _not_encoded(text, prompt, at)
        message = f"{shown} is no word by itself: it is part of {excerpt(repr(whole.text))}"
        return PromptError(message, whole.prompt, whole.start, "Ask for the whole word.")
    known = {word.text.casefold(): word for word in reversed(words)}
    near = get_close_matches(text.casefold(), known, n=1)
    if near:
        word = known[near[0]]
        message = f"the prompt has no {shown}. Did you mean {word.text!r}?"
        return PromptError(message, word.prompt, word.start)
    names = [*dict.fromkeys(word.text for word in words if any(map(str.isalnum, word.text)))]
    more = f" and {len(names) - N_LISTED} more" if len(names) > N_LISTED else ""
    listed = ", ".join(map(repr, names[:N_LISTED])) + more
    remedy = f"Its words: {listed}." if names else "It has no words."
    return PromptError(f"the prompt has no {shown}", prompt, 0, remedy)


def _not_encoded(text: str, prompt: str, position: int) -> PromptError:
    return PromptError(
        f"{excerpt(repr(text))} is in the prompt, but was not encoded: nothing was drawn by it",
        prompt,
        position,
        "See what is encoded: print(pipe.conditioner.explain(prompt)).",
    )
