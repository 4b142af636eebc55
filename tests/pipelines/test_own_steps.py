"""`generate` takes the number of steps that the model names as best."""

from types import SimpleNamespace

import pytest

from clipcond.pipelines.own_settings import own_steps


@pytest.mark.parametrize(
    ("named", "steps"),
    [({"num_inference_steps": 7}, 7), ({"guidance_scale": 3.0}, 20), ({}, 20), (None, 20)],
)
def test_the_model_says_how_many(named, steps):
    config = SimpleNamespace() if named is None else SimpleNamespace(clipcond=named)

    assert own_steps(SimpleNamespace(text_encoder=SimpleNamespace(config=config))) == steps


def test_a_pipeline_without_a_text_encoder_takes_the_usual():
    assert own_steps(SimpleNamespace()) == 20
