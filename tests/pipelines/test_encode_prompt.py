"""What prompts become in an attached pipeline, against plain diffusers on the same model."""

import pytest
import torch

from clipcond import attach, detach
from clipcond.errors import PipelineError, PromptError, PromptTypeError
from tests.pipelines import zoo
from tests.pipelines.models import WIDTH, final_norm, latents, seeded


def test_plain_prompt_equals_diffusers(pipe):
    theirs = latents(pipe, "a cat", negative_prompt="blurry")
    ours = latents(attach(pipe), "a cat", negative_prompt="blurry")

    assert torch.equal(ours, theirs)  # same ids, same call: no tolerance


def test_a_batch_equals_diffusers(pipe):
    prompts, negatives = ["a cat", "two dogs", "a cat"], ["blurry", "", "grey"]
    theirs = latents(pipe, prompts, negative_prompt=negatives, num_images_per_prompt=2)
    ours = latents(attach(pipe), prompts, negative_prompt=negatives, num_images_per_prompt=2)

    assert torch.equal(ours, theirs)


def test_without_guidance_equals_diffusers(pipe):
    theirs = latents(pipe, "a cat", guidance_scale=1.0)
    ours = latents(attach(pipe), "a cat", guidance_scale=1.0)

    assert torch.equal(ours, theirs)


OBEYING = ("StableDiffusionPipeline", "StableDiffusionInstructPix2PixPipeline")
OTHERS = ("StableDiffusionXLPipeline", "StableDiffusionLatentUpscalePipeline")


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # of numpy 2
@pytest.mark.parametrize("name", [*OBEYING, *OTHERS])
def test_masked_padding_is_as_the_configuration_says(name, monkeypatch):
    def drawn(pipe):
        return zoo.draw(pipe, name, prompt="a cat")

    pipe = zoo.make(name)
    unmasked = drawn(pipe)
    monkeypatch.setattr(pipe.text_encoder.config, "use_attention_mask", True, raising=False)
    theirs = drawn(pipe)

    assert torch.equal(drawn(attach(pipe, dialect="diffusers")), theirs)
    assert torch.equal(theirs, unmasked) == (name in OTHERS)
    if name == "StableDiffusionPipeline":  # in every dialect: so its UNet was trained
        own = pipe.conditioner("a cat").embeds
        assert torch.equal(attach(pipe, clip_skip=1).conditioner("a cat").embeds, own)
        pipe.text_encoder.config.use_attention_mask = False
        assert torch.equal(drawn(pipe), unmasked)


@pytest.mark.parametrize("per_call", [False, True])
def test_clip_skip_2_is_the_penultimate_layer_normed_for_both_prompts(pipe, per_call):
    attach(pipe, clip_skip=1 if per_call else 2)
    encoded = pipe.encode_prompt(
        "a cat", "cpu", 1, True, "blurry", clip_skip=2 if per_call else None
    )

    for ours, text in zip(encoded, ["a cat", "blurry"], strict=True):
        ids = pipe.tokenizer(text, padding="max_length", return_tensors="pt").input_ids
        states = pipe.text_encoder(ids, output_hidden_states=True).hidden_states
        assert torch.equal(ours, final_norm(pipe.text_encoder)(states[-2]))


def test_clip_skip_of_a_call_goes_before_that_of_attach(pipe):
    once = latents(attach(pipe, clip_skip=2), "a cat", clip_skip=1)
    plain = latents(attach(pipe, clip_skip=1), "a cat")

    assert torch.equal(once, plain)
    assert not torch.equal(once, latents(attach(pipe, clip_skip=2), "a cat"))


def test_weights_act(pipe):
    attach(pipe)

    assert torch.equal(latents(pipe, "a (red:1.0) cat"), latents(pipe, "a red cat"))
    assert not torch.equal(latents(pipe, "a (red:1.3) cat"), latents(pipe, "a red cat"))


def test_a_long_prompt_is_not_cut(pipe):
    attach(pipe)
    embeds, negative = pipe.encode_prompt("cat " * 100, "cpu", 1, True, "blurry")

    assert embeds.shape == negative.shape == (1, 2 * 77, WIDTH)
    assert not torch.equal(latents(pipe, "cat " * 100 + "dog"), latents(pipe, "cat " * 100 + "fox"))


def test_one_negative_string_serves_a_list_of_prompts(pipe):
    attach(pipe)
    one = latents(pipe, ["a cat", "a dog"], negative_prompt="blurry")
    each = latents(pipe, ["a cat", "a dog"], negative_prompt=["blurry", "blurry"])

    assert torch.equal(one, each)


LISTS = [
    ({"prompt": ["a", "b"], "prompt_2": ["c"]}, "2 prompts, but prompt_2 is a list of 1."),
    ({"prompt": ["a", "b"], "prompt_2": ["c"] * 3}, "2 prompts, but prompt_2 is a list of 3."),
    ({"prompt": "a", "prompt_2": ["c", "d"]}, "1 prompt, but prompt_2 is a list of 2."),
    (
        {"prompt": ["a", "b"], "negative_prompt_2": ["x"]},
        "2 prompts, but negative_prompt_2 is a list of 1.",
    ),
    ({"prompt": ["a", "b"], "negative_prompt": ["x"]}, "2 prompts, but 1 negative prompt."),
    ({"prompt": ["[a|b]", "b"], "prompt_2": ["c"]}, "2 prompts, but prompt_2 is a list of 1."),
    ({"prompt": ["a AND b", "b"], "negative_prompt": ["x"]}, "2 prompts, but 1 negative prompt."),
]
LISTS_OF_THREE = [
    *LISTS,
    ({"prompt": ["a", "b"], "prompt_3": ["c"]}, "2 prompts, but prompt_3 is a list of 1."),
    (
        {"prompt": ["a", "b"], "negative_prompt_3": ["x"] * 3},
        "2 prompts, but negative_prompt_3 is a list of 3.",
    ),
]


def test_lists_have_a_string_for_each_prompt():
    failures = []
    for name, cases in (
        ("StableDiffusionXLPipeline", LISTS),
        ("StableDiffusion3Pipeline", LISTS_OF_THREE),
        ("FluxPipeline", [case for case in LISTS if "negative" not in str(case)]),
    ):
        pipe = attach(zoo.make(name))
        for arguments, message in cases:
            try:
                zoo.draw(pipe, name, **{"negative_prompt": None, **arguments})
            except ValueError as error:
                if isinstance(error, PipelineError):
                    expected = f"{message}\nGive as many, or one string for all of them."
                    failures += [(name, str(error))] * (str(error) != expected)
                    continue
            failures.append((name, arguments))
        both = {"prompt": ["a", "b"], "prompt_2": ["c", "d"], "negative_prompt": ["x", "y"]}
        assert zoo.draw(pipe, name, **both).isfinite().all()
        for one in ({"prompt_2": ["c"], "negative_prompt": ["x"]}, {"prompt_2": []}):
            assert zoo.draw(pipe, name, prompt="a", **one).isfinite().all()

    assert not failures


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"prompt": ["a", "b"], "negative_prompt": ["x"]},
            "2 prompts, but 1 negative prompt.\nGive as many, or one string for all of them.",
        ),
        (
            {"prompt": "a", "negative_prompt": ["x", "y"]},
            "1 prompt, but 2 negative prompts.\nGive as many, or one string for all of them.",
        ),
        (
            {"prompt": "a", "negative_prompt_embeds": torch.zeros(2, 77, WIDTH)},
            "1 prompt, but 2 negative embeddings: they pair one to one.",
        ),
        (
            {"prompt": "a", "negative_prompt_embeds": torch.zeros(1, 100, WIDTH)},
            "Embeddings of 77 and of 100 rows cannot be brought to one length: "
            "the empty chunks that fill up the shorter have 77 rows.",
        ),
        (
            {"prompt_embeds": torch.zeros(1, 77, 48)},
            "The text embeddings are 48 wide, but this pipeline's UNet reads 32.\n"
            "Use the text tower that the UNet was trained with.",
        ),
    ],
)
def test_what_does_not_pair_is_refused(pipe, arguments, message):
    with pytest.raises(PipelineError) as caught:
        latents(attach(pipe), **arguments)

    assert str(caught.value) == message


def test_prompts_are_refused_as_a_conditioner_refuses_them(pipe):
    cases = [
        ({"prompt": []}, PromptError),
        ({"prompt": [], "negative_prompt": ["x"]}, PromptError),
        ({"prompt": "a", "negative_prompt": []}, PromptError),
        ({"prompt": ["a", None]}, PromptTypeError),
        *(({"prompt": "a", "negative_prompt": x}, PromptTypeError) for x in (5, b"abc", {}, 0.5)),
    ]
    attach(pipe)
    for arguments, kind in cases:
        with pytest.raises(kind) as ours:
            latents(pipe, **arguments)
        with pytest.raises(kind) as theirs:
            pipe.conditioner.guided(arguments["prompt"], arguments.get("negative_prompt"))

        assert str(ours.value) == str(theirs.value), arguments


def test_embeddings_of_the_caller_go_through(pipe):
    embeds = torch.randn(1, 77, WIDTH, generator=seeded())
    negative = torch.randn(1, 77, WIDTH, generator=seeded(1))
    given = {"prompt_embeds": embeds, "negative_prompt_embeds": negative}
    theirs = latents(pipe, **given)

    assert torch.equal(latents(attach(pipe), **given), theirs)
    assert torch.equal(pipe.encode_prompt(None, "cpu", 1, False, **given)[1], negative)


def test_negative_embeddings_without_guidance_are_not_touched(pipe):
    embeds, negative = torch.ones(1, 77, WIDTH), torch.ones(3, 2 * 77, WIDTH)
    given = {"prompt_embeds": embeds, "negative_prompt_embeds": negative}
    theirs = pipe.encode_prompt(None, "cpu", 2, False, **given)
    ours = attach(pipe).encode_prompt(None, "cpu", 2, False, **given)

    assert ours[0].shape == theirs[0].shape == (2, 77, WIDTH)
    assert ours[1] is theirs[1] is negative


@pytest.mark.parametrize("negative", [{}, {"negative_prompt": "blurry"}])
def test_long_embeddings_with_a_negative_in_words(pipe, negative):
    attach(pipe)
    embeds = torch.randn(2, 2 * 77, WIDTH, generator=seeded())
    kept = embeds.clone()
    ours, theirs = pipe.encode_prompt(None, "cpu", 1, True, prompt_embeds=embeds, **negative)

    text = negative.get("negative_prompt", "")
    rows = [pipe.conditioner(text).embeds, pipe.conditioner("").embeds]
    assert torch.equal(ours, kept)
    assert torch.equal(embeds, kept)
    assert torch.equal(theirs, torch.cat(rows, dim=1).repeat(2, 1, 1))


def test_words_with_long_negative_embeddings(pipe):
    attach(pipe)
    negative = torch.randn(1, 2 * 77, WIDTH, generator=seeded())
    ours, theirs = pipe.encode_prompt("a cat", "cpu", 1, True, negative_prompt_embeds=negative)

    assert torch.equal(
        ours, torch.cat([pipe.conditioner("a cat").embeds, pipe.conditioner("").embeds], dim=1)
    )
    assert torch.equal(theirs, negative)


def test_embeddings_are_as_good_as_the_words_they_are_of(pipe):
    """Whatever brings a shorter side to the length of the other: empty chunks or repetition."""
    long = "a cat, " * 60
    for dialect in ("a1111", "comfyui", "compel"):
        attach(pipe, dialect=dialect)
        for n_words in (1, 30, 60):
            words = "blurry, " * n_words
            embeds = pipe.encode_prompt(words, "cpu", 1, False)[0]
            by_words = pipe.encode_prompt(long, "cpu", 1, True, negative_prompt=words)
            by_rows = pipe.encode_prompt(long, "cpu", 1, True, negative_prompt_embeds=embeds)
            assert all(map(torch.equal, by_rows, by_words)), (dialect, n_words)
        detach(pipe)


def test_one_pass_through_the_text_encoder_for_positive_and_negative(pipe):
    attach(pipe)
    passes = []
    pipe.text_encoder.register_forward_hook(lambda *_: passes.append(1))
    latents(pipe, ["a cat", "a dog"], negative_prompt="blurry")

    assert passes == [1]


def test_the_result_has_the_dtype_of_the_unet(pipe):
    # plain diffusers stops here: it loads a float16 folder with its text encoder alone in float16
    pipe.text_encoder.to(torch.bfloat16)
    embeds, negative = attach(pipe).encode_prompt("a (cat:1.2)", "cpu", 1, True)

    assert embeds.dtype == negative.dtype == torch.float32
    assert latents(pipe, "a (cat:1.2)").dtype == torch.float32


def test_moving_an_attached_pipeline_to_another_dtype(pipe):
    attach(pipe)
    latents(pipe, "a cat")
    pipe.to(torch.bfloat16)

    assert latents(pipe, "a cat").dtype == torch.bfloat16
