"""OpenAIClipTower against transformers' own forward: bit for bit, at every layer."""

import copy
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import clipcond
from clipcond import Conditioner
from clipcond.errors import TowerError
from clipcond.towers import HiddenLayer, OpenAIClipTower, TextTower, first_eos
from tests.parity.models import fill, model_l, tokenizer, tower_g, tower_l
from tests.pipelines.models import final_norm
from tests.towers.clip import rows

DEPTHS = [1, 2, 3, 4]


def pooled_one_by_one(model, ids):
    """Pooled vectors, each of a batch of one: a larger batch rounds the projection otherwise."""
    outputs = [model(row[None]) for row in ids]
    return torch.cat([o["text_embeds" if "text_embeds" in o else "pooler_output"] for o in outputs])


@pytest.mark.parametrize("make", [tower_l, tower_g], ids="LG")
def test_every_layer_is_that_of_transformers(make):
    tower, ids = make(), rows()
    theirs = tower.model(ids, output_hidden_states=True)
    their_pooled = pooled_one_by_one(tower.model, ids)
    failures = []
    for depth, normed, pooled in product(DEPTHS, (True, False), (True, False)):
        expected = theirs.hidden_states[-depth]
        expected = final_norm(tower.model)(expected) if normed else expected

        ours = tower.encode(ids, None, HiddenLayer(depth, normed), pooled=pooled)

        # same modules, same input: no tolerance
        is_exact = torch.equal(ours.pooled, their_pooled) if pooled else ours.pooled is None
        if not is_exact or not torch.equal(ours.hidden, expected):
            failures.append((depth, normed, pooled))

    assert not failures


@pytest.mark.parametrize("make", [tower_l, tower_g], ids="LG")
def test_a_long_prompt_is_that_of_transformers_chunk_by_chunk(make):
    tower, prompt = make(), " ".join(f"{i} cats," for i in range(60))  # 230 tokens
    failures = []
    for depth, normed in product(DEPTHS, (True, False)):
        layer = HiddenLayer(depth, normed)
        conditioner = Conditioner(tower, dialect="plain", layer=layer, pooled=True)
        chunks = conditioner.chunks(prompt)
        assert len(set(chunks)) == len(chunks) == 4  # the same batch as ours: no rounding
        theirs = tower.model(
            torch.tensor([chunk.input_ids for chunk in chunks]), output_hidden_states=True
        )
        expected = theirs.hidden_states[-depth]
        expected = final_norm(tower.model)(expected) if normed else expected

        ours = conditioner(prompt)

        pooled = pooled_one_by_one(tower.model, torch.tensor([chunks[0].input_ids]))
        is_exact = torch.equal(ours.embeds[0], expected.flatten(0, 1))
        if not is_exact or not torch.equal(ours.pooled, pooled):
            failures.append(layer)

    assert not failures


def test_a_tower_is_named_by_the_caller_or_its_checkpoint_or_its_class(own_model):
    own_model.config._name_or_path = "openai/clip-vit-large-patch14"
    assert OpenAIClipTower(own_model, tokenizer()).name == "openai/clip-vit-large-patch14"
    assert OpenAIClipTower(own_model, tokenizer(), name="L").name == "L"
    own_model.config._name_or_path = ""
    assert OpenAIClipTower(own_model, tokenizer()).name == "CLIPTextModel"


def test_a_call_runs_few_files(own_model):
    """What encodes a prompt can be read in six files, if no textual inversion is there."""
    tower, files = OpenAIClipTower(own_model, tokenizer()), set()
    package = Path(clipcond.__file__).parent

    def note(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if package in path.parents:
            files.add(path.relative_to(package).as_posix())

    sys.setprofile(note)
    try:
        tower.unread(["a cat"])
        ids = [[49406, *tower.tokenizer.encode("a cat"), 49407]]
        tower.encode(torch.tensor(ids), None, HiddenLayer(2))
        tower.fingerprint()
    finally:
        sys.setprofile(None)

    assert files == {
        "tokenizers/wrapped.py",
        "towers/base.py",
        "towers/fingerprint.py",
        "towers/openai_clip.py",
        "towers/protocol.py",
        "towers/weight_keys.py",
    }


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", [CLIPTextModel, CLIPTextModelWithProjection])
def test_the_last_layer_is_the_last_blocks_whatever_hidden_states_holds(kind, tied):
    """With tie_last_hidden_states newer transformers hand out the normed one in its place."""
    model = fill(kind(copy.deepcopy(model_l().config)), 20240)
    model.config.tie_last_hidden_states = tied
    blocks, seen = getattr(model, "text_model", model).encoder.layers, []
    blocks[-1].register_forward_hook(lambda module, args, output: seen.append(output))
    theirs = model(rows(), output_hidden_states=True)
    tower = OpenAIClipTower(model, tokenizer())

    plain, normed = (tower.encode(rows(), None, HiddenLayer(1, norm)) for norm in (False, True))

    assert torch.equal(plain.hidden, seen[0])
    assert torch.equal(normed.hidden, final_norm(model)(seen[0]))
    assert any(torch.equal(theirs.hidden_states[-1], o.hidden) for o in (plain, normed))
    assert torch.equal(
        tower.encode(rows(), None, HiddenLayer(2, False)).hidden, theirs.hidden_states[-2]
    )


def test_pooled_is_the_first_eos_even_if_larger_ids_exist():
    config = CLIPTextConfig.from_dict({**model_l().config.to_dict(), "vocab_size": 49410})
    config.eos_token_id = 2  # as published with SD1: transformers then takes the largest id
    tower = OpenAIClipTower(fill(CLIPTextModel(config), 1), tokenizer())
    ids = rows(1)
    ids[0, 2] = 49409  # a textual inversion

    ours = tower.encode(ids, None, HiddenLayer(1, True), pooled=True)

    assert torch.equal(ours.pooled[0], ours.hidden[0, 5])  # the first EOS stands at 5
    assert not torch.equal(tower.model(ids).pooler_output, ours.pooled)


def test_first_eos_wants_one_in_every_row():
    assert first_eos(torch.tensor([[1, 9, 9], [1, 2, 9]]), 9).tolist() == [1, 2]
    with pytest.raises(TowerError) as caught:
        first_eos(torch.tensor([[1, 9], [1, 2]]), 9)
    assert str(caught.value) == "no EOS (id 9) in a row of input_ids: nothing to pool"


def test_masked_positions_are_not_seen(own_model):
    tower = OpenAIClipTower(own_model, tokenizer())
    ids = rows(2)
    mask = torch.ones_like(ids)
    mask[:, 3] = 0
    changed = ids.clone()
    changed[:, 3] = 5

    a = tower.encode(ids, mask, HiddenLayer(2, True)).hidden
    b = tower.encode(changed, mask, HiddenLayer(2, True)).hidden
    others = [i for i in range(77) if i != 3]

    assert torch.equal(a[:, others], b[:, others])
    assert not torch.equal(a, tower.encode(ids, None, HiddenLayer(2, True)).hidden)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_half(own_model, dtype):
    tower = OpenAIClipTower(own_model.to(dtype), tokenizer())

    output = tower.encode(rows(), None, HiddenLayer(2, True))

    assert output.hidden.dtype == tower.dtype == dtype
    assert torch.isfinite(output.hidden).all()


def test_what_it_says_about_itself():
    tower = tower_g()

    assert isinstance(tower, TextTower)
    assert (tower.width, tower.depth, tower.name) == (40, 4, "G")
    assert (tower.special.bos, tower.special.eos, tower.special.pad) == (49406, 49407, 0)
    assert (tower.special.context_length, tower.special.commas) == (77, {267})
    assert (tower.device, tower.dtype) == (torch.device("cpu"), torch.float32)
    assert repr(tower) == "OpenAIClipTower('G', depth=4, width=40)"


def test_errors_say_what_is_wrong():
    with pytest.raises(TowerError) as caught:
        tower_l().encode(rows(), None, HiddenLayer(5, True))
    assert str(caught.value) == (
        "layer 5 from the end was asked of 'L', which has 4 blocks; use 1 (last) to 4 (first)"
    )
    with pytest.raises(TowerError) as caught:
        tower_l().encode(torch.full((1, 77), 49408), None, HiddenLayer(1, True))
    assert str(caught.value) == (
        "token id 49408 is outside the 49408 entries of 'L': this tokenizer belongs to another "
        "model"
    )
    with pytest.raises(TowerError) as caught:
        OpenAIClipTower(torch.nn.Linear(2, 2), tokenizer())
    assert str(caught.value) == (
        "Linear is no CLIP text model: it has no encoder.layers with a final_layer_norm. "
        "OpenAIClipTower takes a CLIPTextModel or CLIPTextModelWithProjection."
    )
    part = torch.nn.Module()
    part.text_model, part.vision_model = tower_l().model, torch.nn.Linear(2, 2)
    with pytest.raises(TowerError) as caught:
        OpenAIClipTower(part, tokenizer())
    assert str(caught.value) == (
        "Module is a whole CLIP, of texts and pictures. OpenAIClipTower takes its text half: a "
        "CLIPTextModel or CLIPTextModelWithProjection.\n"
        "Open its folder with load_tower(folder)."
    )
    for depth in (0, -1, 1.5, True, "2"):
        with pytest.raises(TowerError, match="depth is a whole number from 1"):
            HiddenLayer(depth)
