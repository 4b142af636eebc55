"""What attach is given reaches the Conditioner, or is refused; its warnings point at the user."""

import warnings

import pytest
import torch
from diffusers import (
    StableDiffusionPipeline,
)

from clipcond import Conditioner, HiddenLayer, attach, detach
from clipcond.errors import (
    ArgumentError,
    PipelineError,
    PromptWarning,
)
from tests.parity.models import tower_l
from tests.pipelines.models import tiny_sd


def test_every_choice_reaches_the_conditioner(pipe):
    attach(pipe, clip_skip=3, dialect="plain", weighting="scale", normalize="none")

    assert pipe.conditioner.clip_skip == 3
    assert pipe.conditioner.dialect.name == "plain"
    assert pipe.conditioner.rule.__name__ == "scale"


# What the stock pipelines themselves keep of their last call.
def test_warnings_of_a_call_point_at_the_line_that_calls_the_pipeline():
    pipe = attach(tiny_sd())
    pipe.set_progress_bar_config(disable=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipe("a (cat", num_inference_steps=1, output_type="latent")
        pipe.encode_prompt("a) cat", torch.device("cpu"), 1, False)
    own = [w for w in caught if issubclass(w.category, PromptWarning)]

    assert len(own) == 2
    assert {w.filename for w in own} == {__file__}


def test_limits_reach_the_conditioner():
    pipe = attach(tiny_sd(), max_chunks=2, cache_bytes=0)

    assert pipe.conditioner.max_chunks == 2
    assert pipe.conditioner.cache.max_bytes == 0


def test_a_class_is_no_pipeline():
    for each in (StableDiffusionPipeline, type(tiny_sd()), torch.nn.Linear):
        with pytest.raises(PipelineError) as caught:
            attach(each)
        name = each.__name__
        assert caught.value.message == f"attach needs an object, not the class {name}"
        assert caught.value.remedy == f"Make one: {name}.from_pretrained(...)."


def test_a_conditioner_that_is_none():
    pipe = attach(tiny_sd(), clip_skip=2)
    own = pipe.conditioner
    for wrong in ("a1111", 2, Conditioner, {"clip_skip": 1}):
        with pytest.raises(ArgumentError) as caught:
            pipe.conditioner = wrong
        message, remedy = str(caught.value).split("\n")
        assert message.startswith("conditioner is a Conditioner, not a")
        assert remedy == "For other choices say attach(pipe, clip_skip=..., dialect=...)."
        assert pipe.conditioner is own
    pipe.conditioner = other = Conditioner(tower_l())
    assert pipe.conditioner is other
    detach(pipe).conditioner = "x"  # of a stock pipeline, any attribute
    with pytest.raises(ArgumentError, match="clip_skip and layer both choose a layer"):
        attach(pipe, clip_skip=1, layer=HiddenLayer(2, False))
    assert pipe.conditioner == "x"
