"""Align the tokens of two prompts: which are the same, in order."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from typing import TypeAlias

Pair: TypeAlias = tuple[int | None, int | None]

MOST_CELLS = 4_000_000  # of the table between the ends that are the same: half a second, 16 MB


def align(first: Sequence[Hashable], second: Sequence[Hashable]) -> tuple[list[Pair], bool]:
    """Find a longest common subsequence of two sequences, in linear time where it would be slow.

    Returns:
        pairs of indices in order, None where one has nothing: every index of each occurs once; and
        whether the common subsequence is a longest one. If what is between the common ends is too
        long for that, all of it counts as different.
    """
    n_same = min(len(first), len(second))
    start = next((i for i in range(n_same) if first[i] != second[i]), n_same)
    n_left = n_same - start
    n_end = next((i for i in range(n_left) if first[-1 - i] != second[-1 - i]), n_left)
    a, b = first[start : len(first) - n_end], second[start : len(second) - n_end]
    is_longest = len(a) * len(b) <= MOST_CELLS
    middle = _longest(a, b) if is_longest else [*_only_first(a), *_only_second(b)]
    pairs: list[Pair] = [(i, i) for i in range(start)]
    pairs += [(_moved(i, start), _moved(j, start)) for i, j in middle]
    pairs += [(len(first) - i, len(second) - i) for i in range(n_end, 0, -1)]
    return pairs, is_longest


def _moved(index: int | None, start: int) -> int | None:
    return None if index is None else index + start


def _only_first(a: Sequence[Hashable], start: int = 0) -> list[Pair]:
    return [(i, None) for i in range(start, len(a))]


def _only_second(b: Sequence[Hashable], start: int = 0) -> list[Pair]:
    return [(None, j) for j in range(start, len(b))]


def _longest(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Pair]:
    """Align by a table of the lengths of common subsequences; what is removed comes first."""
    table = [array("I", bytes(4 * (len(b) + 1))) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        row, below, token = table[i], table[i + 1], a[i]
        for j in range(len(b) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if token == b[j] else max(below[j], row[j + 1])
    pairs: list[Pair] = []
    i = j = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif table[i + 1][j] >= table[i][j + 1]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    return [*pairs, *_only_first(a, i), *_only_second(b, j)]
