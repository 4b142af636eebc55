"""Other extensions of an attached pipeline: textual inversion, LoRA, offload hooks."""

import copy

import pytest
import torch
from diffusers import StableDiffusionPipeline

from clipcond import attach, detach
from tests.parity.models import tokenizer
from tests.pipelines.models import WIDTH, final_norm, latents, seeded, tiny_sd


@pytest.fixture
def inverted():
    """A pipeline that knows <foo>, an inversion of three vectors."""
    pipe = tiny_sd(tokenizer=copy.deepcopy(tokenizer()))
    vectors = torch.randn(3, WIDTH, generator=seeded(5))
    pipe.load_textual_inversion({"<foo>": vectors})
    return pipe


def test_textual_inversion_equals_diffusers(inverted):
    theirs = latents(inverted, "a <foo> cat", negative_prompt="<foo>")
    ours = latents(attach(inverted), "a <foo> cat", negative_prompt="<foo>")

    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, latents(inverted, "a cat", negative_prompt="<foo>"))


def test_every_vector_of_an_inversion_has_its_weight(inverted):
    (chunk,) = attach(inverted).conditioner.chunks("a (<foo>:1.3) cat")
    names = ["a", "<foo>", "<foo>_1", "<foo>_2", "cat"]

    assert list(chunk.input_ids[1:6]) == inverted.tokenizer(" ".join(names)).input_ids[1:-1]
    assert chunk.weights[1:6] == (1.0, 1.3, 1.3, 1.3, 1.0)


def test_an_inversion_loaded_after_attach_is_seen():
    pipe = attach(tiny_sd(tokenizer=copy.deepcopy(tokenizer())))
    before = latents(pipe, "a <foo> cat")
    pipe.load_textual_inversion({"<foo>": torch.randn(2, WIDTH, generator=seeded(5))})
    after = latents(pipe, "a <foo> cat")

    assert not torch.equal(after, before)
    assert torch.equal(after, latents(detach(pipe), "a <foo> cat"))


def test_an_inversion_of_the_conditioner_equals_that_of_diffusers(inverted):
    theirs = latents(inverted, "a <foo> cat", negative_prompt="(<foo>)")
    pipe = attach(tiny_sd())
    name = pipe.conditioner.load_inversion(torch.randn(3, WIDTH, generator=seeded(5)), "<foo>")

    assert name == "<foo>"
    assert torch.equal(latents(pipe, "a <foo> cat", negative_prompt=r"\(<foo>\)"), theirs)
    assert "<foo>" not in pipe.tokenizer.added_tokens_encoder
    plain = latents(detach(pipe), "a <foo> cat", negative_prompt="(<foo>)")
    assert torch.equal(plain, latents(tiny_sd(), "a <foo> cat", negative_prompt="(<foo>)"))


def test_both_ways_side_by_side(inverted):
    # ours first: the table grows afterwards, and its new rows get no id of ours
    pipe = attach(tiny_sd(tokenizer=copy.deepcopy(tokenizer())))
    pipe.conditioner.load_inversion(torch.randn(2, WIDTH, generator=seeded(6)), "<bar>")
    pipe.load_textual_inversion({"<foo>": torch.randn(3, WIDTH, generator=seeded(5))})
    inverted.load_textual_inversion({"<bar>": torch.randn(2, WIDTH, generator=seeded(6))})

    prompt = "a <bar> cat, <foo><bar>"
    assert torch.equal(latents(pipe, prompt), latents(inverted, prompt))


def test_an_inversion_outlives_what_remakes_the_conditioner(pipe):
    attach(pipe).conditioner.load_inversion(torch.randn(2, WIDTH, generator=seeded(5)), "foos")
    before = latents(pipe, "a foos")

    assert torch.equal(latents(attach(pipe), "a foos"), before)
    assert torch.equal(latents(copy.deepcopy(pipe), "a foos"), before)
    pipe.text_encoder = copy.deepcopy(pipe.text_encoder)
    assert torch.equal(latents(pipe, "a foos"), before)
    pipe.enable_model_cpu_offload(device="cpu")
    assert torch.equal(latents(pipe, "a foos"), before)
    assert pipe.conditioner.inversions == ("foos",)
    assert not torch.equal(latents(attach(detach(pipe)), "a foos"), before)


def test_attach_adds_no_text_model_that_would_break_lora_loading(pipe):
    # diffusers chooses the names of LoRA weights by whether the text encoder has a text_model
    before = hasattr(pipe.text_encoder, "text_model")
    latents(attach(pipe, clip_skip=2), "a cat")

    assert hasattr(pipe.text_encoder, "text_model") == before
    assert type(pipe.text_encoder).__name__ == "CLIPTextModel"


def test_a_scale_without_lora_does_nothing(pipe):
    attach(pipe)
    scaled = latents(pipe, "a cat", cross_attention_kwargs={"scale": 0.5})

    assert torch.equal(scaled, latents(pipe, "a cat"))


def test_lora_equals_diffusers_at_every_scale(pipe, tmp_path):
    pytest.importorskip("peft")
    layers = {}
    for name, module in pipe.text_encoder.named_modules():
        if name.endswith(("q_proj", "v_proj")):
            n_out, n_in = module.weight.shape
            layers[f"{name}.lora_A.weight"] = torch.randn(2, n_in, generator=seeded(6)) * 0.3
            layers[f"{name}.lora_B.weight"] = torch.randn(n_out, 2, generator=seeded(7)) * 0.3
    StableDiffusionPipeline.save_lora_weights(tmp_path, text_encoder_lora_layers=layers)

    scales = [{}, *({"cross_attention_kwargs": {"scale": scale}} for scale in (0.5, 0.0))]
    plain = latents(attach(pipe), "a cat")
    pipe.load_lora_weights(tmp_path, adapter_name="a")
    ours = [latents(pipe, "a cat", **scale) for scale in scales]
    handle = pipe.text_encoder.register_forward_hook(_fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        latents(pipe, "a cat", **scales[1])
    handle.remove()
    again = latents(pipe, "a cat")
    pipe.disable_lora()
    assert torch.equal(latents(pipe, "a cat"), plain)
    pipe.enable_lora()
    detach(pipe)

    theirs = [latents(pipe, "a cat", **scale) for scale in scales]
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert torch.equal(again, theirs[0])
    assert not torch.equal(ours[0], ours[1])
    assert torch.equal(ours[2], plain)


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_model_offload(pipe, clip_skip):
    plain = latents(attach(pipe, clip_skip=clip_skip), "a (red:1.2) cat")
    pipe.enable_model_cpu_offload(device="cpu")

    assert torch.equal(latents(pipe, "a (red:1.2) cat"), plain)
    assert torch.equal(
        latents(attach(tiny_offloaded(), clip_skip=clip_skip), "a red cat"),
        latents(attach(tiny_sd(), clip_skip=clip_skip), "a red cat"),
    )


def tiny_offloaded():
    pipe = tiny_sd()
    pipe.enable_model_cpu_offload(device="cpu")
    return pipe


def test_a_compiled_text_encoder(pipe):
    plain = latents(attach(pipe, clip_skip=2), "a cat")
    pipe.text_encoder = torch.compile(pipe.text_encoder, backend="eager")

    assert torch.equal(latents(pipe, "a cat"), plain)


def test_changed_weights_are_seen(pipe):
    before = latents(attach(pipe), "a cat")
    with torch.no_grad():
        final_norm(pipe.text_encoder).weight.mul_(2)
    after = latents(pipe, "a cat")

    assert not torch.equal(after, before)
    assert torch.equal(after, latents(detach(pipe), "a cat"))


def _fail(*_):
    raise RuntimeError("in the middle")
