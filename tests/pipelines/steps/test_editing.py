"""Editing and alternation against A1111's loop written by hand: bit by bit."""

import diffusers
import pytest
import torch

from clipcond import attach
from clipcond.errors import PromptWarning
from tests.pipelines.models import tiny_sd
from tests.pipelines.steps.loops import a1111, drawn

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array:DeprecationWarning", "ignore:.* never changes while denoising"
)

SCHEDULERS = {
    "DDIMScheduler": {"steps_offset": 1, "clip_sample": False},
    "EulerDiscreteScheduler": {},
    "EulerAncestralDiscreteScheduler": {},
    "HeunDiscreteScheduler": {},
    "KDPM2DiscreteScheduler": {},
    "PNDMScheduler": {"skip_prk_steps": True},
    "DPMSolverMultistepScheduler": {},
    "UniPCMultistepScheduler": {},
}


@pytest.fixture(scope="module")
def pipe():
    return attach(tiny_sd())


@pytest.mark.parametrize("n_steps", [10, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_editing_equals_the_loop(pipe, name, n_steps):
    pipe.scheduler = getattr(diffusers, name)(**SCHEDULERS[name])
    prompt, negative = "a [cat:(dog:1.2):0.4] on [sand|[snow:ice:7]|]", "[grey:red:3] sky"

    ours = drawn(pipe, prompt, negative, n_steps)

    assert torch.equal(ours, a1111(pipe, prompt, negative, n_steps))


def test_texts_change_the_picture(pipe):
    pipe.scheduler = diffusers.DDIMScheduler()
    pictures = [drawn(pipe, p) for p in ("a [cat:dog:0.5]", "a cat", "a dog", "a [cat:dog:0.4]")]

    for i, one in enumerate(pictures):
        assert not any(torch.equal(one, other) for other in pictures[:i])


@pytest.mark.filterwarnings("ignore:.* never changes while denoising")
def test_a_prompt_that_is_settled_from_the_start_is_drawn_as_it_is(pipe):
    pipe.scheduler = diffusers.DDIMScheduler()

    assert torch.equal(drawn(pipe, "a [cat:dog:0]"), drawn(pipe, "a dog"))
    assert torch.equal(drawn(pipe, "a [cat:dog:1.0]"), drawn(pipe, "a cat"))
    assert torch.equal(drawn(pipe, "a [cat:dog:99]"), drawn(pipe, "a cat"))


def test_only_the_negative_changes(pipe):
    pipe.scheduler = diffusers.DDIMScheduler()

    ours = drawn(pipe, "a cat", "[grey|red]")

    assert torch.equal(ours, a1111(pipe, "a cat", "[grey|red]"))
    assert torch.equal(drawn(pipe, "a cat", "a AND b"), drawn(pipe, "a cat", "a and b"))


def test_long_variants_are_equally_long(pipe):
    pipe.scheduler = diffusers.DDIMScheduler()
    prompt = f"a [cat:{'dog ' * 90}:0.5]"
    widths = set()
    handle = pipe.unet.register_forward_pre_hook(
        lambda module, args, kwargs: widths.add(kwargs["encoder_hidden_states"].shape),
        with_kwargs=True,
    )
    drawn(pipe, prompt, "grey")
    handle.remove()

    assert widths <= {(2, 154, 32), (2, 77, 32)}


def test_number_of_steps_is_the_calls(pipe):
    """Whatever the call before took: the texts of 4 steps, of 30, and of 4 again."""
    pipe.scheduler = diffusers.DDIMScheduler()
    prompt = "[[a:b:3]|[c:d:0.9]|[e:f:6]]"
    for n_steps in (4, 9, 4):
        assert torch.equal(drawn(pipe, prompt, "", n_steps), a1111(pipe, prompt, "", n_steps))


def test_a_batch_of_schedules(pipe):
    pipe.scheduler = diffusers.DDIMScheduler()
    prompts = ["a [cat:dog:0.3]", "a cat", "[a|b] fox"]
    negatives = ["", "[x:y:2]", "grey"]

    from tests.pipelines.models import seeded

    generators = [seeded() for _ in range(6)]
    together = drawn(pipe, prompts, negatives, generator=generators, num_images_per_prompt=2)

    for i, (prompt, negative) in enumerate(zip(prompts, negatives, strict=True)):
        alone = a1111(pipe, prompt, negative)
        for ours in together[2 * i : 2 * i + 2]:
            # a batch rounds otherwise, and guidance enlarges that at every step
            assert torch.allclose(ours, alone[0], rtol=0, atol=1e-3)


def test_what_a_call_draws_otherwise_than_meant_is_warned_of(pipe):
    pipe.scheduler = diffusers.DDIMScheduler()
    cases = {
        "a [cat:dog:25]": "'[cat:dog:25]' never changes while denoising: 3 steps draw only 'cat'",
        "[cat:dog:0.9]": "'[cat:dog:0.9]' never changes while denoising: 3 steps draw only 'cat'",
        "[10:30] sky": "'[10:30]' is prompt editing: a text that changes after step 30",
        "10:30 AND sky": "'10:30' ends in the weight 30 of a condition",
        "BLACK AND WHITE sky": "AND makes several conditions, although it is in a title: "
        "'BLACK' and 'WHITE sky'",
    }
    for prompt, message in cases.items():
        with pytest.warns(PromptWarning) as warned:
            pipe(prompt, num_inference_steps=3, output_type="latent")
        (warning,) = warned
        assert (warning.message.message, warning.filename) == (message, __file__)


@pytest.mark.parametrize("prompt", ["a [cat:dog:0.5]", "a [cat:dog:1]", "[[a|b]:c:3]", "[b:a:19]"])
def test_the_report_says_which_steps_draw_which_text(pipe, prompt):
    pipe.scheduler = diffusers.DDIMScheduler()
    seen = []
    keys = next(m for n, m in pipe.unet.named_modules() if n.endswith("attn2.to_k"))
    handle = keys.register_forward_pre_hook(lambda module, args: seen.append(args[0][1]))
    drawn(pipe, prompt, "", 20)
    handle.remove()

    said = list(pipe.conditioner.explain(prompt).drawn_steps)
    assert [first for first, _, _ in said] == [1, *(last + 1 for _, last, _ in said[:-1])]
    assert said[-1][1] == len(seen) == 20
    for first, last, (part,) in said:
        rows = pipe.conditioner(part.text).embeds[0]
        assert all(torch.allclose(each, rows, atol=1e-5) for each in seen[first - 1 : last])
