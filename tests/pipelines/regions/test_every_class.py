"""Regions in all classes that draw, and with all that diffusers offers besides."""

import pytest
import torch

from clipcond import attach
from clipcond.errors import PipelineError
from clipcond.pipelines import Region
from clipcond.pipelines.families import family_of
from clipcond.pipelines.steps.regions import reason_against_regions
from tests.pipelines import zoo
from tests.pipelines.drawn_classes import DRAWN, DRAWN_SLOWLY
from tests.pipelines.features import COLUMNS, FEATURES, SD, XL
from tests.pipelines.test_features import forget

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

IN_EVERY_RUN = ("StableDiffusionControlNetInpaintPipeline", "StableDiffusionXLImg2ImgPipeline")
SLOW = [name for name in (*DRAWN, *DRAWN_SLOWLY) if name not in IN_EVERY_RUN]


def check(pipe, name, word="cat", *, reset=False, **call):
    """One region over everything is the plain picture; two halves are another one."""
    text = f"a {word}"

    def draw(*regions):
        if reset:
            forget(pipe)
        own = {"regions": regions, "base_share": 0.0} if regions else {}
        return zoo.draw(lambda **more: pipe(**more, **own), name, prompt=text, **call).float()

    plain = draw()
    if reason_against_regions(pipe, family_of(pipe)):
        with pytest.raises(PipelineError, match="cannot draw regions"):
            draw(Region(text, "all"))
    else:
        assert torch.equal(draw(Region(text, "all")), plain)
        halves = draw(Region("a dog", "left"), Region(f"a (red:1.3) {word}", "right"))
        assert halves.isfinite().all()
        assert not torch.equal(halves, plain)
    assert torch.equal(draw(), plain)


@pytest.mark.parametrize(
    "name", [*IN_EVERY_RUN, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)]
)
def test_classes(name):
    check(attach(zoo.make(name)), name)


@pytest.mark.slow
@pytest.mark.parametrize("column", [SD, XL])
def test_features(column):
    for feature in FEATURES:
        name = feature.classes.get(column)
        if name is None or feature.package:
            continue
        pipe = zoo.make(name)
        call = feature.apply(pipe) or {}
        check(attach(pipe), name, feature.word, reset=True, **call)


def test_lora_and_ip_adapter():
    pytest.importorskip("peft")

    name = COLUMNS[SD]
    pipe, call = zoo.make(name), {}
    for feature in FEATURES:
        if feature.name in ("LoRA", "IP-Adapter"):
            call |= feature.apply(pipe) or {}
    check(attach(pipe), name, **call)
