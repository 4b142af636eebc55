"""Which text towers lie in a file, told from its header: one row of `LAYOUTS` a place.

Nothing is read but names, shapes and kinds of numbers, and torch is not needed. A new layout is a
row here; a new way to name tensors is a `Form`, and what builds a tower a row of
`single_file.BUILDERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clipcond.checkpoints.activation import ACTIVATIONS, Activation, of_open_clip, of_shape
from clipcond.checkpoints.forms import FORMS, Sizes, problem, sizes
from clipcond.checkpoints.header import Entry, Header

__all__ = ["HEAD_WIDTH", "LAYOUTS", "FoundTower", "Layout", "find_towers", "listed"]

HEAD_WIDTH = 64  # of every OpenAI, OpenCLIP, EVA and Chinese CLIP text tower
VOCABULARY = 49408  # entries of CLIP's BPE; textual inversions may have been added
SD2_DEPTH = 23  # blocks of OpenCLIP-H that Stable Diffusion 2 was trained on; its files hold 24


@dataclass(frozen=True, slots=True)
class Layout:
    """A place where a text tower may lie.

    Attributes:
        place: how messages call the place.
        kind: for `load_tower(kind=...)`.
        form: a key of `FORMS`.
        prefix: what stands before all names of the tower.
        inner: what may stand between `prefix` and the form's names.
        beside: a beginning of other names in the file which tells this place from the next rows'.
        activation: where the place settles it.
        depth: how many blocks are used, where the model's UNet was trained on fewer than there are.
        pads_with_eos: as SD1 and SDXL's first tower pad; the others pad with id 0.
    """

    place: str
    kind: str
    form: str
    prefix: str = ""
    inner: str = ""
    beside: tuple[str, ...] = ()
    activation: Activation | None = None
    depth: int | None = None
    pads_with_eos: bool = False


_OPENAI = Activation("quick_gelu", "SD1, SDXL and SD3 were trained on OpenAI's CLIP-L", True)
_LAION = Activation("gelu", "SD2, SDXL and SD3 were trained on OpenCLIP's", True)
_EVA = Activation("gelu", "every EVA-CLIP text tower has it", True)
_BERT = Activation("gelu", "every Chinese CLIP has it", True)

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "SD1", "clip", "transformers", "cond_stage_model.transformer.", "text_model.",
        activation=_OPENAI, pads_with_eos=True,
    ),
    Layout(
        "SD2", "open_clip", "open_clip", "cond_stage_model.model.",
        activation=_LAION, depth=SD2_DEPTH,
    ),
    Layout(
        "SDXL, first", "clip", "transformers", "conditioner.embedders.0.transformer.",
        "text_model.", activation=_OPENAI, pads_with_eos=True,
    ),
    Layout(
        "SDXL, second", "open_clip", "open_clip", "conditioner.embedders.1.model.",
        activation=_LAION,
    ),
    Layout(
        "SDXL refiner", "open_clip", "open_clip", "conditioner.embedders.0.model.",
        activation=_LAION,
    ),
    Layout(
        "SD3, first", "clip", "transformers", "text_encoders.clip_l.transformer.", "text_model.",
        activation=_OPENAI, pads_with_eos=True,
    ),
    Layout(
        "SD3, second", "clip", "transformers", "text_encoders.clip_g.transformer.", "text_model.",
        activation=_LAION,
    ),
    Layout("transformers", "clip", "transformers", "", "text_model."),
    Layout(
        "EVA-CLIP", "eva_clip", "open_clip", "text.", activation=_EVA,
        beside=("visual.cls_token", "visual.trunk.cls_token"),
    ),
    Layout("open_clip, text half of its own", "open_clip", "open_clip", "text."),
    Layout("open_clip", "open_clip", "open_clip"),
    Layout("cn_clip", "chinese_clip", "bert", "", "bert.", activation=_BERT),
    Layout(
        "transformers, Chinese", "chinese_clip", "bert", "", "text_model.", activation=_BERT,
    ),
)  # fmt: skip

# Towers' names by width and blocks.
_NAMES = {
    (512, 12): "CLIP-B",
    (768, 12): "CLIP-L",
    (1024, 23): "OpenCLIP-H",
    (1024, 24): "OpenCLIP-H",
    (1280, 32): "OpenCLIP-bigG",
}
_CHINESE_NAMES = {(768, 3): "RBT3", (768, 12): "RoBERTa-base", (1024, 24): "RoBERTa-large"}


@dataclass(frozen=True, slots=True)
class FoundTower:
    """A text tower in a file.

    Attributes:
        part: its number in the file, from 1.
        tensors: form's name -> the file's name.
        sizes: of what lies in the file; `layout.depth` may use fewer blocks.
        dtypes: of its tensors, sorted.
        n_values, n_bytes: of its tensors.
        problem: why it cannot be opened, or "".
    """

    part: int
    layout: Layout
    tensors: Mapping[str, str]
    sizes: Sizes
    activation: Activation
    dtypes: tuple[str, ...]
    n_values: int
    n_bytes: int
    problem: str

    @property
    def name(self) -> str:
        shape = (self.sizes.width, self.sizes.layers)
        if self.layout.form == "bert":
            return _CHINESE_NAMES.get(shape, "")
        if self.layout.kind == "eva_clip":
            return "EVA-CLIP"
        return _NAMES.get(shape, "")

    @property
    def used_layers(self) -> int:
        """How many blocks `load_tower` takes."""
        return min(self.sizes.layers, self.layout.depth or self.sizes.layers)

    def __str__(self) -> str:
        name = f"{self.name}, " if self.name else ""
        return f"#{self.part} {name}{self.sizes.width} wide, {self.sizes.layers} layers"


def find_towers(header: Header) -> tuple[FoundTower, ...]:
    """The text towers of a file in the table's order; a broken one too, with its problem."""
    found: list[FoundTower] = []
    taken: set[str] = set()
    for layout in LAYOUTS:
        tensors = _tensors(layout, header.entries)
        if taken.isdisjoint(tensors.values()) and _is_there(layout, tensors, header.entries):
            taken.update(tensors.values())
            found.append(_found(len(found) + 1, layout, tensors, header))
    return tuple(found)


def listed(towers: tuple[FoundTower, ...]) -> str:
    """The towers of a file in a message."""
    return "; ".join(map(str, towers)) or "no text tower"


def _tensors(layout: Layout, entries: Mapping[str, Entry]) -> dict[str, str]:
    """The form's name -> the file's name of all that lies in a layout's place."""
    roots = FORMS[layout.form].roots
    found: dict[str, str] = {}
    for full in entries:
        if full.startswith(layout.prefix):
            short = full[len(layout.prefix) :]
            bare = short.removeprefix(layout.inner)
            is_within = bool(layout.inner) and bare != short
            # under a prefix of its own all is the tower's; elsewhere only what is named so
            if layout.prefix or is_within or bare.startswith(roots):
                found.setdefault(bare, full)
    return found


def _is_there(layout: Layout, tensors: Mapping[str, str], entries: Mapping[str, Entry]) -> bool:
    if not any(mark in tensors for mark in FORMS[layout.form].marks):
        return False
    return not layout.beside or any(name.startswith(layout.beside) for name in entries)


def _found(part: int, layout: Layout, tensors: Mapping[str, str], header: Header) -> FoundTower:
    form = FORMS[layout.form]
    names = {short: header.entries[full] for short, full in tensors.items()}
    own = [entry for short, entry in names.items() if short not in form.ignored]
    found = sizes(form, names)
    return FoundTower(
        part=part,
        layout=layout,
        tensors={short: full for short, full in tensors.items() if short not in form.ignored},
        sizes=found,
        activation=_activation(layout, found, header),
        dtypes=tuple(sorted({entry.dtype for entry in own})),
        n_values=sum(entry.n_values for entry in own),
        n_bytes=sum(entry.stop - entry.start for entry in own),
        problem=_problem(layout, names, tensors),
    )


def _problem(layout: Layout, names: Mapping[str, Entry], called: Mapping[str, str]) -> str:
    form = FORMS[layout.form]
    told = problem(form, names, called)
    n_entries = sizes(form, names).vocabulary
    if not told and layout.form != "bert" and n_entries < VOCABULARY:
        return f"its vocabulary has {n_entries} entries, CLIP's has {VOCABULARY}"
    return told


def _activation(layout: Layout, found: Sizes, header: Header) -> Activation:
    """What the place, an own note, or names and shape say, in this order."""
    if layout.activation is not None:
        return layout.activation
    noted = header.metadata.get("activation", "")
    if noted in ACTIVATIONS:
        return Activation(noted, "the file says so", True)
    if layout.form != "open_clip":
        return of_shape(found.width, found.layers)
    keys, name = header.entries, str(header.path)
    is_half = layout.prefix == "text."
    return of_open_clip(keys, name=name, width=found.width, depth=found.layers, is_half=is_half)
