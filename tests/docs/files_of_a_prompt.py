"""The files of the package that run from `pipe("...")` to the UNet, found by calling it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import clipcond
from clipcond import build_pipeline
from clipcond.conditioning import prompt_text
from clipcond.pipelines import own_calls

PACKAGE = Path(clipcond.__file__).parent
PROMPT = "a (red:1.3) cat"


def files_of_a_prompt() -> list[str]:
    """Paths in the package, in the order in which the first function of each is called.

    The caches are empty, so that parser and tower run; what runs at import does not count. Nor does
    it count that another test's pipeline, still alive, has drawn a prompt over time.
    """
    prompt_text._parse.cache_clear()
    pipe = build_pipeline(clip_skip=2)
    pipe.set_progress_bar_config(disable=True)
    found: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = frame.f_code.co_filename
        is_ours = event == "call" and path.startswith(str(PACKAGE))
        if is_ours and frame.f_code.co_name not in ("<module>", "__getattr__"):
            found[Path(path).relative_to(PACKAGE).as_posix()] = None

    handle = pipe.unet.register_forward_pre_hook(lambda *_: sys.setprofile(None))
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        with patch.object(own_calls, "STEPS", {}):
            pipe(PROMPT, num_inference_steps=1, output_type="latent")
    finally:
        sys.setprofile(before)
        handle.remove()
    return list(found)
