"""SigLIP's and MetaCLIP 2's text towers: layers as transformers has them, chunks, refusals."""

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from clipcond import Conditioner, load_tower
from clipcond.checkpoints.opening import KINDS
from clipcond.errors import CheckpointError, TowerError
from clipcond.towers import HiddenLayer, MetaClip2Tower, SiglipTower
from tests.reading.made import FAMILIES, TEXTS

TOWERS = {"siglip": SiglipTower, "metaclip_2": MetaClip2Tower}
EACH = pytest.mark.parametrize("name", TOWERS)


def made(name):
    model, tokenizer = (make() for make in FAMILIES[name])
    return model, tokenizer, TOWERS[name](model, tokenizer, name)


@EACH
def test_layers_are_those_of_transformers(name):
    model, _, tower = made(name)
    chunks = [Conditioner(tower, dialect="plain").chunks(text)[0] for text in TEXTS[name]]
    ids = torch.tensor([chunk.input_ids for chunk in chunks])
    mask = torch.tensor([chunk.attention_mask for chunk in chunks])

    text = tower._text_model()
    seen = []  # transformers 5.0 does not return the layers of a part of a dual model
    hook = text.encoder.layers[-1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        theirs = model.text_model(input_ids=ids, attention_mask=mask)
    hook.remove()

    last = tower.encode(ids, mask, HiddenLayer(1), pooled=True)
    torch.testing.assert_close(last.hidden, theirs.last_hidden_state, atol=1e-5, rtol=0)
    before = tower.encode(ids, mask, HiddenLayer(2, final_norm=False)).hidden
    torch.testing.assert_close(before, seen[0], atol=1e-5, rtol=0)
    pooled = theirs.pooler_output
    pooled = pooled if name == "siglip" else model.text_projection(pooled)
    torch.testing.assert_close(last.pooled, pooled, atol=1e-5, rtol=0)


@EACH
def test_a_folder_gives_the_same_tower(name, tmp_path):
    model, tokenizer, expected = made(name)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)

    tower = load_tower(tmp_path)

    assert type(tower) is TOWERS[name]
    ids = torch.full((1, tower.special.context_length), tower.special.pad)
    ids[0, :3] = torch.tensor([5, 6, tower.special.eos])
    ours, theirs = (t.encode(ids, None, HiddenLayer(), pooled=True) for t in (tower, expected))
    assert torch.equal(ours.hidden, theirs.hidden)
    assert torch.equal(ours.pooled, theirs.pooled)
    assert tower.special == expected.special
    assert any(name in row.model_types for row in KINDS.values())


def test_siglips_chunks_have_no_beginning_and_are_filled_up():
    _, tokenizer, tower = made("siglip")

    (chunk,) = Conditioner(tower, dialect="plain").chunks("A Red cat")

    theirs = tokenizer("a red cat", padding="max_length").input_ids
    assert list(chunk.input_ids) == theirs  # capitals become small letters
    assert set(chunk.attention_mask) == {1}


@EACH
def test_another_model_is_refused(name):
    config = CLIPTextConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                            num_attention_heads=1, vocab_size=60)  # fmt: skip
    model = CLIPTextModel(config) if name == "siglip" else torch.nn.Linear(2, 2)
    with pytest.raises(TowerError, match=r"is no (SigLIP|MetaCLIP 2) text model"):
        TOWERS[name](model, FAMILIES[name][1]())


def test_a_siglip_folder_without_a_readable_tokenizer_says_what_it_needs(tmp_path, monkeypatch):
    made("siglip")[0].save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="there is no tokenizer for"):
        load_tower(tmp_path)
    (tmp_path / "spiece.model").write_bytes(b"")
    monkeypatch.setattr("clipcond.tokenizers.siglip.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match="pip install sentencepiece"):
        load_tower(tmp_path)
