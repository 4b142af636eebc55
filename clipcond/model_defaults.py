"""Look up what a model names as best for it: clip skip, guidance, steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS = "clipcond"  # their key in the model's configuration


def own_defaults(model: object) -> Mapping[str, Any]:
    """Look up what a model's configuration says is best for it, under the key DEFAULTS.

    Such as `{"clip_skip": 2, "guidance_scale": 3.0}` in a text encoder's config.json; `{}` where it
    says nothing.
    """
    found = getattr(getattr(model, "config", None), DEFAULTS, None)
    return found if isinstance(found, Mapping) else {}
