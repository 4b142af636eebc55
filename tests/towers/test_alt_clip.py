"""AltClipTower against transformers' own forward, bit for bit, at every layer."""

import copy

import pytest
import torch
from transformers import AltCLIPModel, AltCLIPTextModel

from clipcond.adapters import tower_fingerprint
from clipcond.errors import TowerError
from clipcond.towers import AltClipTower, HiddenLayer, TextTower
from tests.parity.models import model_l
from tests.parity.models import tokenizer as bpe
from tests.towers import chinese
from tests.towers.alt import MODELS, half, rows, text_model, tokenizer, tower_alt, whole_model

DEPTHS = [1, 2, 3, 4]


def text_of(model) -> AltCLIPTextModel:
    return getattr(model, "text_model", model)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("length", [77, 128])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_layer_is_that_of_transformers(model, length, masked):
    tower = AltClipTower(model(), tokenizer(), context_length=length)
    ids, mask = rows(length)
    mask = mask if masked else None
    text = text_of(model())
    theirs = text(input_ids=ids, attention_mask=mask, output_hidden_states=True)

    assert torch.equal(tower.encode(ids, mask, HiddenLayer()).hidden, theirs.last_hidden_state)
    for depth in DEPTHS:
        state = theirs.hidden_states[-depth]
        normed = tower.encode(ids, mask, HiddenLayer(depth))
        bare = tower.encode(ids, mask, HiddenLayer(depth, final_norm=False))
        assert torch.equal(normed.hidden, text.transformation(text.pre_LN(state)))
        assert torch.equal(bare.hidden, text.transformation(state))
        assert normed.hidden.shape[-1] == bare.hidden.shape[-1] == tower.width == 24
        assert normed.pooled is bare.pooled is None


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("model", [whole_model, half])
def test_pooled_is_that_of_the_whole_model(model, depth):
    ids, mask = rows()
    theirs = whole_model().get_text_features(input_ids=ids, attention_mask=mask)
    theirs = getattr(theirs, "pooler_output", theirs)  # transformers 5.0 gives the tensor itself

    ours = AltClipTower(model(), tokenizer()).encode(ids, mask, HiddenLayer(depth), pooled=True)

    assert ours.pooled.shape == (4, 20)
    assert torch.equal(ours.pooled, theirs)


def test_without_a_projection_pooled_is_that_of_the_text_model():
    ids, mask = rows()
    theirs = text_model()(input_ids=ids, attention_mask=mask)

    ours = AltClipTower(text_model(), tokenizer()).encode(ids, mask, HiddenLayer(), pooled=True)

    assert torch.equal(ours.pooled, theirs.pooler_output)


@pytest.mark.parametrize("model", [text_model, whole_model])
@pytest.mark.parametrize(
    ("depth", "pooled", "expected"),
    [(1, False, 4), (2, False, 3), (4, False, 1), (4, True, 4)],
)
def test_layers_above_the_requested_one_do_not_run(model, depth, pooled, expected):
    tower = AltClipTower(copy.deepcopy(model()), tokenizer())
    runs = []
    for i, block in enumerate(tower._blocks()):
        block.register_forward_hook(lambda *_, i=i: runs.append(i))

    tower.encode(*rows(), HiddenLayer(depth), pooled=pooled)

    assert runs == list(range(expected))


def test_masked_padding_is_not_seen():
    ids, mask = rows()
    tower = tower_alt()
    short = tower.encode(ids[:3, :30], mask[:3, :30], HiddenLayer(2), pooled=True)
    long = tower.encode(ids[:3], mask[:3], HiddenLayer(2), pooled=True)

    seen = mask[:3, :30] == 1
    # another length is summed in another order
    torch.testing.assert_close(long.hidden[:, :30][seen], short.hidden[seen], rtol=0, atol=1e-5)
    torch.testing.assert_close(long.pooled, short.pooled, rtol=0, atol=1e-5)
    unmasked = tower.encode(ids[:3], None, HiddenLayer(2)).hidden
    assert not torch.allclose(long.hidden[:, :30][seen], unmasked[:, :30][seen], atol=1e-2)


def test_fingerprints():
    tower = AltClipTower(copy.deepcopy(whole_model()), tokenizer())
    before, found = tower.fingerprint(), tower_fingerprint(tower)
    tower.encode(*rows(), HiddenLayer(2), pooled=True)
    assert tower.fingerprint() == before
    # with its vision half, without it, whatever a version of transformers calls the blocks
    assert found == tower_fingerprint(AltClipTower(half(), tokenizer()))
    assert found.startswith("0a3f4514961f")

    tower.model.text_model.transformation.weight.data += 0.1

    assert tower.fingerprint() != before
    assert tower_fingerprint(tower) != found


def test_what_it_says_about_itself():
    tower = tower_alt()

    assert isinstance(tower, TextTower)
    assert tower.fullwidth
    assert (tower.width, tower.depth, tower.name) == (24, 4, "alt")
    assert (tower.device, tower.dtype) == (torch.device("cpu"), torch.float32)
    assert (tower.special.context_length, tower.special.mask_padding) == (77, True)
    assert (tower.special.bos, tower.special.eos, tower.special.pad) == (0, 2, 1)
    assert repr(tower) == "AltClipTower('alt', depth=4, width=24)"
    assert AltClipTower(text_model(), tokenizer()).name == AltCLIPTextModel.__name__
    assert tower_alt(context_length=128).special.room == 126


def test_what_it_cannot_read():
    assert tower_alt().unread(["一只红色的猫，a red cat!"]) == ""
    assert tower_alt().unread(["一只猫😀，龘"]) == (
        "'alt' reads 4 of the 6 characters here; it cannot read '😀', '龘'"
    )


def test_a_tower_of_few_words_says_so():
    """The row of padding is blank in every model, and does not make one of few words."""
    model = copy.deepcopy(whole_model())
    table = model.text_model.roberta.embeddings.word_embeddings.weight
    known = tokenizer()("一只红色的猫 cat", add_special_tokens=False)["input_ids"]
    kept = table[known].clone()
    table.zero_()
    table[known] = kept
    tower = AltClipTower(model, tokenizer(), name="few")

    assert tower.unread(["dog"]) == "'few' knows 4 words; it cannot read 'dog'"


def test_errors_say_what_is_wrong():
    with pytest.raises(TowerError) as caught:
        tower_alt().encode(*rows(), HiddenLayer(5))
    assert str(caught.value) == (
        "layer 5 from the end was asked of 'alt', which has 4 blocks; use 1 (last) to 4 (first)"
    )
    with pytest.raises(TowerError) as caught:
        tower_alt(context_length=129)
    assert str(caught.value) == (
        "context_length=129 does not fit 'alt', which has 128 positions; use a whole number from "
        "3 to 128"
    )
    for model in (model_l(), chinese.whole_model()):
        with pytest.raises(TowerError) as caught:
            AltClipTower(model, tokenizer())
        assert str(caught.value) == (
            f"{type(model).__name__} is no AltCLIP text model: it has no roberta with a pre_LN and "
            f"a transformation. AltClipTower takes an {AltCLIPModel.__name__} or AltCLIPTextModel."
        )


@pytest.mark.parametrize("tokenizer", [bpe, chinese.tokenizer])
def test_a_tokenizer_of_another_kind(tokenizer):
    with pytest.raises(TowerError) as caught:
        AltClipTower(whole_model(), tokenizer())
    assert str(caught.value) == (
        f"{type(tokenizer()).__name__} has no <s>, </s>, <pad> and ▁, so it is no XLM-RoBERTa "
        "tokenizer, or one without a vocabulary"
    )


def test_a_tokenizer_that_pads_otherwise():
    other = copy.deepcopy(tokenizer())
    other.pad_token = "<mask>"
    with pytest.raises(TowerError) as caught:
        AltClipTower(whole_model(), other, name="alt")
    assert str(caught.value) == (
        f"XLMRobertaTokenizer pads with id {len(other) - 1}, but 'alt' takes id 1 for padding: "
        "this tokenizer belongs to another model"
    )
