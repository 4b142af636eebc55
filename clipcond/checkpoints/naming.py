"""Check and rename a tower's tensors by the rules of a naming scheme; needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipcond.checkpoints.header import FLOATS, Entry
from clipcond.errors import counted, excerpt

if TYPE_CHECKING:
    from torch import Tensor

POSITIONS = "embeddings.position_embedding.weight"
# Letters in shapes, and the fields of `Sizes` that they are.
SIZES = {
    **{"V": "vocabulary", "L": "context", "D": "width", "I": "inner", "P": "projection"},
    "S": "patch",
}
KEPT = 20  # positions that stay as CLIP had them. Source: LongCLIP, model/model_longclip.py, mask1


@dataclass(frozen=True, slots=True)
class Sizes:
    """A tower's sizes; 0 where the file does not say. Projection 0: there is none.

    Of a vision tower, `context` counts its positions and `patch` the pixels of a patch's side.
    """

    vocabulary: int = 0
    context: int = 0
    width: int = 0
    inner: int = 0
    layers: int = 0
    projection: int = 0
    patch: int = 0


@dataclass(frozen=True, slots=True)
class TensorRule:
    """A tensor in a file, and what becomes of it.

    Attributes:
        name: in the file, without the prefix of the whole tower; # is a block's number.
        shape: one letter for each dimension: V vocabulary, L context length, D width, T = 3 D,
            I inner width of the MLP, P projection, S side of a patch, 2 = two, 3 = three.
        targets: its name in transformers; if there are several, it is cut into as many equal parts.
        is_transposed: transformers has it the other way round.
        is_optional: towers without it exist.
    """

    name: str
    shape: str
    targets: tuple[str, ...]
    is_transposed: bool = False
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class NamingScheme:
    """How one kind of file names the tensors of a text tower, or of a vision tower.

    Attributes:
        rules: of all tensors, by their names.
        blocks: the beginning of the names in a block, up to its number.
        marks: a tower is there if any of these names is.
        roots: beginnings of names that belong to the tower, where it has no prefix of its own.
        ignored: further names in some files, which no computation uses.
    """

    rules: Mapping[str, TensorRule]
    blocks: str
    marks: tuple[str, ...]
    roots: tuple[str, ...]
    ignored: frozenset[str]

    def block_number(self, name: str) -> str:
        """Find the number in the name of a block's tensor, else ""."""
        in_block = name.startswith(self.blocks)
        return name[len(self.blocks) :].partition(".")[0] if in_block else ""

    def rule(self, name: str) -> TensorRule | None:
        """Find the rule for a tensor of this name; None if no tower has one."""
        number = self.block_number(name)
        if number:
            name = f"{self.blocks}#{name[len(self.blocks) + len(number) :]}"
        return self.rules.get(name)

    def expected(self, n_layers: int, names: Iterable[str]) -> Iterator[tuple[str, TensorRule]]:
        """List name and rule of each tensor that a tower with so many blocks must have.

        Args:
            names: of all that it has; optional ones among them are expected too.
        """
        required = [rule for rule in self.rules.values() if not rule.is_optional]
        yield from ((rule.name, rule) for rule in required if "#" not in rule.name)
        for i in range(n_layers):
            in_block = ((rule.name, rule) for rule in required if "#" in rule.name)
            yield from ((name.replace("#", str(i)), rule) for name, rule in in_block)
        optional = {name: self.rules[name] for name in names if name in self.rules}
        yield from ((name, rule) for name, rule in optional.items() if rule.is_optional)


def measure(scheme: NamingScheme, entries: Mapping[str, Entry]) -> Sizes:
    """Read a tower's sizes from its shapes, each size as most of the tensors have it."""
    votes: dict[str, Counter[int]] = {}
    for name, entry in entries.items():
        rule = scheme.rule(name)
        if rule is not None and len(rule.shape) == len(entry.shape):
            for letter, n in zip(rule.shape, entry.shape, strict=True):
                votes.setdefault(letter, Counter())[n] += 1
    most = {letter: counted.most_common(1)[0][0] for letter, counted in votes.items()}
    n_layers = len({scheme.block_number(name) for name in entries} - {""})
    return Sizes(layers=n_layers, **{SIZES[k]: n for k, n in most.items() if k in SIZES})


def find_problem(
    scheme: NamingScheme, entries: Mapping[str, Entry], in_file: Mapping[str, str]
) -> str:
    """Say what is wrong with a tower, or "": a tensor missing, misshapen, not floats, or unknown.

    Args:
        entries: the tower's tensors by the scheme's names.
        in_file: these names -> those in the file, for the message.
    """
    found = measure(scheme, entries)
    sizes = {letter: getattr(found, size) for letter, size in SIZES.items()}
    sizes |= {"T": 3 * found.width, "2": 2, "3": 3}
    unknown = set(entries) - scheme.ignored
    for name, rule in scheme.expected(found.layers, entries):
        expected = tuple(sizes[letter] for letter in rule.shape)
        entry = entries.get(name)
        if entry is None:
            known = ", ".join(str(n or "any") for n in expected)
            return f"it has no tensor {_prefix(in_file) + name!r} (expected [{known}])"
        if entry.shape != expected:
            return f"{in_file[name]!r} is {list(entry.shape)}, expected {list(expected)}"
        if entry.dtype not in FLOATS:
            return f"{in_file[name]!r} is {entry.dtype}, expected floating point"
        unknown.discard(name)
    if unknown:
        first = in_file[min(unknown)]
        return (
            f"it has {counted(len(unknown), 'tensor')} that no such tower has, "
            f"such as {excerpt(first, 100)!r}"
        )
    letters = {
        letter for rule in scheme.rules.values() if not rule.is_optional for letter in rule.shape
    }
    if not found.layers or not all(sizes[letter] for letter in letters):
        return "it has a size of 0, or no block"
    return ""


def rename_tensors(
    scheme: NamingScheme, tensors: Iterable[tuple[str, Tensor]]
) -> dict[str, Tensor]:
    """Give a checked tower's tensors their names and shapes in transformers, without `text_model.`.

    Tensors that only get another name are passed on as they are; the others are copied.

    Args:
        tensors: each with its name in the scheme; taken one at a time.
    """
    renamed: dict[str, Tensor] = {}
    later_positions: Tensor | None = None
    for name, tensor in tensors:
        rule = scheme.rule(name)
        assert rule is not None  # find_problem has refused unknown names
        if not rule.targets:
            later_positions = tensor
        if rule.is_transposed:
            tensor = tensor.t().contiguous()
        n_parts = len(rule.targets)
        parts = [p.clone() for p in tensor.chunk(n_parts)] if n_parts > 1 else [tensor][:n_parts]
        for target, part in zip(rule.targets, parts, strict=True):
            renamed[target.replace("#", scheme.block_number(name))] = part
    if later_positions is not None:
        renamed[POSITIONS] = renamed[POSITIONS].clone()
        renamed[POSITIONS][KEPT:] = later_positions[KEPT:]
    return renamed


def _prefix(in_file: Mapping[str, str]) -> str:
    """Find what the file has before the names of the tower's tensors."""
    prefixes = (full.removesuffix(name) for name, full in in_file.items())
    return max(prefixes, key=len, default="")
