"""Stable Diffusion 3: both CLIP towers as the dialect has it; T5 gets the words."""

import pytest
import torch
from torch.nn.functional import pad

from clipcond import attach, detach
from clipcond.errors import PipelineError, PromptWarning
from tests.pipelines.models import WIDTH, WIDTH_G
from tests.pipelines.zoo import draw, make
from tests.pipelines.zoo_parts import WIDTH_T5

NAME, ROWS = "StableDiffusion3Pipeline", 16
CLIP = WIDTH + WIDTH_G


@pytest.fixture(scope="module")
def made():
    return make(NAME)


@pytest.fixture
def pipe(made):
    yield detach(made)
    detach(made)


def encode(pipe, prompt="a cat", **call):
    given = {"prompt_2": None, "prompt_3": None, "device": "cpu", "max_sequence_length": ROWS}
    with torch.no_grad():
        return pipe.encode_prompt(prompt, **{**given, **call})


def close(one, other):
    return (one is None and other is None) or torch.allclose(one, other, rtol=0, atol=1e-6)


def test_what_is_encoded_is_that_of_plain_diffusers(pipe):
    calls = (
        {"negative_prompt": "blurry"},
        {},
        {"prompt_2": "a dog", "prompt_3": "the dog", "negative_prompt_2": "dog"},
        {"negative_prompt": "blurry", "negative_prompt_3": "red", "num_images_per_prompt": 2},
        {"do_classifier_free_guidance": False},
    )
    theirs = [encode(pipe, **call) for call in calls]
    attach(pipe, dialect="diffusers")
    ours = [encode(pipe, **call) for call in calls]

    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(one, other, strict=True):
            assert (a is None) == (b is None)
            assert a is None or torch.equal(a, b)


def test_a_batch(pipe):
    prompts, negatives = ["a cat", "a dog"], ["blurry", "red"]
    theirs = encode(pipe, prompts, negative_prompt=negatives)
    ours = encode(attach(pipe), prompts, negative_prompt=negatives)

    assert all(map(torch.equal, ours[:2], theirs[:2]))
    assert all(map(close, ours[2:], theirs[2:]))  # the projection of two at once rounds otherwise


def test_clip_skip_acts_on_the_negative_too(pipe):
    theirs = encode(pipe, "a cat", clip_skip=1)[0]  # diffusers: one deeper than the penultimate
    attach(pipe, clip_skip=1)
    ours, negative, *_ = encode(pipe, "a cat", negative_prompt="a cat", clip_skip=3)

    assert torch.equal(ours, theirs)
    assert torch.equal(negative, theirs)
    assert torch.equal(encode(attach(pipe, clip_skip=3))[0], theirs)


def test_weights_act_on_clip_and_t5_gets_the_words(pipe):
    attach(pipe)
    plain, weighted = (encode(pipe, p, negative_prompt=p) for p in ("a red cat", "a (red:1.3) cat"))

    for side in (0, 1):
        assert not torch.equal(plain[side][:, :77], weighted[side][:, :77])
        assert torch.equal(plain[side][:, 77:], weighted[side][:, 77:])
    assert all(map(torch.equal, plain[2:], weighted[2:]))
    made = pipe.conditioner.guided("a (red:1.3) cat", "a (red:1.3) cat")
    rows = pad(made.positive.embeds, (0, WIDTH_T5 - CLIP))
    assert torch.equal(weighted[0][:, :77], rows)
    assert torch.equal(weighted[2], made.positive.pooled)


def test_t5_reads_and_as_a_word_in_the_negative_only(pipe):
    theirs = [encode(pipe, "x", negative_prompt=each)[1] for each in ("red AND dog", "red")]
    attach(pipe)
    with pytest.warns(PromptWarning, match="only the first is encoded: 'red'"):
        ours = encode(pipe, "red AND dog", negative_prompt="red AND dog")
    t5 = [each[:, -ROWS:] for each in (*theirs, *ours[:2])]

    assert not torch.equal(t5[0], t5[1])
    assert torch.equal(t5[3], t5[0])
    assert torch.equal(t5[2], t5[1])


def test_long_prompts_on_either_side(pipe):
    attach(pipe)
    for prompt, negative in (("a cat, " * 60, "x"), ("x", "a cat, " * 60)):
        embeds, negatives, pooled, negative_pooled = encode(pipe, prompt, negative_prompt=negative)
        assert embeds.shape == negatives.shape == (1, 3 * 77 + ROWS, WIDTH_T5)
        assert pooled.shape == negative_pooled.shape == (1, CLIP)
        assert draw(pipe, NAME, prompt=prompt, negative_prompt=negative).isfinite().all()


def test_no_zeros_for_an_empty_negative(pipe):
    attach(pipe)

    assert bool(encode(pipe)[1][:, :77, :CLIP].any())
    assert torch.equal(encode(pipe)[1], encode(pipe, negative_prompt="")[1])


def test_embeddings_of_the_caller(pipe):
    attach(pipe)
    embeds, negative, pooled, negative_pooled = encode(pipe, "a cat, " * 60, negative_prompt="x")
    names = ("prompt_embeds", "pooled_prompt_embeds")
    mine = dict(zip(names, (embeds, pooled), strict=True))
    theirs = {f"negative_{n}": t for n, t in zip(names, (negative, negative_pooled), strict=True)}

    both = encode(pipe, None, **mine, **theirs)
    assert both[0] is embeds
    assert both[1] is negative
    one = encode(pipe, None, negative_prompt="x", **mine)
    assert torch.equal(one[1], negative)
    assert torch.equal(one[3], negative_pooled)
    other = encode(pipe, "a cat, " * 60, **theirs)
    assert torch.equal(other[0], embeds)
    assert other[1] is negative
    with pytest.raises(PipelineError, match="have 154 rows of CLIP, the other prompt has 231"):
        encode(pipe, "a cat, " * 60, negative_prompt_embeds=negative[:, 77:])
    alone = encode(pipe, None, do_classifier_free_guidance=False, **mine)
    assert alone[0] is embeds
    assert alone[1] is None


def test_without_t5_its_rows_are_zeros(pipe):
    encoder, pipe.text_encoder_3 = pipe.text_encoder_3, None
    try:
        theirs = encode(pipe, negative_prompt="x")
        ours = encode(attach(pipe), negative_prompt="x")
    finally:
        pipe.text_encoder_3 = encoder

    assert all(map(torch.equal, ours, theirs))
    assert not bool(ours[0][:, 77:].any())


def test_one_tower_cannot_replace_the_pair(pipe):
    from tests.parity.models import tower_l

    with pytest.raises(PipelineError) as caught:
        attach(pipe, tower=tower_l())
    assert str(caught.value) == (
        "Stable Diffusion 3 reads 2 towers: one cannot replace them.\n"
        "Leave out tower=, and give the pipeline its text encoders."
    )
