"""Tracing with all that diffusers and its companions offer: the same picture, or a refusal."""

import re

import pytest
import torch

from clipcond import attach
from clipcond.errors import PipelineError
from clipcond.pipelines import trace
from tests.pipelines import zoo
from tests.pipelines.features import ANIMATE, COLUMNS, FEATURES, SD3
from tests.pipelines.test_features import PACKAGES, forget

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
_CACHES = r"has a cache between steps, \w+, so that its layers do not attend at every step\.\nTake"
REFUSED = {
    **dict.fromkeys(("DeepCache", "PyramidAttentionBroadcast", "FasterCache"), _CACHES),
    ("PAG", SD3): r"how its PAGCFGJointAttnProcessor2_0 attends to text is not known here",
}


# they touch neither the denoiser nor its rows
OTHERS = ("textual inversion", "T2I adapter", "VAE slicing and tiling")


def fault(feature, column, name):
    """What is wrong with tracing a feature; "" = nothing."""
    pipe = zoo.make(name)
    call = {"num_inference_steps": 2, **(feature.apply(pipe) or {})}
    attach(pipe)

    def draw():
        forget(pipe)
        return zoo.draw(pipe, name, prompt=f"a {feature.word}", **call).float()

    theirs = draw()
    refusal = REFUSED.get(feature.name) or REFUSED.get((feature.name, column))
    if refusal:
        with pytest.raises(PipelineError) as caught, trace(pipe):
            draw()
        return "" if re.search(refusal, str(caught.value)) else str(caught.value)
    with trace(pipe) as seen:
        ours = draw()
    if not torch.equal(ours, theirs) or not torch.equal(draw(), theirs):
        return "the picture is another one"
    heat = seen.heat_map(feature.word, image=0).values
    return "" if heat.isfinite().all() and 0 < heat.max() < 1 else "no heat map"


def faults(features):
    """The features and columns that go wrong."""
    return {
        (feature.name, column): wrong
        for feature in features
        for column, name in feature.classes.items()
        if column != ANIMATE and (wrong := fault(feature, column, name))
    }


@pytest.mark.slow
def test_features():
    assert not faults([f for f in FEATURES if not f.package and f.name not in OTHERS])


@pytest.mark.parametrize("package", PACKAGES)
def test_features_of_other_packages(package):
    pytest.importorskip(package)

    assert not faults([each for each in FEATURES if each.package == package])


def test_frames_are_refused():
    with zoo.quiet():
        pipe = attach(zoo.make(COLUMNS[ANIMATE]))
    with pytest.raises(PipelineError, match="its unet is a UNetMotionModel"), trace(pipe):
        pass
