"""Pipelines whose own text encoder is a BERT, as Taiyi's."""

import copy

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from clipcond import attach, build_pipeline, load_tower
from clipcond.embedded import folder
from clipcond.errors import PipelineError
from clipcond.pipelines.own_towers import own_tower
from clipcond.towers import ChineseClipTower
from tests.pipelines.models import WIDTH, latents, tiny_sd

VOCABULARY = folder().parent / "zh" / "tower" / "vocab.txt"


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(str(VOCABULARY), do_lower_case=True, model_max_length=512)


@pytest.fixture(scope="module")
def encoder():
    config = BertConfig(
        vocab_size=21128, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = BertModel(config).eval().requires_grad_(False)
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))  # or every mean would be zero
    return model


@pytest.fixture
def pipe(encoder, tokenizer):
    return tiny_sd(text_encoder=encoder, tokenizer=tokenizer)


def test_its_own_encoder_needs_no_overruling(pipe, encoder, tokenizer):
    attach(pipe, tower=ChineseClipTower(encoder, tokenizer))
    one, other = (latents(pipe, text) for text in ("一只(红色:1.2)猫", "一只狗"))
    assert one.isfinite().all()
    assert not torch.equal(one, other)


def test_another_tower_is_refused(pipe, tokenizer):
    config = BertConfig(
        vocab_size=21128, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=64,
    )  # fmt: skip
    other = ChineseClipTower(BertModel(config).eval(), tokenizer)
    with pytest.raises(PipelineError, match="was not trained with this pipeline's UNet"):
        attach(pipe, tower=other)
    with pytest.warns(match="was not trained with"):
        attach(pipe, tower=other, allow_unaligned=True)
    assert latents(pipe, "一只猫").isfinite().all()


TEXTS = ("一只红色的猫", "", "a cat, 猫", "猫" * 18, "一只，狗。", "A  CAT!")


@pytest.mark.parametrize("length", [512, 77, 20])
def test_its_own_tower_reads_as_diffusers_does(pipe, length):
    """Not as ChineseCLIP's: padding is attended to, and a chunk is as long as the tokenizer's."""
    pipe.tokenizer = BertTokenizer(
        str(VOCABULARY), do_lower_case=True, model_max_length=length, truncation_side="right"
    )
    theirs = [pipe.encode_prompt(text, "cpu", 1, False)[0] for text in TEXTS]
    attach(pipe, tower=own_tower(pipe.text_encoder, pipe.tokenizer), dialect="diffusers")

    for text, embeds in zip(TEXTS, theirs, strict=True):
        ours = pipe.encode_prompt(text, "cpu", 1, False)[0]
        torch.testing.assert_close(ours, embeds, atol=1e-6, rtol=0)
    assert not torch.equal(latents(pipe, "一只猫"), latents(pipe, "一只狗"))


def test_masked_padding_is_as_its_configuration_says(pipe, encoder):
    pipe.text_encoder = copy.deepcopy(encoder)
    pipe.text_encoder.config.use_attention_mask = True
    theirs = pipe.encode_prompt("一只猫", "cpu", 1, False)[0]
    attach(pipe, tower=own_tower(pipe.text_encoder, pipe.tokenizer), dialect="diffusers")
    ours = pipe.encode_prompt("一只猫", "cpu", 1, False)[0]

    torch.testing.assert_close(ours[:, :5], theirs[:, :5], atol=1e-5, rtol=0)


def test_another_text_encoder_is_refused(pipe, tokenizer):
    pipe.text_encoder = torch.nn.Linear(2, 2)
    with pytest.raises(PipelineError) as caught:
        attach(pipe)
    assert str(caught.value) == (
        "The text encoder of this StableDiffusionPipeline, a Linear, is no CLIP text model and no "
        "BERT.\nSay which tower reads its prompts: attach(pipe, tower=...)."
    )


def test_its_folder(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    tower = load_tower(tmp_path)
    assert isinstance(tower, ChineseClipTower)
    assert isinstance(tower.model, BertModel)
    built = build_pipeline(tmp_path)
    assert torch.equal(latents(built, "一只猫"), latents(pipe, "一只猫"))
    towers = (load_tower(tmp_path), ChineseClipTower(pipe.text_encoder, pipe.tokenizer))
    made = [latents(attach(pipe, tower=each), "一只猫") for each in towers]
    assert torch.equal(*made)
    assert torch.equal(latents(build_pipeline(tmp_path, tower=str(tmp_path)), "一只猫"), made[0])
    attach(built, clip_skip=2)  # goes on reading as it did
    assert built.conditioner.clip_skip == 2


def test_without_a_tower_it_is_refused(pipe):
    before = dict(vars(pipe))
    with pytest.raises(PipelineError) as caught:
        attach(pipe)
    assert str(caught.value) == (
        "The text encoder of this StableDiffusionPipeline, a BertModel, is no CLIP text model: it "
        "does not say how long chunks are and whether padding is masked.\n"
        "Say which tower reads its prompts: attach(pipe, tower=load_tower(folder)), or "
        "tower=ChineseClipTower(pipe.text_encoder, pipe.tokenizer) of clipcond.towers, "
        "which read as ChineseCLIP. build_pipeline(folder) reads as plain diffusers does."
    )
    assert vars(pipe) == before


def test_a_tokenizer_of_another_kind_does_not_matter_beside_a_tower(pipe, encoder, tokenizer):
    pipe.tokenizer = tiny_sd().tokenizer
    attach(pipe, tower=ChineseClipTower(encoder, tokenizer))
    assert latents(pipe, "一只猫").isfinite().all()
