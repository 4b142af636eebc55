"""Hold what compel's grammar finds in a prompt: pieces, brackets, weights, swaps, LoRAs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, text[start:stop]; `is_run` if it could not be read as anything else."""

    start: int
    stop: int
    is_run: bool = False


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The nodes between brackets or quotes, and the options of a swap if they are its own."""

    nodes: tuple[Node, ...]
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Weighted:
    """A node with a weight after it, text[start:stop]: signs or a number."""

    node: Node
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Swapped:
    """A node, text[start:middle], and its replacement while denoising, which ends at `stop`."""

    node: Node
    replacement: Enclosed
    start: int
    middle: int
    stop: int


@dataclass(frozen=True, slots=True)
class LoraCall:
    """A LoRA to load, asked for at text[start:stop]; `weight` is the span of its number."""

    name: str
    weight: tuple[int, int] | None
    start: int
    stop: int


Node: TypeAlias = Piece | Enclosed | Weighted | Swapped | LoraCall
Found: TypeAlias = tuple[Node, int]  # a node, and where it ends
