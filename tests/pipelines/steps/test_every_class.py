"""Prompts over time, class by class: each call of a model gets the text of its step."""

import pytest
import torch

from clipcond import attach
from clipcond.errors import PipelineError, PromptError
from clipcond.pipelines.families import family_of
from clipcond.pipelines.steps.refusals import DENOISERS, reason_against, reason_against_and
from clipcond.pipelines.steps.rows import list_tensors
from tests.pipelines import zoo
from tests.pipelines.drawn_classes import DRAWN_SLOWLY
from tests.pipelines.steps.loops import distance, text_at

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.* never changes while denoising"),
]

N_STEPS = 4
EDITED, RED, BLUE = "[red:blue:0.5] cat", "red cat", "blue cat"
IN_EVERY_RUN = ("HunyuanVideoFramepackPipeline", "TextToVideoZeroPipeline")
# of the others, those whose loop is like that of none in test_pipelines.py and test_flows.py
OWN_LOOPS = (
    *("AltDiffusionImg2ImgPipeline", "AnimateDiffControlNetPipeline", "AnimateDiffPAGPipeline"),
    *("AnimateDiffSDXLPipeline", "AnimateDiffVideoToVideoPipeline", "FluxKontextPipeline"),
    *("KandinskyPriorPipeline", "PIAPipeline", "StableDiffusion3Img2ImgPipeline"),
    *("StableDiffusion3PAGPipeline", "StableDiffusionControlNetInpaintPipeline"),
    *("StableDiffusionInpaintPipelineLegacy", "StableDiffusionModelEditingPipeline"),
    *("StableDiffusionUpscalePipeline", "StableDiffusionXLAdapterPipeline"),
    *("StableDiffusionXLControlNetPAGImg2ImgPipeline", "StableDiffusionXLInpaintPipeline"),
    *("StableDiffusionXLInstructPix2PixPipeline", "StableUnCLIPImg2ImgPipeline"),
    *("UniDiffuserPipeline", "VideoToVideoSDPipeline"),
)
SLOW = [n for n in (*OWN_LOOPS, *DRAWN_SLOWLY) if n not in IN_EVERY_RUN]
# the steps of a model's calls, where they are not each step once or twice
STEPS = {
    # two windows of frames, each of all steps
    "HunyuanVideoFramepackPipeline": [*(s for s in range(N_STEPS) for _ in "np")] * 2,
    # the first frame alone, on to where motion is put in; from there on, all frames
    "TextToVideoZeroPipeline": [0, 1, 1, 2, 3],
    "TextToVideoZeroSDXLPipeline": [0, 1, 1, 2, 3],
}


def watched(pipe, name, prompt):
    """What is drawn, and the tensors in each call of a model: (the model's name, its tensors)."""
    seen, own = [], {n: getattr(pipe, n, None) for n in DENOISERS}
    models = {n: model for n, model in own.items() if isinstance(model, torch.nn.Module)}

    def noting(n, forward):
        def note(*args, **kwargs):
            seen.append((n, [each.clone() for each in list_tensors((args, kwargs))]))
            return forward(*args, **kwargs)

        return note

    for n, model in models.items():
        model.forward = noting(n, model.forward)
    try:
        found = zoo.draw(pipe, name, prompt=prompt, num_inference_steps=N_STEPS)
    finally:
        for model in models.values():
            del model.forward
    return found, seen


def texts(name, red, blue):
    """For each model of two plain drawings, which tensors of its calls are text.

    Those that another text changes, and another step does not.
    """
    found = {}
    for n in {n for n, _ in red}:
        calls, (other, *_) = ([own for m, own in each if m == n] for each in (red, blue))
        first, steps = calls[0], steps_of(name, calls)
        rest = [own for own, step in zip(calls, steps, strict=True) if step]
        found[n] = [
            i
            for i, tensor in enumerate(first)
            if not torch.equal(tensor, other[i])
            and any(torch.equal(tensor, later[i]) for later in rest)
        ]
        assert found[n], f"{n} does not read the prompt"
    return found


def steps_of(name, calls):
    """The step of each call of a model."""
    n_calls, odd = divmod(len(calls), N_STEPS)
    own = STEPS.get(name, [step for step in range(N_STEPS) for _ in range(n_calls)])
    assert name in STEPS or not odd
    return own


@pytest.mark.parametrize(
    "name", [*IN_EVERY_RUN, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)]
)
def test_each_call_gets_the_text_of_its_step(name):
    pipe = attach(zoo.make(name))
    if reason_against(pipe, family_of(pipe)):
        for prompt in (EDITED, f"{RED} AND {BLUE} :0.7"):
            with pytest.raises(PipelineError, match="cannot draw"):
                zoo.draw(pipe, name, prompt=prompt)
        return
    (red, of_red), (blue, of_blue) = (watched(pipe, name, text) for text in (RED, BLUE))
    places, (edited, of_both) = texts(name, of_red, of_blue), watched(pipe, name, EDITED)
    for n, own in places.items():
        plain, other, ours = ([t for m, t in e if m == n] for e in (of_red, of_blue, of_both))
        assert len(ours) == len(plain)
        for k, step in enumerate(steps_of(name, plain)):
            expected = plain[k] if text_at(EDITED, N_STEPS, step) == RED else other[k]
            wrong = [i for i in own if not torch.equal(ours[k][i], expected[i])]
            assert not wrong, (n, "call", k, "step", step)
    assert not torch.equal(edited, red)
    assert not torch.equal(edited, blue)
    if not reason_against_and(pipe):
        check_parts(pipe, name, places, red, of_red, of_blue)


def check_parts(pipe, name, places, red, of_red, of_blue):
    """Each part of AND has a pass of its own, the first in the pipeline's own call, the last."""
    try:
        mixed, seen = watched(pipe, name, f"{RED} AND {BLUE} :0.7")
    except PromptError:  # it has no negative, and weights have to sum up to 1
        mixed, seen = watched(pipe, name, f"{RED} :0.3 AND {BLUE} :0.7")
    for n, own in places.items():
        plain, other, ours = (
            [[t[i] for i in own] for m, t in e if m == n] for e in (of_red, of_blue, seen)
        )
        calls = iter(ours)
        for k, (one, two) in enumerate(zip(plain, other, strict=True)):
            call = next(calls)
            if not same(one, two):  # not of a negative alone
                assert same(call, two), (n, "call", k, "the second part")
                call = next(calls)
                if k + 1 < len(plain) and same(plain[k + 1], other[k + 1]):
                    call = next(calls) if same(call, plain[k + 1]) else call
            assert same(call, one), (n, "call", k, "the first part")
        assert next(calls, None) is None
    halves = zoo.draw(
        pipe, name, prompt=f"{RED} :0.25 AND {RED} :0.75", num_inference_steps=N_STEPS
    )
    assert distance(halves, red) < 3e-5 * max(1.0, float(red.abs().max()))
    assert distance(mixed, red) > 1e-5


def same(ours, theirs):
    return all(map(torch.equal, ours, theirs))
