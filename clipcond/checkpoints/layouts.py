"""The places where files hold text towers: one row of `LAYOUTS` for each, and finding them.

A new layout is a row here. If it names its tensors in a new way, it also needs a table in
`tensor_names.py`; if transformers has another model for it, a row of `folders.KINDS`.
Only names, shapes and dtypes are looked at, and torch is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from clipcond.checkpoints.activation import (
    ACTIVATIONS,
    Activation,
    activation_by_shape,
    open_clip_activation,
)
from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.naming import NamingScheme, Sizes, find_problem, measure
from clipcond.checkpoints.tensor_names import BERT, BERT_FLASH, OPEN_CLIP, TRANSFORMERS

# Width of one attention head; every tower of a published width has it.
HEAD_WIDTH = 64
PUBLISHED_WIDTHS = frozenset({384, 512, 640, 768, 896, 1024, 1152, 1280})
VOCABULARY = 49408  # entries of CLIP's BPE
BIG_G = (1280, 32)  # width and blocks of SDXL's second tower
SD2_DEPTH = 23  # blocks of OpenCLIP-H that Stable Diffusion 2 was trained on; its files hold 24


@dataclass(frozen=True, slots=True)
class TowerLayout:
    """A place where a file may hold a text tower.

    Attributes:
        place: how messages call it.
        kind: for `load_tower(kind=...)`.
        scheme: how it names the tensors.
        prefix: the beginning of every name of the tower.
        inner: what may follow the prefix, as `text_model.` does.
        requires: other names, one of which the file must have.
        activation: where the place settles it.
        depth: how many blocks are used, where the model's UNet was trained on fewer than there are.
        pads_with_eos: as SD1 and SDXL's first tower pad; the others pad with id 0.
        needs_projection: whether the model's UNet reads the projected pooled vector.
    """

    place: str
    kind: str
    scheme: NamingScheme
    prefix: str = ""
    inner: str = ""
    requires: tuple[str, ...] = ()
    activation: Activation | None = None
    depth: int | None = None
    pads_with_eos: bool = False
    needs_projection: bool = False


_OPENAI = Activation("quick_gelu", "SD1, SDXL and SD3 were trained on OpenAI's CLIP-L", True)
_LAION = Activation("gelu", "SD2, SDXL and SD3 were trained on OpenCLIP's", True)
_EVA = Activation("gelu", "every EVA-CLIP text tower has it", True)
_CHINESE = Activation("gelu", "every Chinese CLIP has it", True)
_EVA_ONLY = ("visual.cls_token", "visual.trunk.cls_token")

# A model of transformers, and how the UNets of SD and SDXL have CLIP-L and OpenCLIP's bigG.
_IN_TRANSFORMERS = TowerLayout("transformers", "clip", TRANSFORMERS, inner="text_model.")
_CLIP_L = replace(_IN_TRANSFORMERS, activation=_OPENAI, pads_with_eos=True)
_BIG_G = replace(_IN_TRANSFORMERS, activation=_LAION, needs_projection=True)
_OPEN_BIG_G = replace(_BIG_G, kind="open_clip", scheme=OPEN_CLIP, inner="")

# The first row that matches gets the tensors.
LAYOUTS: tuple[TowerLayout, ...] = (
    replace(_CLIP_L, place="SD1", prefix="cond_stage_model.transformer."),
    TowerLayout(
        "SD2", "open_clip", OPEN_CLIP, "cond_stage_model.model.",
        activation=_LAION, depth=SD2_DEPTH,
    ),
    replace(_CLIP_L, place="SDXL, first", prefix="conditioner.embedders.0.transformer."),
    replace(_OPEN_BIG_G, place="SDXL, second", prefix="conditioner.embedders.1.model."),
    replace(_OPEN_BIG_G, place="SDXL refiner", prefix="conditioner.embedders.0.model."),
    replace(_CLIP_L, place="SD3, first", prefix="text_encoders.clip_l.transformer."),
    replace(_BIG_G, place="SD3, second", prefix="text_encoders.clip_g.transformer."),
    replace(_CLIP_L, place="CLIP-L of a pair", prefix="clip_l.transformer."),
    replace(_BIG_G, place="CLIP-G of a pair", prefix="clip_g.transformer."),
    _IN_TRANSFORMERS,
    TowerLayout("EVA-CLIP", "eva_clip", OPEN_CLIP, "text.", "", _EVA_ONLY, _EVA),
    TowerLayout("EVA-CLIP", "eva_clip", OPEN_CLIP, "", "", _EVA_ONLY[:1], _EVA),
    TowerLayout("open_clip, text half of its own", "open_clip", OPEN_CLIP, "text."),
    TowerLayout("open_clip", "open_clip", OPEN_CLIP),
    TowerLayout("cn_clip", "chinese_clip", BERT_FLASH, "", "bert.", activation=_CHINESE),
    TowerLayout("cn_clip", "chinese_clip", BERT, "", "bert.", activation=_CHINESE),
    TowerLayout(
        "transformers, Chinese", "chinese_clip", BERT, "", "text_model.", activation=_CHINESE,
    ),
)  # fmt: skip

# Rows for a tower behind any other prefix, such as `text_encoder.` and `te.`; the prefix is added.
_ANYWHERE = (
    _IN_TRANSFORMERS,
    TowerLayout("open_clip", "open_clip", OPEN_CLIP),
    TowerLayout("cn_clip", "chinese_clip", BERT_FLASH, inner="bert.", activation=_CHINESE),
    TowerLayout("cn_clip", "chinese_clip", BERT, inner="bert.", activation=_CHINESE),
)
# Prefixes of text models that are of another kind, whatever their tensors are called.
_OTHER_KINDS = re.compile(r"(^|\.)(roberta|text\.transformer|vision_model|visual|image_encoder)\.")

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
        tensors: the scheme's name -> the file's name.
        sizes: of what the file holds; `layout.depth` may use fewer blocks.
        dtypes: of its tensors, sorted.
        n_values, n_bytes: of its tensors.
        problem: why it cannot be opened, or "".
    """

    part: int
    layout: TowerLayout
    tensors: Mapping[str, str]
    sizes: Sizes
    activation: Activation
    dtypes: tuple[str, ...]
    n_values: int
    n_bytes: int
    problem: str

    @property
    def name(self) -> str:
        """Name the published tower of this kind and shape; "" = none has it."""
        shape = (self.sizes.width, self.sizes.layers)
        if self.layout.kind == "eva_clip":
            return "EVA-CLIP"
        return (_CHINESE_NAMES if self.layout.kind == "chinese_clip" else _NAMES).get(shape, "")

    @property
    def used_layers(self) -> int:
        """Count the blocks that `load_tower` takes."""
        return min(self.sizes.layers, self.layout.depth or self.sizes.layers)

    def __str__(self) -> str:
        name = f"{self.name}, " if self.name else ""
        return f"#{self.part} {name}{self.sizes.width} wide, {self.sizes.layers} layers"

    def as_trained(self) -> FoundTower:
        """Leave out the blocks that the UNet of the file was not trained on, and the projection."""
        if self.used_layers == self.sizes.layers:
            return self
        scheme, kept = self.layout.scheme, {}
        for name, full in self.tensors.items():
            number, rule = scheme.block_number(name), scheme.rule(name)
            is_used = int(number) < self.used_layers if number else rule and not rule.is_optional
            if is_used:
                kept[name] = full
        sizes = replace(self.sizes, layers=self.used_layers, projection=0)
        return replace(self, tensors=kept, sizes=sizes)


def find_towers(header: Header) -> tuple[FoundTower, ...]:
    """Find the text towers of a file, in the table's order; a broken one too, with its problem."""
    found: list[FoundTower] = []
    taken: set[str] = set()
    for layout in (*LAYOUTS, *_elsewhere(header.entries)):
        tensors = _tensors(layout, header.entries)
        has_marks = not tensors.keys().isdisjoint(layout.scheme.marks)
        has_others = not layout.requires or any(map(header.entries.__contains__, layout.requires))
        if has_marks and has_others and taken.isdisjoint(tensors.values()):
            taken.update(tensors.values())
            found.append(_found(len(found) + 1, layout, tensors, header))
    return tuple(found)


def _elsewhere(entries: Mapping[str, Entry]) -> Iterator[TowerLayout]:
    """Yield layouts for towers behind prefixes that no row of `LAYOUTS` has.

    A prefix that ends as a row's does, as `model.cond_stage_model.transformer.`, makes that row.
    """
    known = {layout.prefix for layout in LAYOUTS}
    rows = [row for row in LAYOUTS if row.prefix and not row.requires]
    for row in (*rows, *_ANYWHERE):
        mark = row.scheme.marks[0]
        found = (name.removesuffix(mark) for name in entries if name.endswith(f".{mark}"))
        for prefix in dict.fromkeys(each.removesuffix(row.inner) for each in found):
            is_row = not row.prefix or prefix.endswith(f".{row.prefix}")
            if is_row and prefix not in known and not _OTHER_KINDS.search(prefix):
                yield replace(row, prefix=prefix)


def _tensors(layout: TowerLayout, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Map the scheme's names to the file's, for all that is in a layout's place."""
    found: dict[str, str] = {}
    for full in entries:
        if full.startswith(layout.prefix):
            name = full[len(layout.prefix) :].removeprefix(layout.inner)
            has_inner = bool(layout.inner) and full.startswith(layout.prefix + layout.inner)
            # all that has the tower's own prefix is the tower's; else its beginning decides
            if layout.prefix or has_inner or name.startswith(layout.scheme.roots):
                found.setdefault(name, full)
    return found


def _found(
    part: int, layout: TowerLayout, tensors: Mapping[str, str], header: Header
) -> FoundTower:
    scheme = layout.scheme
    entries = {name: header.entries[full] for name, full in tensors.items()}
    own = {name: entry for name, entry in entries.items() if name not in scheme.ignored}
    sizes = measure(scheme, entries)
    return FoundTower(
        part=part,
        layout=layout,
        tensors={name: tensors[name] for name in own},
        sizes=sizes,
        activation=_activation(layout, sizes, header),
        dtypes=tuple(sorted({entry.dtype for entry in own.values()})),
        n_values=sum(entry.n_values for entry in own.values()),
        n_bytes=sum(entry.stop - entry.start for entry in own.values()),
        problem=find_problem(scheme, entries, tensors)
        or _vocabulary_problem(layout, sizes)
        or _projection_problem(layout, sizes),
    )


def _vocabulary_problem(layout: TowerLayout, sizes: Sizes) -> str:
    """Refuse another vocabulary than CLIP's: it needs a tokenizer that no file holds."""
    n_entries = sizes.vocabulary
    # transformers adds textual inversions to the table, open_clip does not
    may_have_more = layout.scheme is TRANSFORMERS and n_entries > VOCABULARY
    if layout.kind == "chinese_clip" or n_entries == VOCABULARY or may_have_more:
        return ""
    return f"its vocabulary has {n_entries} entries, CLIP's has {VOCABULARY}"


def _projection_problem(layout: TowerLayout, sizes: Sizes) -> str:
    """Refuse a tower of SDXL's without the projection that its UNet reads through."""
    is_big_g = layout.kind != "chinese_clip" and (sizes.width, sizes.layers) == BIG_G
    if sizes.projection or not (layout.needs_projection or is_big_g):
        return ""
    return "it has no text_projection, through which its UNet reads the pooled vector"


def _activation(layout: TowerLayout, sizes: Sizes, header: Header) -> Activation:
    """Take what the place, a note in the file, or names and shape say, in this order."""
    if layout.activation is not None:
        return layout.activation
    noted = header.metadata.get("activation", "")
    if noted in ACTIVATIONS:
        return Activation(noted, "the file says so", True)
    shape = (sizes.width, sizes.layers)
    if layout.scheme is TRANSFORMERS:
        return activation_by_shape(*shape)
    is_half = layout.prefix == "text."
    return open_clip_activation(header.entries, *shape, name=str(header.path), is_half=is_half)
