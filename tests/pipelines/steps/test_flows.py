"""Prompts over time in the families of `flows`, against models that get their text by hand."""

import pytest
import torch

from clipcond import attach, detach
from clipcond.errors import PromptError
from tests.pipelines import zoo
from tests.pipelines.models import seeded
from tests.pipelines.steps.by_hand import ByHand
from tests.pipelines.steps.flows import FLOWS
from tests.pipelines.steps.loops import distance
from tests.pipelines.steps.test_hooks import n_hooks

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Safety checker disabled"),
    pytest.mark.filterwarnings("ignore:.* never changes while denoising"),
    pytest.mark.filterwarnings("ignore:'AND' is several conditions"),
]

PROMPT, NEGATIVE = "a [cat:dog:0.4] on [sand|[snow:ice:1]]", "[grey:red:1] sky"
MIXED = "a cat :0.7 AND a [red:blue:0.5] dog :0.4"


FAST = ("Flux", "HunyuanVideo", "Würstchen")  # of a kind each
EACH = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST)) for name in FLOWS]


@pytest.fixture(params=EACH)
def flow(request):
    return FLOWS[request.param]


def close(ours, theirs, bound):
    """Whether tensors agree, relative to what is the largest."""
    return distance(ours, theirs) <= bound * max(1.0, float(theirs.abs().max()))


def test_editing_equals_the_loop(flow):
    for scheduler in (None, *flow.schedulers):
        pipe = flow.attached(scheduler)
        hand = ByHand(flow, pipe)
        plain = flow.draw(pipe, "a dog on ice")
        for negative in (None, "grey", NEGATIVE) if scheduler is None else (NEGATIVE,):
            ours = flow.draw(pipe, PROMPT, negative)
            assert torch.equal(ours, hand.draw(PROMPT, negative))
            assert not torch.equal(ours, flow.draw(pipe, "a dog on ice", negative))
        assert torch.equal(flow.draw(pipe, "a dog on ice"), plain)
        assert n_hooks(getattr(pipe, flow.model)) == 0


def test_and_equals_the_formula(flow):
    pipe = flow.attached()
    hand = ByHand(flow, pipe)
    ours = flow.draw(pipe, MIXED, NEGATIVE)

    assert close(ours, hand.draw(MIXED, NEGATIVE), 1e-4)
    assert distance(ours, flow.draw(pipe, "a cat", NEGATIVE)) > 1e-3


def test_parts_of_one_text_are_that_text(flow):
    pipe = flow.attached()
    for negative in (None, "grey"):
        whole = flow.draw(pipe, "c", negative)
        assert close(flow.draw(pipe, "c :0.3 AND c :0.7", negative), whole, 2e-5)
        for prompt in ("c AND d :0", "d :0 AND c", "[c:d:99]"):
            assert torch.equal(flow.draw(pipe, prompt, negative), whole)


@pytest.mark.filterwarnings("ignore:all conditions have the weight 0")
def test_without_guidance_the_rest_is_the_empty_negative(flow):
    if not flow.order:
        return
    pipe = flow.attached()
    ours, empty = (flow.draw(pipe, prompt, guidance_scale=1.0) for prompt in ("c :0 AND d :0", ""))

    assert close(ours, empty, 1e-4)
    assert distance(flow.draw(pipe, "c", guidance_scale=1.0), empty) > 1e-3


def test_and_is_a_word_of_negatives(flow):
    pipe = flow.attached()
    expected = flow.draw(attach(pipe, dialect="diffusers"), "a cat", "b AND c")
    attach(pipe)

    assert torch.equal(flow.draw(pipe, "a cat", "b AND c"), expected)
    assert torch.equal(flow.draw(pipe, "[a cat:dog:99]", "b AND c"), expected)


@pytest.mark.filterwarnings("ignore:.* alternates in vain")
def test_negatives_that_are_drawn_as_prompts():
    """A prior makes a picture's embedding of the negative too, in which AND is a word."""
    flow = FLOWS["unCLIP prior"]
    pipe = flow.attached()
    call = {"num_inference_steps": 2, **flow.call, "prompt": "[a|b]", "negative_prompt": "b AND c"}
    expected = attach(pipe, dialect="diffusers")(**{**call, "prompt": "a", "generator": seeded()})
    found = attach(pipe)(**{**call, "generator": seeded()})

    assert torch.equal(found.negative_image_embeds, expected.negative_image_embeds)
    assert torch.equal(found.image_embeds, expected.image_embeds)


def test_a_batch_of_schedules(flow):
    """Each as if it were alone; a batch rounds otherwise, which guidance enlarges."""
    if not flow.batches:
        return
    pipe = flow.attached()
    prompts, negatives = ["a [cat:dog:0.3]", "a cat", "[a|b] fox"], ["", "[x:y:2]", "grey"]
    together = flow.draw_batch(pipe, prompts, negatives, 2)

    assert len(together) == 6
    for i, (prompt, negative) in enumerate(zip(prompts, negatives, strict=True)):
        theirs = flow.draw_batch(pipe, [prompt], [negative], 2)
        assert close(together[2 * i : 2 * i + 2], theirs, 1e-3)


def test_an_exception_in_the_middle(flow):
    pipe = flow.attached()
    model, expected = getattr(pipe, flow.model), flow.draw(pipe, MIXED, NEGATIVE)
    calls = iter(range(100))

    def fail(module, args, kwargs):
        if next(calls) == 3:
            raise RuntimeError("in the middle")

    handle = model.register_forward_pre_hook(fail, with_kwargs=True)
    with pytest.raises(RuntimeError, match="in the middle"):
        flow.draw(pipe, MIXED, NEGATIVE)
    handle.remove()

    assert torch.equal(flow.draw(pipe, MIXED, NEGATIVE), expected)
    assert n_hooks(model) == 0
    detach(pipe)
    assert n_hooks(model) == 0


@pytest.mark.parametrize("name", [name for name, flow in FLOWS.items() if not flow.order])
def test_weights_without_a_negative(name):
    """What weights lack to 1 is a negative's: without one there is nothing to take it from."""
    flow = FLOWS[name]
    pipe = flow.attached()
    scale = next(iter(flow.guided))
    if name == "Kandinsky 6":  # has a negative of its own
        flow.draw(pipe, "a AND b")
        return
    for prompt in ("a AND b", ["c", "a cat :0.5 AND b :0.6"]):
        with pytest.raises(PromptError, match="the weights of AND sum up to") as caught:
            flow.draw(pipe, prompt)
        lines = str(caught.value).split("\n")
        assert lines[2].index("^") == lines[1].index("AND")
        assert f"or pass negative_prompt= and {scale}= above 1." in lines[3]
    flow.draw(pipe, ["c", "a cat :0.6 AND b :0.3 AND d :0.1"])


def test_embeddings_of_negatives_apart_are_drawn_too(monkeypatch):
    flow = FLOWS["Flux"]
    pipe = flow.attached()
    expected = flow.draw(pipe, MIXED, NEGATIVE)
    call = {"device": "cpu", "max_sequence_length": 16}
    names = ("prompt_embeds", "pooled_prompt_embeds")
    with monkeypatch.context() as patch:  # as a callback gets them
        patch.setattr("clipcond.pipelines.steps.over_time.is_drawing", lambda pipe: True)
        own, negative = (pipe.encode_prompt(text, **call) for text in (MIXED, NEGATIVE))
    given = dict(zip(names, own[:2], strict=True))
    guided = dict(zip([f"negative_{name}" for name in names], negative[:2], strict=True))

    for _ in range(2):
        assert torch.equal(flow.draw(pipe, None, **given, **guided, **flow.guided), expected)
    with pytest.raises(PromptError, match=r"the weights of AND sum up to 1\.1;"):
        flow.draw(pipe, None, **given)


def test_controlnets_give_each_part_its_own():
    """A step of this scheduler is linear in what the model predicts."""
    pipe = attach(zoo.make("FluxControlNetPipeline"))
    flow = FLOWS["Flux"]
    call = {"control_image": zoo.PICTURE, "n_steps": 1}
    cat, dog, snow = (flow.draw(pipe, text, **call) for text in ("cat", "dog", "snow"))
    mixed = flow.draw(pipe, "cat :0.5 AND dog :0.7 AND snow :-0.2", **call)

    assert distance(mixed, 0.5 * cat + 0.7 * dog - 0.2 * snow) < 1e-4
    assert distance(flow.draw(pipe, "cat AND dog", "snow", **call), mixed) > 1e-3


def test_a_prior_and_a_unet_each_over_its_steps():
    name = "StableUnCLIPPipeline"
    pipe = attach(zoo.make(name))

    def draw(prompt):
        call = {"num_inference_steps": 3, "prior_num_inference_steps": 2}
        return zoo.draw(pipe, name, prompt=prompt, **call)

    cat = draw("cat")
    assert torch.equal(draw("[cat:dog:9] AND dog :0"), cat)
    assert close(draw("cat :0.3 AND cat :0.7"), cat, 2e-5)
    pictures = [cat, draw("dog"), draw("[cat:dog:1]"), draw("cat AND dog :0.5")]
    assert all(not torch.equal(a, b) for i, a in enumerate(pictures) for b in pictures[:i])
    assert n_hooks(pipe.prior) == n_hooks(pipe.unet) == 0
