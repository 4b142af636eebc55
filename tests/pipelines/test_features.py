"""Pictures with all that diffusers and its companions offer: attached as plain, and over time."""

import pytest
import torch

from clipcond import attach
from clipcond.errors import PipelineError
from tests.pipelines import zoo
from tests.pipelines.features import COLUMNS, FEATURES

PACKAGES = sorted({each.package for each in FEATURES} - {""})
# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


def fault(feature, name):
    """What is wrong with a feature on a pipeline of a class; "" = nothing."""
    pipe = zoo.make(name)
    call = {"num_inference_steps": 3, **(feature.apply(pipe) or {})}

    def draw(prompt):
        forget(pipe)
        text = prompt.replace("cat", feature.word)
        return zoo.draw(pipe, name, prompt=text, **call).float()

    theirs = draw("a cat")
    attach(pipe)
    if not theirs.isfinite().all() or not torch.equal(draw("a cat"), theirs):
        return "the picture is another one than that of plain diffusers"
    parts = " AND (snow:1.2) :0.5" if feature.mixes else ""
    changed = draw(f"[a cat:a (fox:1.3):1]{parts}")
    if torch.equal(changed, theirs) or not changed.isfinite().all():
        return "a prompt over time does nothing"
    if not feature.mixes:
        with pytest.raises(PipelineError, match="cannot draw AND"):
            draw("a cat AND fox :0.5")
    return ""


def forget(pipe):
    """Let a cache between steps be as for the first picture, which diffusers does not see to."""
    denoiser = getattr(pipe, "unet", None) or pipe.transformer
    for module in denoiser.modules():
        if hasattr(module, "_diffusers_hook"):
            module._diffusers_hook.reset_stateful_hooks(recurse=False)


def faults(features, column):
    """The features on a column's classes that go wrong."""
    found = {}
    for feature in features:
        name = feature.classes.get(column)
        try:
            wrong = "" if name is None else fault(feature, name)
        except Exception as error:
            wrong = repr(error)
        found |= {feature.name: wrong} if wrong else {}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_features(column):
    assert not faults([each for each in FEATURES if not each.package], column)


@pytest.mark.parametrize("package", PACKAGES)
def test_features_of_other_packages(package):
    pytest.importorskip(package)

    own = [each for each in FEATURES if each.package == package]
    assert not {column: found for column in COLUMNS if (found := faults(own, column))}
