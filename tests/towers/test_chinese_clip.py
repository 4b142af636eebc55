"""ChineseClipTower against transformers' own forward, bit for bit, at every layer."""

import copy
from itertools import product

import accelerate
import pytest
import torch
from transformers import ChineseCLIPTextConfig, ChineseCLIPTextModel, CLIPTextModel

from clipcond.errors import TowerError
from clipcond.towers import ChineseClipTower, HiddenLayer, TextTower
from tests.parity.models import model_l
from tests.towers.chinese import (
    MODELS,
    TEXT,
    half,
    rows,
    text_model,
    tokenizer,
    tower_zh,
    whole_model,
    with_weights,
)

DEPTHS = [1, 2, 3, 4]
FULL = torch.tensor([[101, *range(5000, 5050), 102]])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_layer_is_that_of_transformers(model):
    failures = []
    for length, masked in product([52, 77, 512], [True, False]):
        tower = ChineseClipTower(model(), tokenizer(), context_length=length)
        ids, mask = rows(length)
        mask = mask if masked else None
        text = getattr(tower.model, "text_model", tower.model)
        theirs = text(input_ids=ids, attention_mask=mask, output_hidden_states=True)

        for depth, final_norm in product(DEPTHS, [True, False]):  # there is no norm to apply
            ours = tower.encode(ids, mask, HiddenLayer(depth, final_norm))
            is_exact = torch.equal(ours.hidden, theirs.hidden_states[-depth])
            if not is_exact or ours.pooled is not None:
                failures.append((length, masked, depth, final_norm))

    assert not failures


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("model", [whole_model, half])
def test_pooled_is_that_of_the_whole_model(model, depth):
    ids, mask = rows()
    theirs = whole_model().get_text_features(input_ids=ids, attention_mask=mask)
    theirs = getattr(theirs, "pooler_output", theirs)  # transformers 5.0 gives the tensor itself

    ours = ChineseClipTower(model(), tokenizer()).encode(ids, mask, HiddenLayer(depth), pooled=True)

    assert ours.pooled.shape == (4, 24)
    assert torch.equal(ours.pooled, theirs)


def test_without_a_projection_pooled_is_cls_and_never_the_made_up_pooler():
    ids, mask = rows()
    theirs = text_model()(input_ids=ids, attention_mask=mask)

    ours = ChineseClipTower(text_model(), tokenizer()).encode(ids, mask, HiddenLayer(), pooled=True)

    assert torch.equal(ours.pooled, theirs.last_hidden_state[:, 0])
    assert not torch.equal(ours.pooled, theirs.pooler_output)


def test_the_activation_is_the_exact_one():
    """tanh's approximation of gelu differs by less than 1e-3: no cosine would tell."""
    approximate = ChineseCLIPTextConfig(**{**TEXT, "hidden_act": "gelu_pytorch_tanh"})
    other = ChineseClipTower(with_weights(ChineseCLIPTextModel(approximate), 11), tokenizer())
    ids, mask = rows()

    ours = ChineseClipTower(text_model(), tokenizer()).encode(ids, mask, HiddenLayer()).hidden

    assert 1e-5 < (ours - other.encode(ids, mask, HiddenLayer()).hidden).abs().max() < 1e-1


@pytest.mark.parametrize("model", [text_model, whole_model])
@pytest.mark.parametrize(
    ("depth", "pooled", "expected"),
    [(1, False, 4), (2, False, 3), (4, False, 1), (4, True, 4)],
)
def test_layers_above_the_requested_one_do_not_run(model, depth, pooled, expected):
    tower = ChineseClipTower(copy.deepcopy(model()), tokenizer())
    runs = []
    for i, block in enumerate(tower._blocks()):
        block.register_forward_hook(lambda *_, i=i: runs.append(i))

    tower.encode(*rows(), HiddenLayer(depth), pooled=pooled)

    assert runs == list(range(expected))


def test_masked_padding_is_not_seen():
    ids, mask = rows()
    other = torch.where(mask == 1, ids, 7777)
    tower = tower_zh()

    a, b = (tower.encode(i, mask, HiddenLayer(2), pooled=True) for i in (ids, other))

    assert torch.equal(a.hidden[mask == 1], b.hidden[mask == 1])
    assert torch.equal(a.pooled, b.pooled)
    unmasked = tower.encode(ids, None, HiddenLayer(2)).hidden
    assert not torch.allclose(a.hidden[mask == 1], unmasked[mask == 1], atol=1e-2)


def test_a_whole_model_that_rests_elsewhere_is_fetched_first():
    """Its own forward, to which accelerate's hook belongs, wants pictures and is never called."""

    class Counting(accelerate.hooks.ModelHook):
        calls = 0

        def pre_forward(self, module, *args, **kwargs):
            Counting.calls += 1
            return args, kwargs

    model = copy.deepcopy(whole_model())
    accelerate.hooks.add_hook_to_module(model, Counting())
    ChineseClipTower(model, tokenizer()).encode(*rows(), HiddenLayer(2))

    assert Counting.calls == 1


def test_the_fingerprint_sees_the_weights():
    tower = ChineseClipTower(copy.deepcopy(whole_model()), tokenizer())
    before = tower.fingerprint()
    tower.encode(*rows(), HiddenLayer(2), pooled=True)
    assert tower.fingerprint() == before

    tower.model.text_projection.weight.data += 0.1

    assert tower.fingerprint() != before


def test_what_it_says_about_itself():
    tower = tower_zh()

    assert isinstance(tower, TextTower)
    assert (tower.width, tower.depth, tower.name) == (32, 4, "zh")
    assert (tower.device, tower.dtype) == (torch.device("cpu"), torch.float32)
    assert tower.special.context_length == 52
    assert tower.special.mask_padding
    assert repr(tower) == "ChineseClipTower('zh', depth=4, width=32)"
    assert ChineseClipTower(text_model(), tokenizer()).name == "ChineseCLIPTextModel"
    assert tower_zh(context_length=512).special.room == 510


def test_what_it_cannot_read():
    tower = tower_zh()

    assert tower.unread(["一只红色的猫，a photo of a cat!", "[UNK]"]) == ""
    assert tower.unread(["猫、狗。《鸟》「鱼」【红】·～，50%!?"]) == ""
    for sign in "“”‘’…—½":
        assert repr(sign) in tower.unread([f"一只{sign}猫"])
    assert tower.unread(["一只猫😀，龘龘"]) == (
        "'zh' reads 4 of the 7 characters here; it cannot read '😀', '龘'"
    )


def test_a_tower_of_few_words_says_so():
    model = copy.deepcopy(whole_model())
    table = model.text_model.embeddings.word_embeddings.weight.data
    known = tokenizer()("一只红色的猫cat", add_special_tokens=False)["input_ids"]
    kept = table[known].clone()
    table.zero_()
    table[known] = kept
    tower = ChineseClipTower(model, tokenizer(), name="few")

    assert tower.unread(["一只红色的猫，cat"]) == ""
    assert tower.unread(["一只黑色的狗 dog"]) == (
        "'few' knows 7 words and reads 4 of the 9 characters here; it cannot read '黑', '狗', 'dog'"
    )
    assert tower.unread(["dog"]) == "'few' knows 7 words; it cannot read 'dog'"


def test_errors_say_what_is_wrong():
    with pytest.raises(TowerError) as caught:
        tower_zh().encode(*rows(), HiddenLayer(5))
    assert str(caught.value) == (
        "layer 5 from the end was asked of 'zh', which has 4 blocks; use 1 (last) to 4 (first)"
    )
    with pytest.raises(TowerError) as caught:
        tower_zh().encode(torch.full((1, 52), 21128), None, HiddenLayer())
    assert str(caught.value) == (
        "token id 21128 is outside the 21128 entries of 'zh': this tokenizer belongs to another "
        "model"
    )
    for length in (513, 2, "52", True):
        with pytest.raises(TowerError) as caught:
            tower_zh(context_length=length)
        assert str(caught.value) == (
            f"context_length={length!r} does not fit 'zh', which has 512 positions; use a whole "
            "number from 3 to 512"
        )
    with pytest.raises(TowerError) as caught:
        ChineseClipTower(model_l(), tokenizer())
    assert str(caught.value) == (
        f"{CLIPTextModel.__name__} is no ChineseCLIP text model: it has no encoder.layer with "
        "embeddings.word_embeddings. ChineseClipTower takes a ChineseCLIPModel or "
        "ChineseCLIPTextModel."
    )
