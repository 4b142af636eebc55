"""Colours, files of an index, and messages, for the tests of indexes."""

from pathlib import Path

import pytest


def message_of(kind, act, *arguments, **named) -> str:
    with pytest.raises(kind) as caught:
        act(*arguments, **named)
    return str(caught.value)


COLOURS = {"red": (214, 46, 48), "green": (46, 160, 67), "blue": (44, 100, 222)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
