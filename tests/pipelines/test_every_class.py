"""Every pipeline class of the installed diffusers: what it is, and that accepted ones are right."""

import inspect
import re

import pytest
import torch

from clipcond import attach, detach
from clipcond.errors import PipelineError
from clipcond.pipelines.families import family_of
from clipcond.pipelines.families.refusals import reads_clip
from tests.docs.pipeline_table import classes
from tests.pipelines.bare import accepted, bare, pipeline_classes
from tests.pipelines.drawn_classes import DRAWN, DRAWN_SLOWLY
from tests.pipelines.zoo import draw, make

# their text models are stubs in test_pooled_only.py and test_alt_diffusion.py
ELSEWHERE = ("Hunyuan", "Kandinsky5", "Kandinsky6", "HiDream", "AltDiffusion")
OF_ONE_PRODUCT = [name for name in (*DRAWN, *DRAWN_SLOWLY) if re.match("Kandinsky.*Prior", name)]
CALLS = (
    {"negative_prompt": "blurry"},
    {"negative_prompt": None, "num_images_per_prompt": 2, "num_videos_per_prompt": 2},
    {"do_classifier_free_guidance": False},
)


def encode(pipe, method, **call):
    """What the method for prompts returns, as a list of tensors."""
    given = {
        "prompt": "a cat",
        "device": "cpu",
        "num_images_per_prompt": 1,
        "num_videos_per_prompt": 1,
        "do_classifier_free_guidance": True,
        "negative_prompt": None,
        "batch_size": 1,
        "prompt_2": None,
        "prompt_3": None,
        "enable_safety_guidance": True,
        "max_sequence_length": 16,
        **call,
    }
    pipe._guidance_scale = 3.0 if given["do_classifier_free_guidance"] else 1.0  # I2VGenXL asks
    pipe._safety_text_concept = "a dog"
    wanted = inspect.signature(getattr(type(pipe), method)).parameters
    with torch.no_grad():
        found = getattr(pipe, method)(**{n: v for n, v in given.items() if n in wanted})
    return [found] if isinstance(found, torch.Tensor) else [t for t in found if t is not None]


@pytest.mark.slow
def test_every_accepted_class_encodes_as_plain_diffusers():
    failures, names = [], [n for n in accepted() if not n.startswith(ELSEWHERE)]
    for name in names:
        pipe = bare(pipeline_classes()[name])
        method = family_of(pipe).method
        theirs = [encode(pipe, method, **call) for call in CALLS]
        attach(pipe, dialect="diffusers")
        ours = [encode(pipe, method, **call) for call in CALLS]
        pairs = zip(ours, theirs, strict=True)
        same = [len(a) == len(b) and all(map(torch.equal, a, b)) for a, b in pairs]
        detach(pipe)
        again = encode(pipe, method, **CALLS[0])
        if not all(same) or not all(map(torch.equal, again, theirs[0])):
            failures.append((name, same))

    assert not failures
    assert len(names) > 90


@pytest.mark.slow
def test_weights_and_length_reach_every_accepted_class():
    failures = []
    for name, kind in accepted().items():
        if name.startswith((*ELSEWHERE, "Flux")):  # pooled vectors have no weights
            continue
        pipe = attach(bare(kind))
        method = family_of(pipe).method
        plain, weighted = (encode(pipe, method, prompt=p) for p in ("a red cat", "a (red:1.4) cat"))
        is_one = family_of(pipe).n_chunks == 1
        long = [] if is_one else encode(pipe, method, prompt="a cat, " * 60, negative_prompt="x")
        longer = [t.shape[-2] >= 3 * 77 for t in long if t.ndim == 3 and t.shape[-2] > 1]
        if all(map(torch.equal, plain, weighted)) or not all(longer) or not (longer or is_one):
            failures.append(name)

    assert not failures


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in DRAWN_SLOWLY]


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
@pytest.mark.parametrize("name", [*DRAWN, *SLOW])
def test_latents_are_those_of_plain_diffusers(name):
    pipe = make(name)
    theirs = draw(pipe, name)
    attach(pipe)

    ours = draw(pipe, name)
    if name in OF_ONE_PRODUCT:  # they project a prompt and its negative in one product
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)
    else:
        assert torch.equal(ours, theirs)
    assert theirs.float().isfinite().all()


def test_every_accepted_class_is_drawn():
    assert {*DRAWN, *DRAWN_SLOWLY} == set(accepted())


def test_no_class_that_reads_clip_is_unknown():
    """What is refused is refused for a reason of its own, and the table has all."""
    failures = []
    for name, kind in pipeline_classes().items():
        pipe = kind.__new__(kind)
        if reads_clip(pipe) and name not in accepted():
            with pytest.raises(PipelineError) as caught:
                attach(pipe)
            if "no family known here" in str(caught.value):
                failures.append(str(caught.value))

    assert not failures
    assert set(accepted()) <= set(classes())
    assert len(classes()) >= 130


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "AmusedPipeline",
            "AmusedPipeline is not supported: it encodes prompts within its call, where nothing "
            "can take their place.\nEncode with Conditioner(tower, layer=HiddenLayer(2, "
            "final_norm=False), pooled=True), and call it with prompt_embeds=made.pooled, "
            "encoder_hidden_states=made.embeds.",
        ),
        (
            "StableCascadeCombinedPipeline",
            "StableCascadeCombinedPipeline is not supported: it runs several pipelines, which "
            "encode prompts each for itself.\nAttach its parts: attach(pipe.prior_pipe), and "
            "attach(pipe.decoder_pipe) where it reads text.",
        ),
        (
            "MarigoldDepthPipeline",
            "MarigoldDepthPipeline is not supported: it encodes the empty prompt only.",
        ),
        (
            "AudioLDM2Pipeline",
            "AudioLDM2Pipeline is not supported: its text encoder is CLAP's, which was trained on "
            "sounds.",
        ),
        (
            "KandinskyPipeline",
            "KandinskyPipeline is not supported: its text encoder is MultilingualCLIP, of one "
            "vector.",
        ),
        (
            "PixArtAlphaPipeline",
            "PixArtAlphaPipeline is not supported: its text encoder is T5EncoderModel, not CLIP's.",
        ),
        ("DDPMPipeline", "DDPMPipeline is not supported: it has no CLIP text encoder."),
    ],
)
def test_a_refusal_says_what_was_found_and_what_else_can_be_done(name, message):
    kind = pipeline_classes()[name]
    with pytest.raises(PipelineError) as caught:
        attach(kind.__new__(kind))

    assert str(caught.value) == message


def test_an_unknown_method_is_shown_with_the_way_out():
    class Mine(pipeline_classes()["StableDiffusionPipeline"]):
        def encode_prompt(self, prompt, weights):
            raise NotImplementedError

    with pytest.raises(PipelineError) as caught:
        attach(Mine.__new__(Mine))

    assert str(caught.value) == (
        "Mine is not supported: no family known here has its encode_prompt(prompt, weights).\n"
        "Encode prompts with a Conditioner around its text encoder, and call the pipeline with "
        "prompt_embeds=conditioner(prompt).embeds."
    )


def test_what_is_no_pipeline_is_refused():
    with pytest.raises(PipelineError) as caught:
        attach(torch.nn.Linear(1, 1))

    assert str(caught.value) == "Linear is not supported: it has no CLIP text encoder."
    with pytest.raises(PipelineError) as caught:
        attach(object())
    assert str(caught.value) == "object is no pipeline: it cannot be called."


@pytest.mark.parametrize("thing", [None, 5, "a folder", [1], object()])
def test_what_is_no_pipeline_is_not_detached_in_silence(thing):
    with pytest.raises(PipelineError) as caught:
        detach(thing)

    assert str(caught.value) == f"{type(thing).__name__} is no pipeline: it cannot be called."
    with pytest.raises(PipelineError) as caught:
        detach(type(thing))
    assert str(caught.value) == f"detach needs an object, not the class {type(thing).__name__}"
