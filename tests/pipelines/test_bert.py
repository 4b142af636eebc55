"""Pipelines whose own text encoder is a BERT, as Taiyi's."""

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from clipcond import attach, build_pipeline, load_tower
from clipcond.embedded import folder
from clipcond.errors import PipelineError
from clipcond.towers import ChineseClipTower
from tests.pipelines.models import WIDTH, latents, tiny_sd

VOCABULARY = folder().parent / "chinese_tokenizer" / "vocab.txt"


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


def test_another_tower_is_compared_with_none(pipe, tokenizer):
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


def test_without_a_tower_the_way_is_named(pipe):
    with pytest.raises(PipelineError) as caught:
        attach(pipe)
    assert str(caught.value) == (
        "The text encoder of this StableDiffusionPipeline, a BertModel, is no CLIP text model.\n"
        "Say which tower reads its prompts: attach(pipe, tower=...). For a BERT that is "
        "ChineseClipTower(pipe.text_encoder, pipe.tokenizer) of clipcond.towers."
    )


def test_its_folder(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    tower = load_tower(tmp_path)
    assert isinstance(tower, ChineseClipTower)
    assert isinstance(tower.model, BertModel)
    with pytest.raises(PipelineError, match="is no CLIP text model"):
        build_pipeline(tmp_path)
    with pytest.warns(match="was not trained with this pipeline's UNet"):
        built = build_pipeline(tmp_path, tower=str(tmp_path), allow_unaligned=True)
    assert latents(built, "一只猫").isfinite().all()
