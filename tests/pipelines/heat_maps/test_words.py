"""Which words a prompt has, which rows they are in, and what is said of words that it has not."""

import random
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers, lists, sampled_from

from clipcond import Conditioner, load_tower
from clipcond.conditioning.token_rows import note_tokens
from clipcond.errors import ArgumentError, PromptError, PromptTypeError
from clipcond.pipelines.heat_maps.finding import find_rows
from clipcond.pipelines.heat_maps.words import main_words, runs_of_words
from tests.parity.models import tokenizer, tower_g, tower_l
from tests.pipelines.models import seeded
from tests.towers.chinese import tower_zh

L = Conditioner(tower_l())


def runs(prompt, conditioner=L, **call):
    with note_tokens() as noted:
        conditioner([prompt], **call)
    return runs_of_words(noted[0][0])


def rows(text, prompt, conditioner=L, occurrence=None, **call):
    found = find_rows(text, {0: runs(prompt, conditioner, **call)}, occurrence, prompt)
    return sorted(found[0])


def places(prompt, conditioner=L):
    return {(w.text, w.start): w.rows for run in runs(prompt, conditioner) for w in run}


def test_words_have_their_places_and_rows():
    assert places(r"a (red:1.3) cat's \(hat\) 3d") == {
        ("a", 0): (1,),
        ("red", 3): (2,),
        ("cat", 12): (3,),
        ("'s", 15): (4,),
        ("(", 19): (5,),
        ("hat", 20): (6,),
        (")", 24): (7,),
        ("3d", 26): (8, 9),
    }


def test_a_word_of_several_tokens_and_a_phrase():
    assert rows("photorealistic", "a photorealistic cat") == [2, 3]
    assert rows("red cat", "a (red:1.2) (cat:0.8)") == [2, 3]
    assert rows("a RED", "a (red:1.2) (cat:0.8)") == [1, 2]


def test_a_word_is_not_found_within_others():
    """bobcat ends in the token of cat."""
    (cat,) = tokenizer()("cat", add_special_tokens=False).input_ids
    assert tokenizer()("tomcat", add_special_tokens=False).input_ids[-1] == cat
    assert rows("cat", "a tomcat and a cat") == [6]
    with pytest.raises(PromptError, match="'cat' is no word by itself: it is part of 'tomcat'"):
        rows("cat", "a tomcat")


def test_a_phrase_may_go_on_in_the_next_chunk():
    filler = "one, " * 37  # 74 tokens of 75
    assert rows("red cat", f"{filler}red cat", Conditioner(tower_l(), dialect="sd_embed")) == [
        75,
        78,
    ]


@pytest.mark.parametrize(("occurrence", "expected"), [(None, [2, 5]), (1, [2]), (2, [5])])
def test_occurrences_are_counted_in_the_prompt(occurrence, expected):
    assert rows("red", "a red cat, (red:1.3) dog", occurrence=occurrence) == expected


def test_of_a_pair_both_towers_read_the_same_rows():
    pair = Conditioner(tower_l(), tower_g())
    assert rows("cat", "a red cat", pair) == [3]
    assert rows("cat", "a red cat", pair, occurrence=1) == [3]
    assert rows("dog", "a red cat", pair, prompts_2="a dog") == [2]


def test_a_blend_has_the_words_of_all_its_prompts():
    compel = Conditioner(tower_l(), dialect="compel")
    blend = '("a red cat", "the old blue dog").blend(0.5, 0.5)'
    assert (rows("cat", blend, compel), rows("dog", blend, compel)) == ([3], [4])
    joined = '("a red cat", "the old blue dog").and()'
    assert (rows("cat", joined, compel), rows("dog", joined, compel)) == ([3], [81])


@pytest.mark.filterwarnings("ignore:full-width")
def test_chinese_characters_are_words():
    conditioner = Conditioner(tower_zh())
    prompt = "一只（红色：1.3）的猫"
    assert rows("猫", prompt, conditioner) == [6]
    assert rows("红色", prompt, conditioner) == [3, 4]


def test_names_of_inversions_are_words():
    conditioner = Conditioner(tower_l())
    conditioner.load_inversion(torch.randn(3, 32, generator=seeded()), "my-style")
    try:
        assert rows("my-style", "a cat, my-style, dog", conditioner) == [4, 5, 6]
        comfy = Conditioner(conditioner.towers[0], dialect="comfyui")
        assert rows("my-style", "a (embedding:my-style:1.2) cat", comfy) == [2, 3, 4]
    finally:
        conditioner.remove_inversion("my-style")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cta", "the prompt has no 'cta'. Did you mean 'cat'?\n  a red cat # a dog\n        ^"),
        ("dog", "'dog' is in the prompt, but was not encoded: nothing was drawn by it\n"
         "  a red cat # a dog\n                ^\n"
         "See what is encoded: print(pipe.conditioner.explain(prompt))."),
        ("zebra", "the prompt has no 'zebra'\n  a red cat # a dog\n  ^\n"
         "Its words: 'a', 'red', 'cat'."),
        ("", "the prompt has no ''\n  a red cat # a dog\n  ^\nIts words: 'a', 'red', 'cat'."),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:'# a dog' is a comment")
def test_words_that_are_not_there(text, message):
    with pytest.raises(PromptError) as caught:
        rows(text, "a red cat # a dog")
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["(red:1.3)", "(red:1.3", "(red:1.3) fox"])
def test_a_word_with_its_weight_names_the_word(text):
    with pytest.raises(PromptError) as caught:
        rows(text, "a (red:1.3) fox")
    message, _, caret, remedy = str(caught.value).split("\n")
    assert message == f"{text!r} has more than words: signs that give a weight draw nothing"
    assert caret.index("^") == len("  a ")
    asked = remedy.removeprefix("Ask for '").removesuffix("'.")
    assert rows(asked, "a (red:1.3) fox") == ([2, 3] if "fox" in text else [2])


@pytest.mark.filterwarnings("ignore:the prompt needs")
def test_a_word_that_was_cut_off():
    short = Conditioner(tower_l(), max_chunks=1)
    with pytest.raises(PromptError, match="'fox' is in the prompt, but was not encoded"):
        rows("fox", "a cat, " * 30 + "a fox", short)
    assert rows("cat", "a cat, " * 30 + "a fox", short) == [*range(2, 75, 3)]


def test_a_word_that_the_tower_cannot_read():
    embedded = Conditioner(load_tower("embedded"))
    with pytest.warns(UserWarning, match="it cannot read 'snow'"):
        found = {0: runs("a cat in the snow", embedded)}
    assert find_rows("cat", found, None, "") == {0: {2}}
    with pytest.raises(PromptError, match="'embedded' cannot read 'snow': its rows say nothing"):
        find_rows("snow", found, None, "a cat in the snow")
    assert main_words(found[0][0]) == ["cat"]


def test_main_words():
    (run,) = runs("a cat, the Cat in its red (hat:1.2)")
    assert main_words(run) == ["cat", "red", "hat"]
    (run,) = runs("一只（红色：1.3）的猫, cat，蓝色", Conditioner(tower_zh()))
    assert main_words(run) == ["一只", "红色", "的猫", "cat", "蓝色"]


def test_wrong_asking():
    with pytest.raises(ArgumentError, match=r"^'red' occurs 1 time: occurrence= is from 1 to 1, n"):
        rows("red", "a red cat", occurrence=2)
    with pytest.raises(ArgumentError, match=r"^occurrence is a whole number, from 1, not a bool"):
        rows("red", "a red cat", occurrence=True)
    with pytest.raises(PromptTypeError, match=r"^a word is a string, not int$"):
        rows(3, "a red cat")


WORDS = ["cat", "photorealistic", "blue-eyed", "it's", "...", "3d", "Zürich", "&", "a,b"]


@settings(max_examples=40)
@given(lists(sampled_from(WORDS), min_size=1, max_size=60), integers(0, 9))
def test_every_token_belongs_to_one_word(words, seed):
    """Whatever is around the words; long prompts go on in further chunks."""
    dice = random.Random(seed)
    forms = ("{}", "({}:1.2)", "[{}]", "{} BREAK", "(({}))")
    prompt = " ".join(dice.choice(forms).format(word) for word in words)
    (run,) = runs(prompt)
    ids = [i for chunk in L.chunks(prompt) for i in (chunk.input_ids[p] for p in chunk.places)]
    n_each = [len(word.rows) for word in run]

    assert sum(n_each) == len(ids)
    taken = [row for word in run for row in word.rows]
    assert taken == sorted({*taken})
    chunks = [(n, p) for n, chunk in enumerate(L.chunks(prompt)) for p in chunk.places]
    assert taken == [77 * n + p for n, p in chunks]
    starts = [word.start for word in run]
    assert starts == sorted({*starts})
    for word in run:
        assert prompt.startswith(word.text, word.start)
        own = [i for i, row in zip(ids, taken, strict=True) if row in word.rows]
        assert own == tokenizer()(word.text, add_special_tokens=False).input_ids
    assert re.sub(r"\s", "", "".join(words)) == "".join(word.text for word in run)
