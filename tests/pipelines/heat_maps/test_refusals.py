"""What cannot be traced is said before the first step, and what can be."""

import pytest
import torch

from clipcond import attach
from clipcond.errors import PipelineError
from clipcond.pipelines import trace
from tests.adapters.made import adapter
from tests.pipelines.aligned import CAT, aligned
from tests.pipelines.models import latents, tiny_sd
from tests.pipelines.zoo import make, quiet
from tests.towers.chinese import tower_zh

POSSIBLE = (
    "Heat maps are made of Stable Diffusion 1.x, 2.x and XL, whose UNet attends to the rows of "
    "CLIP, and of Stable Diffusion 3, whose transformer attends to picture and text together."
)
REASONS = {
    "FluxPipeline": "its transformer is a FluxTransformer2DModel; of Flux clipcond reads pooled "
    "vector; T5 gets the words",
    "StableDiffusionPanoramaPipeline": "it denoises each step in many views",
    "StableCascadePriorPipeline": "it has no UNet and no transformer that draws",
}


def refused(pipe, call=None, **choices):
    """The message of a trace that is refused, at once or in a call."""
    with pytest.raises(PipelineError) as caught, trace(pipe, **choices):
        latents(pipe, **(call or {"prompt": "a cat"}))
    return str(caught.value)


@pytest.mark.parametrize("name", REASONS)
def test_families_without_attention_to_rows_of_clip(name):
    with quiet():
        pipe = attach(make(name))
    assert refused(pipe) == f"This {name} cannot be traced: {REASONS[name]}.\n{POSSIBLE}"


def test_a_pipeline_that_is_not_attached():
    assert refused(tiny_sd()) == (
        "This StableDiffusionPipeline is not attached: which row is which word is not known.\n"
        "Call attach(pipe) first. Modular pipelines cannot be traced."
    )


def test_embeddings_in_place_of_a_prompt():
    pipe = attach(tiny_sd())
    rows = torch.zeros(1, 77, 32)
    call = {"prompt": None, "prompt_embeds": rows, "negative_prompt_embeds": rows}
    assert refused(pipe, call) == (
        "Heat maps are of the words of a prompt, and this call was given embeddings, or prompts "
        "and negatives that do not pair.\nPass the text itself: StableDiffusionPipeline takes "
        "prompt= and negative_prompt=."
    )


def test_adapters_whose_rows_are_no_words(pipe):
    attach(pipe, tower=tower_zh(), adapter=aligned(pipe))
    assert refused(pipe, {"prompt": CAT}).startswith(
        "This pipeline's adapter reads a whole chunk for each row that it writes"
    )


@pytest.mark.filterwarnings("ignore:.*was not trained", "ignore:.*aligned")
def test_rows_of_a_linear_adapter_are_words(pipe):
    attach(pipe, tower=tower_zh(), adapter=adapter("linear", length=60), allow_unaligned=True)
    with trace(pipe) as seen:
        latents(pipe, f"红色，BREAK {CAT}")
    assert seen.heat_map("猫").n_tokens == 1
    (text,) = seen.record.texts.values()
    length = pipe.conditioner.adapter.config.length
    (row,) = (w.rows[0] for run in text.words for w in run if w.text == "猫")
    assert row == length + 1 + CAT.index("猫")


@pytest.mark.slow
def test_compiled_models():
    pipe = attach(tiny_sd())
    pipe.unet.compile(backend="eager")
    assert refused(pipe).startswith("A compiled model cannot be traced")
    pipe = attach(tiny_sd())
    pipe.unet = torch.compile(pipe.unet, backend="eager")
    assert refused(pipe).startswith("A compiled model cannot be traced")
    pipe.unet = pipe.unet._orig_mod
    with trace(pipe) as seen:
        latents(pipe, "a cat")
    assert seen.heat_map("cat").values.max() > 0
