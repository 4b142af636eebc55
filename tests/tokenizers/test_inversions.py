"""Textual inversions that a tower keeps: names, vectors in place of the table's, who sees them."""

import copy
import pickle
import threading

import pytest
import torch
from transformers import CLIPTextModel

from clipcond.errors import TowerError
from clipcond.tokenizers.inversions import Inversions
from clipcond.towers import HiddenLayer, OpenAIClipTower
from tests.parity.models import fill, model_g, model_l, tokenizer, tower_g, tower_l
from tests.towers.test_offload import model_offload, sequential_offload
from tests.towers.test_openai_clip import rows

LAST = HiddenLayer(1, True)


def vectors(n, width=32, seed=5):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def with_ids(*ids):
    """A chunk [1 77] of these ids between a few others."""
    input_ids = rows(1)
    input_ids[0, 2 : 2 + len(ids)] = torch.tensor(ids)
    input_ids[0, 2 + len(ids)] = 49407
    return input_ids


def in_the_table(model, ours, tokens):
    """The same vectors as rows that are appended to the model's own table, and their ids."""
    model = copy.deepcopy(model)
    table = model.get_input_embeddings()
    first = len(table.weight)
    model.resize_token_embeddings(first + len(ours), mean_resizing=False)
    model.get_input_embeddings().weight.data[first:] = ours
    return OpenAIClipTower(model.eval(), tokens), tuple(range(first, first + len(ours)))


@pytest.mark.parametrize("make", [tower_l, tower_g], ids="LG")
@pytest.mark.parametrize("layer", [LAST, HiddenLayer(2, False)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_vectors_give_what_rows_of_the_table_give(make, layer, dtype):
    tower = make()
    ours = vectors(3, tower.width)
    table, ids = in_the_table(tower.model, ours, tower.tokenizer.source)
    own = OpenAIClipTower(copy.deepcopy(tower.model).to(dtype), tower.tokenizer.source)
    own.inversions.add("foo", ours)
    table.model.to(dtype)

    expected = table.encode(with_ids(*ids), None, layer, pooled=True)
    found = own.encode(with_ids(*own.inversions.ids("foo")), None, layer, pooled=True)

    # same modules, same input: no tolerance
    assert torch.equal(found.hidden, expected.hidden)
    assert torch.equal(found.pooled, expected.pooled)


@pytest.mark.parametrize("offload", [model_offload, sequential_offload])
def test_offload_changes_nothing(offload):
    whole = tower_l()
    model = copy.deepcopy(model_l())
    offload(model)
    tower = OpenAIClipTower(model, tokenizer())
    for each in (whole, tower):
        each.inversions.add("foo", vectors(2))
    ids = with_ids(*whole.inversions.ids("foo"))

    for _ in range(2):
        ours = tower.encode(ids, None, LAST, pooled=True)
        expected = whole.encode(ids, None, LAST, pooled=True)
        assert torch.equal(ours.hidden, expected.hidden)
        assert torch.equal(ours.pooled, expected.pooled)


def test_a_chunk_without_inversions_is_untouched_by_its_neighbour():
    tower = tower_l()
    tower.inversions.add("foo", vectors(2))
    both = torch.cat([with_ids(*tower.inversions.ids("foo")), rows(1)])

    plain = tower_l().encode(torch.cat([rows(1, seed=1), rows(1)]), None, LAST).hidden[1]
    assert torch.equal(tower.encode(both, None, LAST).hidden[1], plain)


def test_model_and_tokenizer_are_as_they_were(own_model):
    own_tokenizer = copy.deepcopy(tokenizer())
    before = {name: tensor.clone() for name, tensor in own_model.state_dict().items()}
    added = dict(own_tokenizer.added_tokens_encoder)
    tower = OpenAIClipTower(own_model, own_tokenizer)

    tower.inversions.add("foo", vectors(2))
    tower.encode(with_ids(*tower.inversions.ids("foo")), None, LAST)

    after = own_model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert own_tokenizer.added_tokens_encoder == added
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in own_model.modules())


def test_the_hook_is_gone_after_an_exception(own_model):
    tower = OpenAIClipTower(own_model, tokenizer())
    tower.inversions.add("foo", vectors(1))
    ids = with_ids(*tower.inversions.ids("foo"))
    handle = own_model.get_input_embeddings().register_forward_pre_hook(_fails)

    with pytest.raises(RuntimeError, match="out of memory"):
        tower.encode(ids, None, LAST)
    handle.remove()
    assert not own_model.get_input_embeddings()._forward_hooks


def test_a_pipeline_that_uses_the_model_meanwhile_sees_nothing(own_model):
    tower = OpenAIClipTower(own_model, tokenizer())
    tower.inversions.add("foo", vectors(2))
    ids, others = with_ids(*tower.inversions.ids("foo")), rows(1)
    expected, ours = own_model(others)[0], tower.encode(ids, None, LAST).hidden
    inside, done = threading.Event(), threading.Event()
    found = []

    def waits(*_):
        if threading.get_ident() == thread.ident:
            inside.set()
            done.wait(60)

    def encodes():
        found.append(tower.encode(ids, None, LAST).hidden)

    thread = threading.Thread(target=encodes)
    handle = own_model.get_input_embeddings().register_forward_pre_hook(waits)
    thread.start()
    assert inside.wait(60)
    meanwhile = own_model(others)[0]
    done.set()
    thread.join()
    handle.remove()

    assert torch.equal(meanwhile, expected)
    assert torch.equal(found[0], ours)


def test_the_fingerprint_changes_with_the_vectors_and_back():
    tower = tower_l()
    states = [tower.fingerprint()]
    for seed in (5, 6):
        tower.inversions.add("foo", vectors(2, seed=seed))
        states.append(tower.fingerprint())
        tower.inversions.remove("foo")
        assert tower.fingerprint() == states[0]

    assert len(set(states)) == 3


def test_equal_vectors_loaded_anew_have_other_ids():
    # a chunk made before would otherwise silently mean another inversion
    tower = tower_l()
    tower.inversions.add("foo", vectors(2))
    before = tower.inversions.ids("foo")
    tower.inversions.remove("foo")
    tower.inversions.add("bar", vectors(2, seed=6))

    assert not set(before) & set(tower.inversions.ids("bar"))
    with pytest.raises(TowerError) as error:
        tower.encode(with_ids(*before), None, LAST)
    assert str(error.value) == (
        "these chunks use a textual inversion that 'L' does not have\n"
        "It was removed, or they were made for another tower."
    )


def test_vectors_are_copied():
    tower, ours = tower_l(), vectors(2)
    tower.inversions.add("foo", ours)
    ids = with_ids(*tower.inversions.ids("foo"))
    before = tower.encode(ids, None, LAST).hidden
    ours.zero_()

    assert torch.equal(tower.encode(ids, None, LAST).hidden, before)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_and_pickles_have_inversions_of_their_own(again):
    one = Inversions(4, "T")
    one.add("foo", vectors(2, 4))
    other = again(one)
    other.add("bar", vectors(1, 4))

    assert (one.names, other.names) == (("foo",), ("foo", "bar"))
    assert other.ids("foo") == one.ids("foo")


@pytest.fixture
def own_model():
    """An L to spoil."""
    return fill(CLIPTextModel(copy.deepcopy(model_l().config)), 20240)


def _fails(*_):
    raise RuntimeError("out of memory")


def test_the_second_tower_has_its_own_width():
    tower = OpenAIClipTower(model_g(), tokenizer("!"), name="G")

    assert (tower.inversions.width, tower.inversions.tower) == (40, "G")
