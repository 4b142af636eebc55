"""Textual inversions that a tower keeps itself: names that stand for vectors of their own.

Neither the model nor its tokenizer is changed. The vectors have ids beyond every vocabulary, and
take the place of what the embedding table gives, for the length of one forward. So the model can be
shared with a pipeline, and rows that diffusers adds to the table later get no id of ours.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import TowerError, excerpt

__all__ = ["FIRST_ID", "Inversions"]

FIRST_ID = 2**24  # the largest vocabulary of a text tower, XLM-V's, has 901,629 entries
_ADDING = Lock()


@dataclass(frozen=True, slots=True)
class _Inversion:
    """A name, its vectors [n D] on the CPU, and their ids."""

    name: str
    vectors: Tensor
    ids: tuple[int, ...]
    digest: str


class Inversions:
    """The textual inversions of one tower, by name.

    A name is found wherever it stands in a text, but not within a longer word; capitals do not
    matter, as they do not to CLIP, nor how many spaces there are. The longest name goes first.
    Adding and removing never disturbs an encoding that runs.

    Args:
        width: D, of the vectors.
        tower: how messages call the tower.
    """

    def __init__(self, width: int, tower: str) -> None:
        self.width = width
        self.tower = tower
        self._next = FIRST_ID
        self._keep({})

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, token_id: object) -> bool:
        """Whether an id belongs to the one before it: every vector but the first."""
        place = self._places.get(token_id)
        return place is not None and place[1] > 0

    @property
    def names(self) -> tuple[str, ...]:
        """As they were given."""
        return tuple(inversion.name for inversion in self._by_name.values())

    def check(self, name: str, vectors: Tensor) -> Tensor:
        """The vectors as [n D], if `add` would take them.

        Raises:
            TowerError: not of this width, not numbers, not finite; a name that is empty or taken.
        """
        if not name.strip():
            raise TowerError("a textual inversion needs a name", "Say token='...'.")
        if _key(name) in self._by_name:
            raise TowerError(
                f"{self.tower!r} has a textual inversion {excerpt(name)!r} already",
                "Remove it first with remove_inversion, or say another token=.",
            )
        rows = vectors.detach().unsqueeze(0) if vectors.dim() == 1 else vectors.detach()
        what = f"the vectors of {excerpt(name)!r}"
        if rows.dim() != 2 or not rows.numel():
            raise TowerError(f"{what} are {list(vectors.shape)}; expected [n, {self.width}]")
        if rows.shape[1] != self.width:
            raise TowerError(
                f"{what} are {rows.shape[1]} wide; {self.tower!r} reads {self.width}",
                "It was made for another model: 768 is Stable Diffusion 1, 1024 is 2, 768 and 1280 "
                "together are XL.",
            )
        if not rows.is_floating_point():
            raise TowerError(f"{what} are of {rows.dtype}, which has no fractions")
        if not bool(torch.isfinite(rows.float()).all()):
            raise TowerError(f"{what} hold NaN or infinite values", "The file is damaged.")
        return rows

    def add(self, name: str, vectors: Tensor) -> None:
        """Let `name` stand for `vectors` [n D] (or [D]); they are copied.

        Raises:
            TowerError: as `check` does.
        """
        with _ADDING:
            rows = self.check(name, vectors).cpu().clone()
            ids = tuple(range(self._next, self._next + len(rows)))
            digest = sha256(rows.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
            self._next += len(rows)
            self._keep({**self._by_name, _key(name): _Inversion(name, rows, ids, digest)})

    def remove(self, name: str) -> None:
        """Forget an inversion.

        Raises:
            TowerError: there is none of that name.
        """
        with _ADDING:
            if _key(name) not in self._by_name:
                known = ", ".join(self.names) or "none"
                raise TowerError(
                    f"{self.tower!r} has no textual inversion {excerpt(name)!r}; it has: {known}"
                )
            self._keep({k: each for k, each in self._by_name.items() if k != _key(name)})

    def update(self, other: Inversions) -> None:
        """Add those of another tower that this one lacks."""
        for inversion in other._by_name.values():
            if _key(inversion.name) not in self._by_name and other.width == self.width:
                self.add(inversion.name, inversion.vectors)

    def ids(self, name: str) -> tuple[int, ...]:
        """The ids of a name; none if there is no such name."""
        inversion = self._by_name.get(_key(name))
        return () if inversion is None else inversion.ids

    def split(self, text: str) -> list[str | tuple[int, ...]]:
        """The text between names, and in the place of each name its ids."""
        if self._pattern is None:
            return [text]
        pieces: list[str | tuple[int, ...]] = []
        start = 0
        for match in self._pattern.finditer(text):
            ids = self.ids(match[0])
            if ids:  # patterns and names fold capitals alike, but for a few letters
                pieces += [text[start : match.start()], ids]
                start = match.end()
        pieces.append(text[start:])
        return [piece for piece in pieces if not isinstance(piece, str) or piece.strip()]

    def piece(self, token_id: int) -> str | None:
        """For showing: the name that an id belongs to, numbered as diffusers does it; else None."""
        place = self._places.get(token_id)
        if place is None:
            return None
        return f"{place[0].name}_{place[1]}" if place[1] else place[0].name

    def fingerprint(self) -> Hashable:
        """Changes with the vectors and their ids."""
        return tuple((each.ids[0], each.digest) for each in self._by_name.values())

    @contextmanager
    def standing_in(self, embedding: nn.Module, input_ids: Tensor) -> Iterator[Tensor]:
        """Let `embedding` give our vectors for our ids, in forwards of this thread.

        Args:
            embedding: ids [n L] to vectors [n L D]; a hook is on it while inside.
            input_ids: [n L].
        Yields:
            the ids [n L] to be given to the model, where ours are 0.
        Raises:
            TowerError: an id of an inversion that was removed.
        """
        ours = input_ids >= FIRST_ID
        if not bool(ours.any()):
            yield input_ids
            return
        rows, thread = self._rows(input_ids[ours].tolist()), get_ident()

        def replace(_: nn.Module, args: tuple[Any, ...], result: Tensor) -> Tensor:
            if get_ident() != thread:
                return result
            result = result.clone()
            result[ours.to(result.device)] = rows.to(result.device, result.dtype)
            return result

        handle = embedding.register_forward_hook(replace)
        try:
            yield input_ids.masked_fill(ours, 0)
        finally:
            handle.remove()

    def _rows(self, ids: list[int]) -> Tensor:
        places = self._places
        if not all(i in places for i in ids):
            raise TowerError(
                f"these chunks use a textual inversion that {self.tower!r} does not have",
                "It was removed, or they were made for another tower.",
            )
        return torch.stack([places[i][0].vectors[places[i][1]].float() for i in ids])

    def _keep(self, by_name: dict[str, _Inversion]) -> None:
        # replaced, never changed: another thread may be reading them
        self._by_name = by_name
        self._places: dict[object, tuple[_Inversion, int]] = {
            i: (each, n) for each in by_name.values() for n, i in enumerate(each.ids)
        }
        self._pattern = _pattern([each.name for each in by_name.values()])


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _pattern(names: list[str]) -> re.Pattern[str] | None:
    """Any of the names, the longest first."""
    if not names:
        return None
    longest = sorted(names, key=lambda name: len(_key(name)), reverse=True)
    return re.compile("|".join(map(_whole, longest)), re.IGNORECASE)


def _whole(name: str) -> str:
    """A name that is no part of a word."""
    words = name.split()
    before = r"(?<!\w)" if re.match(r"\w", words[0]) else ""
    behind = r"(?!\w)" if re.search(r"\w\Z", words[-1]) else ""
    return before + r"\s+".join(map(re.escape, words)) + behind
