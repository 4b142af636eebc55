"""The pages' tables of pipelines: every class of diffusers that reads CLIP text, and what it gets.

Made from the installed diffusers, so that a new class cannot go unnoticed.
"""

from __future__ import annotations

from functools import lru_cache

from clipcond.errors import PipelineError
from clipcond.pipelines.families import Family, family_of
from clipcond.pipelines.families.refusals import reads_clip, reason_of
from clipcond.pipelines.families.table import FAMILIES
from clipcond.pipelines.steps.refusals import reason_against, reason_against_and
from tests.pipelines import features
from tests.pipelines.bare import pipeline_classes

EMBEDS = "embeddings"
POOLED = "embeddings and pooled vector"


@lru_cache(maxsize=1)
def classes() -> dict[str, str | None]:
    """For each class that reads CLIP text, by name, the name of its family; None = refused."""
    found = {}
    for name, kind in pipeline_classes().items():
        pipe = kind.__new__(kind)
        if reads_clip(pipe):
            try:
                found[name] = family_of(pipe).name
            except PipelineError:
                found[name] = None
    return found


def accepted_cells() -> list[list[str]]:
    """A line for each family: its name, what it gets, whether over time, the classes.

    Tests draw with all of them: test_every_class.py.
    """
    lines = []
    for family in FAMILIES:
        names = [name for name, own in classes().items() if own == family.name]
        if family.name == "Stable Diffusion XL refiner":
            shown = "those of XL, with `text_encoder_2` alone"
        else:
            shown = ", ".join(names)
        several = family.reads is not None and any(family.reads.pooled)
        gets = family.note or (POOLED if several or "pooled" in family.returns else EMBEDS)
        if not shown:  # of a class that another row has
            continue
        title = f"{family.name}, {len(names)}" if names else family.name
        lines.append([title, gets, _over_time(family, names), shown])
    return lines


def _over_time(family: Family, names: list[str]) -> str:
    """Say whether prompts that change over the steps are drawn, and by which classes not."""
    kinds = pipeline_classes()
    pipes = {name: kinds[name].__new__(kinds[name]) for name in names}
    reasons = {name: reason_against(pipe, family) for name, pipe in pipes.items()}
    if names and all(reasons.values()):
        return f"refused: {', '.join(sorted({*reasons.values()}))}"
    but = [f"not by {name}: {why}" for name, why in reasons.items() if why]
    mixed = {name: reason_against_and(pipe) for name, pipe in pipes.items()}
    but += [f"AND not by {name}: {why}" for name, why in mixed.items() if why]
    return "; ".join(["drawn", *but])


def refused_cells() -> list[list[str]]:
    """A line for each reason: why, and the classes."""
    kinds, reasons = pipeline_classes(), {}
    for name, family in classes().items():
        if family is None:
            reason = reason_of(kinds[name].__new__(kinds[name]))
            reasons.setdefault(reason, []).append(name)
    return [[reason, ", ".join(names)] for reason, names in reasons.items()]


def feature_cells() -> list[list[str]]:
    """A line for each feature that is tried beside prompts: its package, a cell for each column."""
    lines = []
    for each in features.FEATURES:
        package = f" (`{each.package}`)" if each.package else ""
        cells = [(each.says or "yes") if c in each.classes else "-" for c in features.COLUMNS]
        lines.append([each.name + package, *cells])
    for name, columns in features.ELSEWHERE.items():
        lines.append([name, *("yes" if c in columns else "-" for c in features.COLUMNS)])
    lines += [[name, *["not tried"] * len(features.COLUMNS)] for name in features.NOT_TRIED]
    return lines
