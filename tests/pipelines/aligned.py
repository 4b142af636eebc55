"""Adapters aligned to a tiny pipeline, and what attaching them says."""

import pytest

from clipcond import attach
from clipcond.adapters import tower_fingerprint, unet_fingerprint
from clipcond.errors import ClipcondWarning, PipelineError
from clipcond.towers import OpenAIClipTower
from tests.adapters.made import adapter, record
from tests.pipelines.models import latents
from tests.towers.chinese import tower_zh

__all__ = ["CAT", "aligned", "refused", "warned"]

CAT = "蓝色背景上的一只猫"


def aligned(pipe, of=None, **fields):
    """An adapter whose record names this pipeline and this tower."""
    made = adapter()
    own = OpenAIClipTower(pipe.text_encoder, pipe.tokenizer)
    fields = {
        "tower": tower_fingerprint(of or tower_zh()),
        "teacher": tower_fingerprint(own),
        "unet": unet_fingerprint(pipe.unet),
        **fields,
    }
    made.record = record(**fields)
    return made


def refused(pipe, **choices) -> str:
    before = dict(vars(pipe))
    with pytest.raises(PipelineError) as caught:
        attach(pipe, **choices)
    assert vars(pipe) == before
    return str(caught.value)


def warned(pipe, **choices) -> str:
    with pytest.warns(ClipcondWarning) as caught:
        attach(pipe, **choices)
    assert len(caught) == 1
    assert latents(pipe, "a cat").isfinite().all()
    return str(caught[0].message)
