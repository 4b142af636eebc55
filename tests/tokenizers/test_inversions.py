"""Textual inversions that a tower keeps: names, vectors in place of the table's, who sees them."""

import copy
import pickle
import threading

import pytest
import torch
from transformers import CLIPTextModel

from clipcond.errors import TowerError
from clipcond.tokenizers.inversions import FIRST_ID, Inversions
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


def named(text, *names):
    """The text as it is split: names in angle brackets."""
    inversions = Inversions(4, "T")
    for name in names:
        inversions.add(name, vectors(2, 4))
    at = {inversions.ids(name): name for name in names}
    return [
        piece if isinstance(piece, str) else f"<{at[piece]}>" for piece in inversions.split(text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo", ["<foo>"]),
        ("a foo, b", ["a ", "<foo>", ", b"]),
        ("a FOO-like Foo.", ["a ", "<foo>", "-like ", "<foo>", "."]),
        ("food xfoo foo2 foo_1 éfoo", ["food xfoo foo2 foo_1 éfoo"]),
        ("foo  bar", ["<foo bar>"]),
        ("foo\nbars", ["<foo>", "\nbars"]),
        ("a<s1>b <S1>,", ["a", "<<s1>>", "b ", "<<s1>>", ","]),
        ("foo (1) foo", ["<foo (1)>", "<foo>"]),
        ("", []),
        (" ", []),
    ],
)
def test_where_a_name_is_found(text, expected):
    assert named(text, "foo", "foo bar", "<s1>", "foo (1)") == expected


def test_without_names_text_is_text():
    assert named("a foo") == ["a foo"]


def test_a_letter_that_only_patterns_fold_is_text():
    # re finds the dotless ı for i; casefold keeps them apart
    assert named("bıt, bit", "bit") == ["bıt, ", "<bit>"]


def test_ids_lie_beyond_every_vocabulary_and_know_what_goes_on():
    inversions = Inversions(4, "T")
    inversions.add("foo", vectors(3, 4))
    inversions.add("bar", vectors(1, 4)[0])

    assert inversions.ids("FOO") == (FIRST_ID, FIRST_ID + 1, FIRST_ID + 2)
    assert inversions.ids("bar") == (FIRST_ID + 3,)
    assert [i in inversions for i in range(FIRST_ID, FIRST_ID + 5)] == [
        False, True, True, False, False,
    ]  # fmt: skip
    assert [inversions.piece(i) for i in (5, FIRST_ID, FIRST_ID + 2)] == [None, "foo", "foo_2"]


def test_pieces_show_names():
    tower = tower_l()
    tower.inversions.add("foo", vectors(2))
    ids = [320, *tower.inversions.ids("foo"), 2368, 49407]

    assert tower.tokenizer.pieces(ids) == ["a", "foo", "foo_1", "cat", "<|endoftext|>"]


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("  ", vectors(1), "a textual inversion needs a name\nSay token='...'."),
        (
            "BAR",
            vectors(1),
            "'L' has a textual inversion 'BAR' already\n"
            "Remove it first with remove_inversion, or say another token=.",
        ),
        ("x", torch.ones(1, 2, 32), "the vectors of 'x' are [1, 2, 32]; expected [n, 32]"),
        ("x", torch.ones(0, 32), "the vectors of 'x' are [0, 32]; expected [n, 32]"),
        ("x", torch.tensor(1.0), "the vectors of 'x' are []; expected [n, 32]"),
        (
            "x",
            vectors(2, 40),
            "the vectors of 'x' are 40 wide; 'L' reads 32\n"
            "It was made for another model: 768 is Stable Diffusion 1, 1024 is 2, 768 and 1280 "
            "together are XL.",
        ),
        (
            "x",
            torch.ones(1, 32).int(),
            "the vectors of 'x' are of torch.int32, which has no fractions",
        ),
        (
            "x",
            torch.full((1, 32), float("nan")),
            "the vectors of 'x' hold NaN or infinite values\nThe file is damaged.",
        ),
    ],
)
def test_what_is_refused(name, rows, message):
    tower = tower_l()
    tower.inversions.add("bar", vectors(1))

    with pytest.raises(TowerError) as error:
        tower.inversions.add(name, rows)
    assert str(error.value) == message
    assert tower.inversions.names == ("bar",)


def test_removing_what_is_not_there():
    inversions = Inversions(4, "T")
    with pytest.raises(TowerError) as error:
        inversions.remove("foo")
    assert str(error.value) == "'T' has no textual inversion 'foo'; it has: none"
    inversions.add("bar", vectors(1, 4))
    with pytest.raises(TowerError) as error:
        inversions.remove("foo")
    assert str(error.value) == "'T' has no textual inversion 'foo'; it has: bar"


def test_diffusers_tokens_are_known_too():
    own = copy.deepcopy(tokenizer())
    own.add_tokens(["<s0>", "<s0>_1", "<s0>_2", "solo"])
    tower = OpenAIClipTower(model_l(), own)
    ids = tuple(own.convert_tokens_to_ids(["<s0>", "<s0>_1", "<s0>_2"]))

    assert tower.tokenizer.named("<s0>") == ids
    assert tower.tokenizer.named("solo") == (own.convert_tokens_to_ids("solo"),)
    assert tower.tokenizer.named("cat") == ()
    assert tower.tokenizer.named("<|endoftext|>") == ()
    assert [i in tower.special.inner for i in (*ids, *tower.tokenizer.named("solo"))] == [
        False, True, True, False,
    ]  # fmt: skip


def test_names_are_not_told_as_words_that_cannot_be_read():
    model = fill(CLIPTextModel(copy.deepcopy(model_l().config)), 20240)
    table = model.get_input_embeddings().weight.data
    table.zero_()
    own = copy.deepcopy(tokenizer())
    own.add_tokens(["<zug>"])
    cat = own.convert_tokens_to_ids("cat</w>")
    table[cat] = 1
    tower = OpenAIClipTower(model, own)
    tower.inversions.add("hund", vectors(1))

    assert (
        tower.unread(["cat, hund and <zug>"])
        == "'CLIPTextModel' knows 1 words; it cannot read 'and'"
    )


@pytest.fixture
def own_model():
    """An L to spoil."""
    return fill(CLIPTextModel(copy.deepcopy(model_l().config)), 20240)


def _fails(*_):
    raise RuntimeError("out of memory")


def test_the_second_tower_has_its_own_width():
    tower = OpenAIClipTower(model_g(), tokenizer("!"), name="G")

    assert (tower.inversions.width, tower.inversions.tower) == (40, "G")
