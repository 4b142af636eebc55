"""SDXL's pair of towers: each with its own layer, padding, projection and prompt, bit for bit."""

import copy
from itertools import product

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from clipcond import Conditioner, HiddenLayer
from clipcond.errors import TowerError
from clipcond.towers import ChineseClipTower, OpenAIClipTower
from tests.checkpoints.test_long_clip import tower_long
from tests.parity.models import fill, model_g, model_l, tokenizer, tower_g, tower_l
from tests.towers import chinese

LONG = "a red cat, a blue dog, " * 25  # 200 tokens
CHOICES = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
LAYERS = [HiddenLayer(depth, normed) for depth in (1, 2, 4) for normed in (True, False)]


def pair(**choices) -> Conditioner:
    return Conditioner(tower_l(), tower_g(), **choices)


def theirs(tower, text: str, layer: HiddenLayer) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers gives, its tokenizer included: hidden [1 L D], and its pooled output."""
    rows = tokenizer("!" if tower.special.pad == 0 else "<|endoftext|>")(text, **CHOICES)
    output = tower.model(rows.input_ids, output_hidden_states=True)
    hidden = output.hidden_states[-layer.depth]
    if layer.final_norm:
        hidden = getattr(tower.model, "text_model", tower.model).final_layer_norm(hidden)
    return hidden, output.text_embeds if "text_embeds" in output else output.pooler_output


def test_each_tower_has_its_own_layer():
    failures = []
    expected = [{layer: theirs(t, "a cat", layer) for layer in LAYERS} for t in pair().towers]
    for layers in product(LAYERS, LAYERS):
        ours = pair(layer=layers)("a cat")

        (first, _), (second, pooled) = (e[layer] for e, layer in zip(expected, layers, strict=True))
        is_exact = torch.equal(ours.embeds, torch.cat([first, second], dim=-1))
        if not is_exact or not torch.equal(ours.pooled, pooled):  # pooled: always the last layer's
            failures.append(layers)

    assert not failures


def test_each_tower_pads_with_its_own_token():
    first, second = (Conditioner(tower).chunks("a cat")[0] for tower in (tower_l(), tower_g()))

    assert first.input_ids == (49406, 320, 2368, 49407, *[49407] * 73)
    assert second.input_ids == (49406, 320, 2368, 49407, *[0] * 73)


def test_each_tower_reads_its_own_prompt():
    layer = HiddenLayer(2, False)

    ours = pair().guided("a cat", "blurry", prompts_2="a dog", negatives_2="grey").positive
    negative = pair().guided("a cat", "blurry", prompts_2="a dog", negatives_2="grey").negative

    for result, text, text_2 in ((ours, "a cat", "a dog"), (negative, "blurry", "grey")):
        first, _ = theirs(tower_l(), text, layer)
        second, pooled = theirs(tower_g(), text_2, layer)
        torch.testing.assert_close(
            result.embeds, torch.cat([first, second], dim=-1), rtol=0, atol=1e-5
        )
        torch.testing.assert_close(result.pooled, pooled, rtol=0, atol=1e-5)


def test_a_longer_second_prompt_lengthens_the_first():
    ours = pair()("a cat", prompts_2=LONG)

    assert ours.embeds.shape == (1, 3 * 77, 32 + 40)
    empty, _ = theirs(tower_l(), "", HiddenLayer(2, False))
    torch.testing.assert_close(ours.embeds[0, 77:154, :32], empty[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
def test_a_prompt_of_200_tokens_is_that_of_transformers_chunk_by_chunk(clip_skip):
    ours = pair(clip_skip=clip_skip, dialect="plain")(LONG)

    expected = []
    for tower in (tower_l(), tower_g()):
        chunks = Conditioner(tower).chunks(LONG)
        assert len(chunks) == 3
        ids = torch.tensor([chunk.input_ids for chunk in chunks])
        output = tower.model(ids, output_hidden_states=True)
        expected.append(output.hidden_states[-max(2, clip_skip)].flatten(0, 1))
    torch.testing.assert_close(ours.embeds[0], torch.cat(expected, dim=-1), rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.pooled, output.text_embeds[:1], rtol=0, atol=1e-5)


def test_the_projection_may_be_of_another_width_than_the_tower():
    config = CLIPTextConfig.from_dict({**model_g().config.to_dict(), "projection_dim": 56})
    model = fill(CLIPTextModelWithProjection(config), 9)
    ours = Conditioner(tower_l(), OpenAIClipTower(model, tokenizer("!")))("a cat")

    ids = tokenizer("!")("a cat", **CHOICES).input_ids
    assert ours.pooled.shape == (1, 56)
    assert torch.equal(ours.pooled, model(ids).text_embeds)


def test_without_a_projection_pooled_is_the_normed_eos():
    second = OpenAIClipTower(model_l(), tokenizer("!"))

    ours = Conditioner(tower_g(), second)("a cat")

    ids = tokenizer("!")("a cat", **CHOICES).input_ids
    assert torch.equal(ours.pooled, model_l()(ids).pooler_output)


def test_only_the_second_tower_runs_to_its_end():
    towers, runs = [], []
    for t, (model, pad) in enumerate(((model_l(), "<|endoftext|>"), (model_g(), "!"))):
        own = copy.deepcopy(model)
        encoder = getattr(own, "text_model", own).encoder
        for i, block in enumerate(encoder.layers):
            block.register_forward_hook(lambda *_, t=t, i=i: runs.append((t, i)))
        towers.append(OpenAIClipTower(own, tokenizer(pad)))

    Conditioner(*towers, clip_skip=3)("a cat")

    assert runs == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3)]


def test_towers_of_different_context_lengths_say_what_to_do():
    with pytest.raises(TowerError) as caught:
        Conditioner(tower_long(), tower_g())
    assert str(caught.value) == (
        "towers with context lengths 248 and 77 cannot be joined token by token\n"
        "Give the longer one context_length=77 when you make it."
    )


def test_a_longer_tower_in_shorter_chunks():
    ours = Conditioner(tower_long(context_length=77), tower_g())(LONG)

    assert ours.embeds.shape == (1, 3 * 77, 32 + 40)
    chunks = Conditioner(tower_long(context_length=77)).chunks(LONG)
    ids = torch.tensor([chunk.input_ids for chunk in chunks])
    states = tower_long().model(ids, output_hidden_states=True).hidden_states[-2]
    torch.testing.assert_close(ours.embeds[0, :, :32], states.flatten(0, 1), rtol=0, atol=1e-5)


def test_the_masks_of_a_pair_are_joined():
    """A position counts if it says something in either tower; all do where one masks none."""
    zh, short = chinese.tower_zh(context_length=77), chinese.tower_zh()
    both = Conditioner(
        short, ChineseClipTower(chinese.text_model(), chinese.tokenizer()), dialect="plain"
    )

    ours = both("一只猫", prompts_2="红色的狗")

    assert ours.attention_mask.tolist() == [[1] * 6 + [0] * 46]
    assert both("红色的狗", prompts_2="猫").attention_mask.sum() == 6
    for towers in ((zh, tower_g()), (tower_l(), zh)):
        mixed = Conditioner(*towers, dialect="plain")("a cat", prompts_2="a dog")
        assert mixed.attention_mask is None
        assert mixed.embeds.shape[:2] == (1, 77)
