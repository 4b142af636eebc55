"""Find the terms of textual inversions in a file, by names and shapes; needs no torch.

A term is a name with vectors for one tower, or for each tower of a pair. The names of tensors say
which: `<name>`, `emb_params`, `string_to_param.*`, `clip_l` and `clip_g`, `text_encoders_0` and
`text_encoders_1` (pivotal tuning); within a LoRA `bundle_emb.<name>.` precedes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

BUNDLED = "bundle_emb."
MOST_TERMS = 1000
# Keys of the vectors for one tower of several: the tower's place; None = vectors
# for T5, which are skipped.
_PLACES = {
    "clip_l": 0, "text_encoders_0": 0, "clip_g": 1, "text_encoders_1": 1,
    "text_encoders_2": None, "t5": None, "t5xxl": None,
}  # fmt: skip
INVERSION_KEYS = re.compile(r"string_to_param|emb_params|^clip_[lg]$|^text_encoders_[012]$")
_KEY = re.compile(
    r"(?:(?P<name>.+)\.)??(?:string_to_param\.(?P<inner>.+)|(?P<key>emb_params|"
    + "|".join(_PLACES)
    + "))"
)
_WEIGHT = re.compile(r"\.(weight|bias|alpha|lora_[AB]|lora_up|lora_down)\b|^lora_|^lycoris_")


@dataclass(slots=True)
class Term:
    """A term: its name as the file says, or "", and its tensors' names by the tower's place.

    The place is None where the file has vectors for one tower only.
    """

    name: str
    tensors: dict[int | None, str] = field(default_factory=dict)


def find_terms(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Term, ...]:
    """Find the terms; none if the tensors are no inversion.

    Args:
        shapes: of the tensors, by their names.
    """
    bundled = [name for name in shapes if name.startswith(BUNDLED)]
    if not bundled and (len(shapes) > MOST_TERMS or any(map(_WEIGHT.search, shapes))):
        return ()
    shapes = {name: shape for name, shape in shapes.items() if shape}  # numbers are settings
    terms: dict[str, Term] = {}
    inner_names: dict[str, set[str]] = {}
    for full in bundled or shapes:
        if len(shapes[full]) > 2:
            return ()
        match = _KEY.fullmatch(full.removeprefix(BUNDLED))
        if match is None and full.count(".") > 1:  # a weight of some model
            return ()
        name = full.removeprefix(BUNDLED) if match is None else match["name"] or ""
        place: int | None = None
        if match is not None and match["inner"]:
            inner_names.setdefault(name, set()).add(match["inner"])
            name = f"{name}\0{match['inner']}"
        elif match is not None and match["key"] in _PLACES:
            place = _PLACES[match["key"]]
            if place is None:
                continue
        terms.setdefault(name, Term(name)).tensors[place] = full
    for term in terms.values():
        outer, has_inner, inner = term.name.partition("\0")
        if has_inner:  # a file of one term is called by its file's name
            term.name = inner if len(inner_names[outer]) > 1 else outer
    return tuple(terms.values())
