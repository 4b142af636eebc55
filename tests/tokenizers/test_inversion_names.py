"""Names of textual inversions: where a text has them, and what ids they get."""

import copy

import pytest
import torch
from transformers import CLIPTextModel

from clipcond.errors import TowerError
from clipcond.tokenizers.inversions import FIRST_ID, Inversions, _Names
from clipcond.towers import OpenAIClipTower
from tests.parity.models import fill, model_l, tokenizer, tower_l
from tests.tokenizers.test_inversions import vectors


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


def test_a_name_that_is_removed_meanwhile_stops_no_encoding():
    class Racing(Inversions):
        """As if another thread removed the last name behind the first look."""

        names = _Names()

        @property
        def _named(self):
            names, self.names = self.names, _Names()
            return names

        @_named.setter
        def _named(self, names):
            self.names = names

    inversions = Racing(4, "T")
    inversions.add("foo", vectors(2, 4))

    assert inversions.split("a foo") == ["a ", inversions.ids("foo")]
    assert inversions.split("a foo") == ["a foo"]


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
