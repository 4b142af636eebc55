"""Flux, HunyuanVideo, HiDream, Kandinsky: CLIP's pooled vector is ours, other models get words."""

import warnings

import pytest
import torch

from clipcond import attach, detach
from clipcond.errors import PromptWarning
from tests.parity.models import model_g
from tests.pipelines.bare import bare, pipeline_classes
from tests.pipelines.zoo import make
from tests.pipelines.zoo_parts import model_l_projected, tokenizer
from tests.pipelines.zoo_stubs import longer

ROWS = 16
SYNTAX = "a (red:1.3) cat BREAK a dog"
WARNING = (
    "weights and BREAK have no effect in {}: of CLIP it reads one pooled vector, and its other "
    "text model gets the words alone"
)


@pytest.fixture(scope="module")
def flux():
    return make("FluxPipeline")


def encode(pipe, prompt="a cat", prompt_2=None, **call):
    with torch.no_grad():
        return pipe.encode_prompt(prompt, prompt_2, "cpu", max_sequence_length=ROWS, **call)


def test_flux_without_syntax_is_that_of_plain_diffusers(flux):
    calls = (
        {},
        {"prompt_2": "a dog"},
        {"num_images_per_prompt": 2},
        {"prompt": ["a cat", "a dog"], "num_images_per_prompt": 2},
    )
    theirs = [encode(flux, **call) for call in calls]
    attach(flux)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = [encode(flux, **call) for call in calls]
    detach(flux)

    assert all(all(map(torch.equal, a, b)) for a, b in zip(ours, theirs, strict=True))


def test_flux_gets_the_words_and_one_warning(flux):
    words, theirs = encode(flux, "a red cat a dog"), encode(flux, "a cat")
    attach(flux)
    with pytest.warns(PromptWarning) as caught:
        ours = encode(flux, SYNTAX)
    pooled = flux.conditioner(SYNTAX).pooled
    again = encode(flux, "a cat")
    detach(flux)

    assert [str(each.message).split("\n")[0] for each in caught] == [WARNING.format("Flux")]
    assert torch.equal(ours[0], words[0])
    assert torch.equal(ours[1], pooled)
    assert all(map(torch.equal, again, theirs))


def test_flux_reads_the_first_condition_of_an_and(flux):
    attach(flux)
    with pytest.warns(PromptWarning, match="AND makes 2 conditions; only the first is encoded"):
        ours = encode(flux, "a cat AND a dog")
    first = encode(flux, "a cat")
    detach(flux)

    assert all(map(torch.equal, ours, first))


def test_flux_embeddings_of_the_caller_need_no_encoder(flux):
    theirs = encode(flux)
    given = {"prompt_embeds": theirs[0], "pooled_prompt_embeds": theirs[1]}
    encoder, flux.text_encoder = flux.text_encoder, None
    try:
        attach(flux)
        ours = encode(flux, None, **given)
    finally:
        detach(flux).text_encoder = encoder

    assert ours[0] is theirs[0]
    assert ours[1] is theirs[1]


def test_clip_skip_is_among_what_has_no_effect(flux):
    theirs = encode(flux)
    attach(flux, clip_skip=2)
    with pytest.warns(PromptWarning, match="^clip skip has no effect in Flux: of CLIP"):
        ours = encode(flux)
    detach(flux)

    assert all(map(torch.equal, ours, theirs))


class Seen:
    """A stub of another text model: remembers what it gets."""

    def __init__(self, *results):
        self.results, self.texts = results, []

    def __call__(self, *args, **kwargs):
        texts = kwargs.get("prompt", next((a for a in args if isinstance(a, str | list)), None))
        self.texts += [texts] if isinstance(texts, str) else texts
        n = 1 if isinstance(texts, str) else len(texts)
        results = [each.repeat(n, *[1] * (each.ndim - 1)) for each in self.results]
        return results[0] if len(results) == 1 else tuple(results)


EMBEDS, MASK = torch.ones(1, 4, 8), torch.ones(1, 4)
OTHERS = {
    "HunyuanVideoPipeline": ({"_get_llama_prompt_embeds": (EMBEDS, MASK)}, "HunyuanVideo", {}),
    "HunyuanVideoFramepackPipeline": (
        {"_get_llama_prompt_embeds": (EMBEDS, MASK)}, "HunyuanVideo", {},
    ),
    "HunyuanSkyreelsImageToVideoPipeline": (
        {"_get_llama_prompt_embeds": (EMBEDS, MASK)}, "HunyuanVideo", {},
    ),
    "HunyuanVideoImageToVideoPipeline": (
        {"_get_llama_prompt_embeds": (EMBEDS, MASK)}, "HunyuanVideo", {"image": None},
    ),
    "Kandinsky5T2VPipeline": (
        {"_encode_prompt_qwen": (EMBEDS, torch.tensor([0, 4]))}, "Kandinsky 5", {},
    ),
    "Kandinsky5T2IPipeline": (
        {"_encode_prompt_qwen": (EMBEDS, torch.tensor([0, 4]))}, "Kandinsky 5", {},
    ),
    "Kandinsky5I2VPipeline": (
        {"_encode_prompt_qwen": (EMBEDS, torch.tensor([0, 4]))}, "Kandinsky 5", {},
    ),
    "Kandinsky5I2IPipeline": (
        {"_encode_prompt_qwen": (EMBEDS, torch.tensor([0, 4]))}, "Kandinsky 5", {"image": None},
    ),
    "HiDreamImagePipeline": (
        {"_get_t5_prompt_embeds": (EMBEDS,), "_get_llama3_prompt_embeds": (EMBEDS[None],)},
        "HiDream", {"negative_prompt": "a (dog:1.2)"},
    ),
}  # fmt: skip


def stubbed(name):
    """A pipeline whose other text models are stubs; its CLIP towers are real."""
    stubs, family, call = OTHERS[name]
    pipe = bare(pipeline_classes()[name])
    if name.startswith("HiDream"):
        pipe.text_encoder, pipe.text_encoder_2 = (
            longer(m) for m in (model_l_projected(), model_g())
        )
        pipe.tokenizer = tokenizer()
    seen = {method: Seen(*results) for method, results in stubs.items()}
    vars(pipe).update(seen)
    return pipe, list(seen.values()), family, {"device": "cpu", "dtype": torch.float32, **call}


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_likewise(name):
    pipe, seen, family, call = stubbed(name)
    plain = {**call, "negative_prompt": "a dog"} if "negative_prompt" in call else call
    with torch.no_grad():
        theirs = pipe.encode_prompt(prompt="a red cat", **plain)
        attach(pipe)
        same = pipe.encode_prompt(prompt="a red cat", **plain)
        for each in seen:
            each.texts.clear()
        with pytest.warns(PromptWarning, match=f"^weights have no effect in {family}: of CLIP"):
            ours = pipe.encode_prompt(prompt="a (red:1.3) cat", **call)

    assert all(a is b is None or torch.equal(a, b) for a, b in zip(same, theirs, strict=True))
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    for each in seen:
        assert set(each.texts) <= {"a red cat", "a dog"}
        assert "a red cat" in each.texts


def test_kandinsky_6_keeps_the_negative_of_its_own():
    pipe, seen = bare(pipeline_classes()["Kandinsky6TI2VAPipeline"]), []

    def stub(prompts, _, __, clip_tokenizer, clip, *___):
        seen.extend(prompts)
        options = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
        pooled = clip(**clip_tokenizer(prompts, **options)).pooler_output
        return EMBEDS.repeat(len(prompts), 1, 1), pooled, MASK.repeat(len(prompts), 1).bool()

    pipe._get_prompt_embeds = stub
    call = {"device": "cpu", "dtype": torch.float32}
    with torch.no_grad():
        theirs = (
            pipe.encode_prompt("a red cat", **call),
            pipe.encode_prompt("a red cat", "a", **call),
        )
        attach(pipe)
        ours = pipe.encode_prompt("a red cat", **call), pipe.encode_prompt("a red cat", "a", **call)
        seen.clear()
        with pytest.warns(PromptWarning, match="^weights have no effect in Kandinsky 6"):
            weighted = pipe.encode_prompt("a (red:1.3) cat", "(a)", **call)

    for one, other in zip((*ours, weighted), (*theirs, theirs[1]), strict=True):
        assert all(map(torch.equal, one, other))
    assert seen == ["a red cat", "a"]
