"""Textual inversions that a tower keeps itself: names with vectors of their own.

Neither the model nor its tokenizer is changed. The vectors have ids beyond every vocabulary, and
replace rows of the embedding output during one forward. So the model can be shared with a pipeline,
and rows that diffusers adds to the table later get no id of ours.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from clipcond.errors import TowerError, excerpt
from clipcond.locks import fork_safe_lock

if TYPE_CHECKING:
    from torch import Tensor

FIRST_ID = 2**24  # the largest vocabulary of a text tower, XLM-V's, has 901,629 entries
MOST_VECTORS = 10_000  # far more than a prompt can hold
_ADDING = fork_safe_lock()


@dataclass(frozen=True, slots=True)
class _Inversion:
    """A name, its vectors [n D] on the CPU, and their ids."""

    name: str
    vectors: Tensor
    ids: tuple[int, ...]
    digest: str


class Inversions:
    """The textual inversions of one tower, by name.

    A name is found anywhere in a text except within a longer word. Capitals do not matter, as they
    do not to CLIP, nor the number of spaces. The longest name wins. Adding and removing never
    disturbs a tower call that runs.

    Args:
        width: D, of the vectors.
        tower: the tower's name in messages.
    Attributes:
        by_name: the inversions; replaced at every change, never changed in place.
    """

    def __init__(self, width: int, tower: str) -> None:
        self.width = width
        self.tower = tower
        self._next = FIRST_ID
        self.by_name: dict[str, _Inversion] = {}
        self._places: dict[object, tuple[_Inversion, int]] = {}
        self._named = _Names()

    def __contains__(self, token_id: object) -> bool:
        """Whether an id belongs to the one before it: every vector but the first."""
        place = self._places.get(token_id)
        return place is not None and place[1] > 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names, as they were added."""
        return tuple(inversion.name for inversion in self.by_name.values())

    def check(self, name: str, vectors: Tensor) -> Tensor:
        """Bring vectors into the shape [n D], if `add` would accept them.

        Raises:
            TowerError: the vectors have another width, no fractions, or values that are not finite;
                the name is empty or taken.
        """
        import torch  # vectors need it, not names

        if not name.strip():
            raise TowerError("a textual inversion needs a name", "Say token='...'.")
        if _key(name) in self.by_name:
            raise TowerError(
                f"{self.tower!r} has a textual inversion {excerpt(name)!r} already",
                "Remove it first with remove_inversion, or say another token=.",
            )
        what = f"the vectors of {excerpt(name)!r}"
        if vectors.layout != torch.strided or vectors.is_quantized or vectors.is_meta:
            raise TowerError(f"{what} are no plain tensor with values: sparse, quantized or meta")
        rows = vectors.detach().unsqueeze(0) if vectors.dim() == 1 else vectors.detach()
        if rows.dim() != 2 or not rows.numel():
            raise TowerError(f"{what} are {list(vectors.shape)}; expected [n, {self.width}]")
        if rows.shape[1] != self.width:
            raise TowerError(
                f"{what} are {rows.shape[1]} wide; {self.tower!r} reads {self.width}",
                "It was made for another model: 768 is Stable Diffusion 1, 1024 is 2, 768 and 1280 "
                "together are XL.",
            )
        if len(rows) > MOST_VECTORS:
            raise TowerError(f"{what} are {len(rows)} rows, expected {MOST_VECTORS} at most")
        if not rows.is_floating_point():
            raise TowerError(f"{what} are of {rows.dtype}, which has no fractions")
        if not bool(torch.isfinite(rows.float()).all()):
            raise TowerError(f"{what} hold NaN or infinite values", "The file is damaged.")
        return rows

    def add(self, name: str, vectors: Tensor) -> None:
        """Add `vectors` [n D] (or [D]) under a name; they are copied.

        Raises:
            TowerError: as `check` does.
        """
        import torch

        with _ADDING:
            rows = self.check(name, vectors).cpu().clone()
            ids = tuple(range(self._next, self._next + len(rows)))
            digest = sha256(rows.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
            self._next += len(rows)
            inversion = _Inversion(name, rows, ids, digest)
            self._keep({**self.by_name, _key(name): inversion}, [inversion])

    def remove(self, name: str) -> None:
        """Remove an inversion.

        Raises:
            TowerError: there is none of that name.
        """
        with _ADDING:
            if _key(name) not in self.by_name:
                known = ", ".join(self.names) or "none"
                raise TowerError(
                    f"{self.tower!r} has no textual inversion {excerpt(name)!r}; it has: {known}"
                )
            kept = {k: each for k, each in self.by_name.items() if k != _key(name)}
            self._keep(kept)

    def update(self, other: Inversions) -> None:
        """Add another tower's inversions that this one lacks, if they have its width."""
        for inversion in other.by_name.values():
            if _key(inversion.name) not in self.by_name and other.width == self.width:
                self.add(inversion.name, inversion.vectors)

    def ids(self, name: str) -> tuple[int, ...]:
        """Look up the ids of a name; none if there is no such name."""
        inversion = self.by_name.get(_key(name))
        return () if inversion is None else inversion.ids

    def split(self, text: str) -> list[str | tuple[int, ...]]:
        """Split a text at names; each name is replaced by its ids."""
        named = self._named  # read once: another thread may remove the last name
        if not named.lengths:
            return [text]
        pieces: list[str | tuple[int, ...]] = []
        start = 0
        for begin, end, ids in named.find(text):
            pieces += [text[start:begin], ids]
            start = end
        pieces.append(text[start:])
        return [piece for piece in pieces if not isinstance(piece, str) or piece.strip()]

    def piece(self, token_id: int) -> str | None:
        """Show an id as its name, numbered as diffusers does it; None for any other id."""
        place = self._places.get(token_id)
        if place is None:
            return None
        return f"{place[0].name}_{place[1]}" if place[1] else place[0].name

    def fingerprint(self) -> Hashable:
        """Make a key that changes with the vectors and their ids."""
        return tuple((each.ids[0], each.digest) for each in self.by_name.values())

    def vectors(self, ids: Sequence[int]) -> Tensor:
        """Look up the vectors [n D] of n ids, float32 on the CPU.

        Raises:
            TowerError: an id of an inversion that was removed, or of another tower.
        """
        import torch

        places = self._places
        if not all(i in places for i in ids):
            raise TowerError(
                f"these chunks use a textual inversion that {self.tower!r} does not have",
                "It was removed, or they were made for another tower.",
            )
        return torch.stack([places[i][0].vectors[places[i][1]].float() for i in ids])

    def _keep(
        self, by_name: dict[str, _Inversion], added: Sequence[_Inversion] | None = None
    ) -> None:
        """Replace the inversions; `added` are those that are new, if all others stay."""
        new = list(by_name.values()) if added is None else added
        places = {} if added is None else {**self._places}
        places.update((i, (each, n)) for each in new for n, i in enumerate(each.ids))
        named = _Names() if added is None else self._named.copied()
        for each in new:
            named.add(each.name, each.ids)
        self.by_name, self._places, self._named = by_name, places, named


class _Names:
    """Names in texts, found by their pieces: words, signs, and spaces between them.

    A name is never a part of a longer word, so where it begins and ends, pieces do.
    """

    def __init__(self) -> None:
        self.lengths: dict[str, tuple[int, ...]] = {}  # by the first piece, the longest first
        self._names: dict[tuple[str, ...], tuple[str, tuple[int, ...]]] = {}

    def copied(self) -> _Names:
        """Copy it, as it may be read meanwhile."""
        other = _Names()
        other.lengths, other._names = {**self.lengths}, {**self._names}
        return other

    def add(self, name: str, ids: tuple[int, ...]) -> None:
        """Add a name and its ids."""
        pieces = tuple(_folded(piece) for piece in _PIECE.findall(name.strip()))
        known = self.lengths.get(pieces[0], ())
        self.lengths[pieces[0]] = tuple(sorted({*known, len(pieces)}, reverse=True))
        self._names[pieces] = name, ids

    def find(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Yield where names begin and end, and their ids."""
        matches = list(_PIECE.finditer(text))
        pieces = [_folded(match[0]) for match in matches]
        position = 0
        while position < len(pieces):
            n_taken = 1
            for n in self.lengths.get(pieces[position], ()):
                found = self._names.get(tuple(pieces[position : position + n]))
                if found is None or position + n > len(pieces):
                    continue
                begin, end = matches[position].start(), matches[position + n - 1].end()
                if _is_written(found[0], text[begin:end]):
                    yield begin, end, found[1]
                    n_taken = n
                    break
            position += n_taken


_PIECE = re.compile(r"\w+|\s+|[^\w\s]")


def _folded(piece: str) -> str:
    return " " if piece.isspace() else piece.casefold()


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _is_written(name: str, text: str) -> bool:
    """Whether a text is a name but for capitals and spaces: `strasse` is not written `straße`."""
    pattern = r"\s+".join(map(re.escape, name.split()))
    return re.fullmatch(pattern, text, re.IGNORECASE) is not None
