"""The texts that a class name is put into, as the papers did it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from clipcond.arguments import type_name
from clipcond.errors import ReadingError, UnknownNameError

PLACE = "{}"
# Source: Radford et al. 2021, section 3.1.4; "a" also before a vowel, as there
ENGLISH = ("A photo of a {}",)
# Source: OFA-Sys/Chinese-CLIP, cn_clip/eval/cvinw_zeroshot_templates.py
CHINESE = ("一张{}的照片",)
# Source: openai/CLIP, notebooks/Prompt_Engineering_for_ImageNet.ipynb, "7 best templates"
OPENAI_7 = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
# What a thing is shown as, with "a" and with "the". Source: the same notebook, the 80 templates
_BOTH = (
    *("a bad photo of # {}.", "a sculpture of # {}.", "a photo of # hard to see {}."),
    *("a low resolution photo of # {}.", "a rendering of # {}.", "graffiti of # {}."),
    *("a cropped photo of # {}.", "a tattoo of # {}.", "# embroidered {}."),
    *("a bright photo of # {}.", "a photo of # clean {}.", "a photo of # dirty {}."),
    *("a dark photo of # {}.", "a drawing of # {}.", "# plastic {}.", "a photo of # cool {}."),
    *("a close-up photo of # {}.", "a black and white photo of # {}.", "a painting of # {}."),
    *("a pixelated photo of # {}.", "a jpeg corrupted photo of # {}.", "a blurry photo of # {}."),
    *("a photo of # {}.", "a good photo of # {}.", "# {} in a video game.", "a doodle of # {}."),
    *("# origami {}.", "a sketch of # {}.", "# toy {}.", "a rendition of # {}."),
    *("a photo of # large {}.", "a photo of # nice {}.", "a photo of # weird {}.", "# cartoon {}."),
    *("art of # {}.", "# plushie {}.", "a photo of # small {}.", "itap of # {}."),
)
OPENAI_80 = (
    *(text.replace("#", article) for text in _BOTH for article in ("a", "the")),
    *("a photo of many {}.", "a photo of my {}.", "a photo of one {}.", "itap of my {}."),
)
# The first of cn_clip's 178 for photographs. Source: as for CHINESE, `openai_templates`
CHINESE_7 = (
    "{}的照片",
    "质量差的{}的照片",
    "许多{}的照片",
    "一张干净的{}的照片",
    "一张包含{}的照片",
    "{}的特写照片",
    "一张{}的照片",
)
TEMPLATES = {
    "photo": ENGLISH,
    "openai-7": OPENAI_7,
    "openai-80": OPENAI_80,
    "chinese": CHINESE,
    "chinese-7": CHINESE_7,
    "bare": (PLACE,),
}
_HAN = re.compile("[\u3400-\u9fff]")


def find_templates(templates: str | Sequence[str]) -> tuple[str, ...]:
    """Find templates by name, or check one or several that were written out.

    Raises:
        UnknownNameError: there are none of that name.
        ReadingError: one has no {}, or there are none.
    """
    if isinstance(templates, str):
        if templates in TEMPLATES:
            return TEMPLATES[templates]
        if PLACE not in templates:
            error = UnknownNameError("templates", templates, TEMPLATES)
            error.remedy = "A text of your own has {} where the label goes."
            raise error
        templates = [templates]
    if not isinstance(templates, Iterable):
        raise ReadingError(f"templates are texts with {{}}, not {type_name(templates)}")
    found = tuple(templates)
    if not found or not all(isinstance(each, str) and PLACE in each for each in found):
        raise ReadingError(
            f"templates are texts with {PLACE} for the label, not {templates!r}",
            f"Known by name: {', '.join(TEMPLATES)}.",
        )
    return found


def usual_templates(label: str, *, is_chinese: bool) -> tuple[str, ...]:
    """Choose the template for a label: Chinese for a Chinese tower or a label with such signs."""
    return CHINESE if is_chinese or _HAN.search(label) else ENGLISH


def fill(template: str, label: str) -> str:
    """Put a label into a template; other braces are text."""
    return template.replace(PLACE, label)
